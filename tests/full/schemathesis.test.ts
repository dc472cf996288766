/**
 * Schemathesis makes thousands of requests from `/openapi.json` of a running server, valid and invalid ones, and checks
 * each response against the document. `schemathesis.toml` has its settings.
 */
import { expect, test } from "bun:test";
import { copyFileSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { python } from "./python.ts";
import { serveWorkspace } from "./served-workspace.ts";

interface Run {
  readonly role: "admin" | "analyst";
  readonly phases: string;
  /** The maximum number of random requests of each operation, or of random sequences. */
  readonly examples: number;
}

interface Report {
  readonly complete: boolean;
  readonly operations: { readonly tested: number; readonly errored: number };
  readonly test_cases: { readonly generated: number; readonly with_failures: number };
}

/** Runs Schemathesis on a server of its own. @throws with its findings */
async function schemathesis({ role, phases, examples }: Run) {
  await using served = await serveWorkspace();
  const { directory, url, tokens } = served;
  for (const name of ["schemathesis.toml", "schemathesis-hooks.py"])
    copyFileSync(join(import.meta.dir, name), join(directory, name));
  const program = join(dirname(python()), "schemathesis");
  const report = join(directory, "report.json");
  const bounds = ["--phases", phases, "--max-examples", String(examples)];
  const child = Bun.spawn(
    [program, "run", `${url}/openapi.json`, ...bounds, "--no-color", "--report-json-path", report],
    {
      cwd: directory,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "inherit",
      env: {
        ...process.env,
        AGNES_TOKEN: tokens[role],
        AGNES_STATEFUL: phases === "stateful" ? "1" : "0",
      },
    },
  );
  const [text, status] = await Promise.all([new Response(child.stdout).text(), child.exited]);
  if (status !== 0) throw new Error(text);
  const log = readFileSync(join(directory, "serve.log"), "utf8");
  return {
    text,
    report: JSON.parse(readFileSync(report, "utf8")) as Report,
    errors: log.split("\n").filter((line) => line.includes('"level":"error"')),
  };
}

test("as an administrator, each response is as documented, and none is 5xx", async () => {
  const phases = "examples,coverage,fuzzing";
  const { report, errors } = await schemathesis({ role: "admin", phases, examples: 12 });
  expect({ errors, ...report.operations }).toMatchObject({ errors: [], errored: 0 });
  expect(report.operations.tested).toBeGreaterThanOrEqual(30);
  expect(report.test_cases.generated).toBeGreaterThan(2500);
});

test("as an analyst, each response is as documented, and none is 5xx", async () => {
  const phases = "examples,coverage,fuzzing";
  const { report, errors } = await schemathesis({ role: "analyst", phases, examples: 3 });
  expect({ errors, ...report.operations }).toMatchObject({ errors: [], errored: 0 });
  expect(report.test_cases.generated).toBeGreaterThan(1500);
});

test("sequences of requests follow all links, and what is deleted is gone", async () => {
  const { text, report, errors } = await schemathesis({
    role: "admin",
    phases: "stateful",
    examples: 60,
  });
  expect(errors).toEqual([]);
  expect(report.test_cases.generated).toBeGreaterThan(200);
  // Register, return, change, unregister; run, return, cancel; list and return. No source of the workspace can write, so the two
  // links of a push are not followed.
  const [, covered, all] = /API Links: +(\d+) covered \/ (\d+) selected/.exec(text) ?? [];
  expect([Number(all), Number(covered)]).toEqual([11, 9]);
});
