/**
 * Runs the tests and closes with what failed and the plain count `N passed, N failed`, taken from the runner's own
 * report: all but the slow ones of tests/full; with `--full` those alone, with `--all` both, one after the other. In
 * tests/full a check that cannot run fails, and so does one that is skipped.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { run } from "./run.ts";

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

interface Outcome extends Counts {
  /** Place, name and first line of the error of each test that failed. */
  readonly failures: readonly string[];
}

/**
 * Three files at a time, since many tests wait: for processes, timeouts and disks. Each process goes on with its modules from
 * file to file, which saves loading them again.
 */
const TOGETHER = ["--parallel=3", "--no-isolate"];

const [first, ...others] = process.argv.slice(2);
const suites = { "--full": ["full"], "--all": ["usual", "full"] }[first ?? ""] ?? ["usual"];
const parameters = first === "--full" || first === "--all" ? others : process.argv.slice(2);
const outcomes = suites.map((suite) => runSuite(suite === "full"));
const total = (name: keyof Counts) => outcomes.reduce((sum, outcome) => sum + outcome[name], 0);
for (const failure of outcomes.flatMap(({ failures }) => failures)) console.log(failure);
const [passed, failed, skipped] = [total("passed"), total("failed"), total("skipped")];
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exit(failed > 0 || outcomes.some((outcome) => outcome.passed === 0) ? 1 : 0);

function runSuite(isFull: boolean): Outcome {
  const directory = mkdtempSync(join(tmpdir(), "agnes-test-"));
  const report = join(directory, "report.xml");
  process.env["AGNES_TEST_FOLDER"] = directory;
  const status = run(
    process.execPath,
    "test",
    "--randomize",
    ...TOGETHER,
    `--timeout=${isFull ? 600_000 : 120_000}`,
    "--reporter=junit",
    `--reporter-outfile=${report}`,
    ...(isFull ? ["tests/full/"] : ["--path-ignore-patterns=tests/full/**"]),
    ...parameters,
  );
  const xml = readReport(report);
  const found = countsOf(xml);
  rmSync(directory, { recursive: true, force: true });
  const broken = found.failed + (isFull ? found.skipped : 0);
  return { ...found, failed: status !== 0 && broken === 0 ? 1 : broken, failures: failuresOf(xml) };
}

function readReport(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // The runner died before it could report; that counts as a failure above.
  }
}

function countsOf(xml: string): Counts {
  const head = /<testsuites\b[^>]*>/.exec(xml)?.[0] ?? "";
  const figure = (name: string) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(head)?.[1] ?? 0);
  const failed = figure("failures") + figure("errors");
  const skipped = figure("skipped");
  return { passed: figure("tests") - failed - skipped, failed, skipped };
}

function failuresOf(xml: string): string[] {
  const cases = xml.matchAll(/<testcase ([^>]*[^/])>\s*<(?:failure|error) ([^>]*)>/g);
  return Array.from(cases, ([, test = "", error = ""]) => {
    const attribute = (of: string, name: string) =>
      unescapeXml(new RegExp(`\\b${name}="([^"]*)"`).exec(of)?.[1] ?? "");
    const [message = ""] = attribute(error, "message").split("\n");
    return `failed: ${attribute(test, "file")}:${attribute(test, "line")} ${attribute(test, "name")}: ${message}`;
  });
}

function unescapeXml(text: string): string {
  const characters: Readonly<Record<string, string>> = {
    lt: "<",
    gt: ">",
    quot: '"',
    apos: "'",
    "#10": "\n",
    amp: "&",
  };
  return text.replaceAll(/&(#?\w+);/g, (entity, name: string) => characters[name] ?? entity);
}
