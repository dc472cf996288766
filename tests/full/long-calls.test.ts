import { execFile } from "node:child_process";
import { join } from "node:path";

import { expect, test } from "bun:test";

import { temporaryFolder } from "../sync/workspace.ts";
import { runCli, temporaryDirectory } from "../cmd/run-cli.ts";

const child = join(import.meta.dirname, "long-calls-child.ts");
const TIMEOUT_MS = 60_000;

/** What the child printed with so many threads in its pool and lost calls; it is killed when it does not end. */
async function run(poolThreads: number, lostCalls: number): Promise<unknown> {
  using folder = temporaryFolder();
  const env = { ...process.env, UV_THREADPOOL_SIZE: String(poolThreads) };
  const args = [child, String(lostCalls), folder.path];
  return await new Promise((resolve) => {
    execFile(process.execPath, args, { env, timeout: TIMEOUT_MS, killSignal: "SIGKILL" }, (error, stdout) =>
      resolve(error === null ? JSON.parse(stdout) : error.message),
    );
  });
}

// The pool of a library user on two cores has two threads in Bun.
test.each([
  [2, 1],
  [4, 2],
])(
  "with a pool of %i, queries after %i calls that cannot be stopped are answered",
  async (poolThreads, lostCalls) => {
    expect(await run(poolThreads, lostCalls)).toEqual({
      lost: Array.from({ length: lostCalls }, () => "timed_out"),
      later: [400_000, 10, 10],
      isFileRead: true,
    });
  },
  TIMEOUT_MS,
);

test(
  "when calls that cannot be stopped hold all threads but one, queries are refused and files are still read",
  async () => {
    expect(await run(4, 3)).toEqual({
      lost: ["timed_out", "timed_out", "timed_out"],
      later: ["duckdb_stuck", "duckdb_stuck", "duckdb_stuck"],
      isFileRead: true,
    });
  },
  TIMEOUT_MS,
);

/** Single calls of functions that take minutes on any machine, and look for no interrupt. */
const CALLS = [
  "SELECT regexp_matches(repeat('a', 99000000), repeat('(a?){0,900}', 10) || 'b')",
  "SELECT length(list_transform(range(9000), lambda x: list_sum(list_transform(range(9000), lambda y: list_sum(range(1000))))))",
  "SELECT repeat('a', 99000) LIKE repeat('%a', 20000) || 'b'",
];

test.each(CALLS)(
  "agnes query ends at its --timeout: %s",
  async (sql) => {
    using directory = temporaryDirectory();
    await runCli(["init"], { cwd: directory.path });
    const { status, stderr } = await runCli(["query", sql, "--timeout", "1"], {
      cwd: directory.path,
      alone: true,
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(/did not finish within 1 second|out of memory/i);
  },
  TIMEOUT_MS,
);
