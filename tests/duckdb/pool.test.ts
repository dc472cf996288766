import { execFile } from "node:child_process";
import { join } from "node:path";

import { expect, test } from "bun:test";

import { Gate } from "../../lib/duckdb/gate.ts";
import { rejection, temporaryDirectory } from "./support.ts";

const child = join(import.meta.dirname, "pool-child.ts");
const DONE = "done 180000\n";

/** Returns the output of the child process with two pool threads, which is killed after `timeoutMs`. */
function run(
  command: string,
  file: string,
  mode: string,
  directory: string,
  timeoutMs: number,
): Promise<string> {
  const env = {
    ...process.env,
    UV_THREADPOOL_SIZE: "2",
    NODE_PATH: join(import.meta.dirname, "../../node_modules"),
  };
  return new Promise((resolve) => {
    execFile(
      command,
      [file, mode, directory],
      { env, timeout: timeoutMs, killSignal: "SIGKILL" },
      (error, stdout, stderr) =>
        resolve(error === null ? stdout : `${stdout}${stderr}${error.killed === true ? "killed" : ""}`),
    );
  });
}

test("copyToParquet() of twelve sources that each use the pool ends in Bun when the pool has two threads", async () => {
  await using directory = await temporaryDirectory();
  expect(await run(process.execPath, child, "ours", directory.path, 20_000)).toBe(DONE);
});

test("copyToParquet() of twelve sources that each use the pool ends in Node when the pool has two threads", async () => {
  await using directory = await temporaryDirectory();
  const built = await Bun.build({
    entrypoints: [child],
    target: "node",
    format: "cjs",
    external: ["@duckdb/*"],
    outdir: directory.path,
  });
  expect(await run("node", built.outputs[0]!.path, "ours", directory.path, 20_000)).toBe(DONE);
});

test("the same work on the pool never ends, so these tests can fail", async () => {
  await using directory = await temporaryDirectory();
  expect(await run(process.execPath, child, "naive", directory.path, 2000)).toBe("killed");
});

test("Gate admits work up to its capacity, in order, and drops aborted work", async () => {
  const gate = new Gate(1);
  const [first, second, third] = [gate.place("a"), gate.place("b"), gate.place("c")];
  const order: string[] = [];
  await first.acquire();
  const controller = new AbortController();
  const givingUp = rejection(second.acquire(controller.signal));
  const waiting = third.acquire().then(() => order.push("third"));
  controller.abort();
  expect((await givingUp).code).toBe("aborted");
  expect(order).toEqual([]);
  first.release();
  first.release();
  await waiting;
  expect(order).toEqual(["third"]);
  const after = gate.place("d");
  const queued = after.acquire().then(() => order.push("after"));
  await Promise.resolve();
  expect(order).toEqual(["third"]);
  third.release();
  await queued;
  expect(order).toEqual(["third", "after"]);
});

test("Gate releases the place of work that does not stop after an abort, once", async () => {
  const gate = new Gate(1, { lostMs: 5 });
  const [stuck, next, last] = [gate.place("a"), gate.place("b"), gate.place("c")];
  const controller = new AbortController();
  await stuck.acquire(controller.signal);
  controller.abort();
  await next.acquire();
  stuck.release();
  const order: string[] = [];
  const waiting = last.acquire().then(() => order.push("last"));
  await Promise.resolve();
  expect(order).toEqual([]);
  next.release();
  await waiting;
});
