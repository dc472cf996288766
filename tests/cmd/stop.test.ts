import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync, watch, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { runCli } from "./run-cli.ts";

const MAIN = join(import.meta.dir, "..", "..", "cmd", "main.ts");
const directory = mkdtempSync(join(tmpdir(), "agnes-stop-"));

/**
 * A live table `call` that is inside one call of DuckDB for minutes, one `deaf` that hears no signal, and one `spin` that
 * never gives its thread back.
 */
const PLUGIN = `
import { writeFileSync } from "node:fs";
import { definePlugin, int64, table } from "agnes/kit";
import * as v from "valibot";
if (process.env.IMPORT_HANGS !== undefined) await new Promise(() => setInterval(() => {}, 1000));
if (process.env.IMPORT_SPINS !== undefined) {
  writeFileSync("started-import", "");
  for (;;);
}
const CALL = "SELECT levenshtein(repeat('a', 2000000), repeat('b', 2000000))::BIGINT AS id";
export default definePlugin({
  name: "endless", version: "1.0.0", description: "Rows that never come", capabilities: ["discover", "read"],
  options: v.strictObject({}), secrets: {},
  connect: ({ duckdb, resolvePath }, hasRead = false) => ({
    async discover() {
      if (process.env.DEAF !== undefined) {
        hasRead = true;
        writeFileSync(resolvePath("started-discover"), "");
        await new Promise(() => setInterval(() => {}, 1000));
      }
      return ["call", "deaf", "spin"].map((name) => table(name, { id: int64() }));
    },
    async *read({ name }) {
      hasRead = true;
      const answer = name === "call" ? duckdb.query(CALL) : new Promise(() => setInterval(() => {}, 1000));
      writeFileSync(resolvePath("started-" + name), "");
      while (name === "spin");
      yield* (await answer).batches;
    },
    close: () => (hasRead ? new Promise(() => {}) : undefined),
  }),
});
`;

beforeAll(async () => {
  mkdirSync(join(directory, "plugins"));
  writeFileSync(join(directory, "plugins", "endless.ts"), PLUGIN);
  writeFileSync(join(directory, "agnes.yaml"), "version: 1\nsources:\n  s: { plugin: endless }\n");
  for (const name of ["call", "deaf", "spin"]) {
    const { status, stderr } = await runCli(["table", "register", "s", name, "--mode", "remote"], {
      cwd: directory,
    });
    if (status !== 0) throw new Error(stderr);
  }
  const { status, stderr } = await runCli(["sync", "--quiet"], { cwd: directory });
  if (status !== 0) throw new Error(stderr);
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

function start(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = Bun.spawn([process.execPath, MAIN, ...args], {
    cwd: directory,
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, ...env },
  });
  return {
    child,
    get ended() {
      return Promise.all([child.exited, new Response(child.stderr).text()]);
    },
  };
}

test.each(["call", "deaf", "spin"])(
  "agnes query ends at its --timeout, even if work still runs: %s",
  async (name) => {
    const [status, stderr] = await start(["query", `SELECT * FROM ${name}`, "--timeout", "1"]).ended;
    expect(stderr).toContain("timed_out");
    expect(status).toBe(1);
  },
);

test.each(["IMPORT_HANGS", "IMPORT_SPINS"])(
  "agnes query ends at its --timeout while a plugin loads: %s",
  async (name) => {
    const [status, stderr] = await start(["query", "SELECT 1", "--timeout", "1"], { [name]: "1" }).ended;
    expect(stderr).toContain("the query did not finish within 1 second");
    expect(status).toBe(1);
  },
);

test.each([
  ["call", "SIGINT", ["query", "SELECT * FROM call"], {}],
  ["deaf", "SIGTERM", ["query", "SELECT * FROM deaf"], {}],
  ["discover", "SIGINT", ["connector", "discover", "s"], { DEAF: "1" }],
] as const)("agnes in an endless %s ends at one %s", async (name, signal, args, env) => {
  const started = join(directory, `started-${name}`);
  rmSync(started, { force: true });
  const { child, ended } = start(args, env);
  await untilThere(started);
  child.kill(signal);
  const [status, stderr] = await ended;
  expect(stderr).toContain("aborted");
  expect(status).toBe(1);
});

test.each([
  ["spin", "SIGINT", ["query", "SELECT * FROM spin"], {}],
  ["import", "SIGTERM", ["sync"], { IMPORT_SPINS: "1" }],
] as const)(
  "code of a plugin that computes for ever, in %s, ends at one %s",
  async (name, signal, args, env) => {
    const started = join(directory, `started-${name}`);
    rmSync(started, { force: true });
    const { child } = start(args, env);
    await untilThere(started);
    child.kill(signal);
    await child.exited;
    expect(child.signalCode).toBe(signal);
  },
);

test.each([
  ["SIGINT", "SIGINT", 130],
  ["SIGTERM", "SIGTERM", 143],
  ["SIGINT", "SIGTERM", 143],
  ["SIGTERM", "SIGINT", 130],
] as const)(
  "agnes ends at once at a second signal, with its status: %s, %s",
  async (first, second, expected) => {
    const started = join(directory, "started-deaf");
    rmSync(started, { force: true });
    const { child } = start(["query", "SELECT * FROM deaf"]);
    await untilThere(started);
    child.kill(first);
    let stderr = "";
    for await (const bytes of child.stderr) {
      stderr += Buffer.from(bytes).toString();
      if (stderr.includes("stopping")) child.kill(second);
    }
    expect([stderr.includes("aborted"), await child.exited, child.signalCode]).toEqual([
      false,
      expected,
      null,
    ]);
  },
  20_000,
);

async function untilThere(path: string): Promise<void> {
  const changes = watch(directory);
  const there = new Promise<void>((resolve) => changes.on("change", () => existsSync(path) && resolve()));
  if (!existsSync(path)) await there;
  changes.close();
}
