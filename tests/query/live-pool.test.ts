import { execFile } from "node:child_process";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "bun:test";

import { temporaryFolder } from "../sync/workspace.ts";

const child = join(import.meta.dirname, "live-pool-child.ts");
const built = temporaryFolder();
const forNode = join(built.path, "live-pool-child.js");
const TIMEOUT_MS = 30_000;

beforeAll(async () => {
  await Bun.build({
    entrypoints: [child],
    target: "node",
    format: "cjs",
    external: ["@duckdb/*"],
    outdir: built.path,
  });
});

afterAll(() => built[Symbol.dispose]());

/** Returns the output of the child with a pool of this size; kills it at a timeout. */
async function run(runtime: string, work: string, poolThreads: number): Promise<string> {
  using folder = temporaryFolder();
  const [command, file] = runtime === "Bun" ? [process.execPath, child] : ["node", forNode];
  const env = {
    ...process.env,
    UV_THREADPOOL_SIZE: String(poolThreads),
    NODE_PATH: join(import.meta.dirname, "../../node_modules"),
  };
  return await new Promise((resolve) => {
    execFile(
      command,
      [file, work, folder.path],
      { env, timeout: TIMEOUT_MS - 2000, killSignal: "SIGKILL" },
      (error, stdout, stderr) =>
        resolve(error === null ? stdout : `${stdout}${stderr}${error.killed === true ? "killed" : ""}`),
    );
  });
}

test.each([
  ["Bun", 2],
  ["Bun", 4],
  ["Node", 2],
  ["Node", 4],
] as const)(
  "queries over local and live tables in any combination answer at once in %s, with a pool of %d",
  async (runtime, poolThreads) => {
    expect(await run(runtime, "answers", poolThreads)).toBe("done");
  },
  TIMEOUT_MS,
);

test.each(["Bun", "Node"] as const)(
  "a statement that would stop the event loop of %s is refused",
  async (runtime) => {
    expect(await run(runtime, "refuses", 4)).toBe("internal");
  },
  TIMEOUT_MS,
);
