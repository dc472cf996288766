/** Runs all tests and closes with the plain count `N passed, N failed`, taken from the runner's own report. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { run } from "./run.ts";

const directory = mkdtempSync(join(tmpdir(), "agnes-test-"));
const report = join(directory, "report.xml");
const status = run(
  process.execPath,
  "test",
  "--randomize",
  "--timeout=120000",
  "--reporter=junit",
  `--reporter-outfile=${report}`,
  ...process.argv.slice(2),
);
const counts = countsOf(readReport());
rmSync(directory, { recursive: true });
const failed = status !== 0 && counts.failed === 0 ? 1 : counts.failed;
console.log(
  `${counts.passed} passed, ${failed} failed${counts.skipped > 0 ? `, ${counts.skipped} skipped` : ""}`,
);
process.exit(failed > 0 || counts.passed === 0 ? 1 : 0);

function readReport(): string {
  try {
    return readFileSync(report, "utf8");
  } catch {
    return ""; // The runner died before it could report; that counts as a failure below.
  }
}

function countsOf(xml: string): { passed: number; failed: number; skipped: number } {
  const head = /<testsuites\b[^>]*>/.exec(xml)?.[0] ?? "";
  const figure = (name: string) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(head)?.[1] ?? 0);
  const failed = figure("failures") + figure("errors");
  const skipped = figure("skipped");
  return { passed: figure("tests") - failed - skipped, failed, skipped };
}
