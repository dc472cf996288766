import { expect, test } from "bun:test";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { AgnesError, nodeFiles } from "../../../lib/base/mod.ts";
import { Job } from "../../../lib/query/workers/job.ts";
import { WorkerProcess } from "../../../lib/query/workers/worker-process.ts";
import { until } from "./isolated.ts";

/** A process that returns the limits of each task at once, and whether it was idle at each call of `onIdle`. */
async function started() {
  const idle: boolean[] = [];
  const worker: WorkerProcess = new WorkerProcess({
    command: [process.execPath, join(import.meta.dir, "fake-worker.ts")],
    directory: tmpdir(),
    open: { type: "open", dataDirectory: tmpdir(), limits: {}, home: null },
    graceMs: 100,
    monotonicMs: () => performance.now(),
    onIdle: () => idle.push(worker.isIdle),
    onSource: () => true,
    onEnd: () => {},
  });
  await until(() => worker.isIdle);
  return { worker, idle };
}

function newJob(timeoutMs: number, table = "orders"): Job {
  const task = { kind: "describe", table } as const;
  const space = {
    files: nodeFiles(),
    newPath: async () => "",
    memoryBytes: 0,
    filesBytes: 0,
    usedBytes: 0,
    stalledMs: 60_000,
  };
  return new Job(
    { task, access: null, limits: {}, format: null },
    { principal: null, timeoutMs, signal: undefined, space, remote: null },
  );
}

test("a killed worker takes no query, even if its last message arrives after that", async () => {
  const { worker, idle } = await started();
  worker.run(newJob(10_000));
  // The task leaves, and the message arrives in the pipe, where nobody reads it yet.
  await new Promise((resolve) => setImmediate(resolve));
  Bun.sleepSync(300);
  worker.kill(new AgnesError("query_memory_exceeded", { limitMb: 1 }));
  await worker.ended;
  await Bun.sleep(20);
  expect(idle[0]).toBe(true);
  expect(idle.slice(1)).not.toContain(true);
  expect(worker.isIdle).toBe(false);
});

test("a worker takes the next query after one whose last rows found no room", async () => {
  const { worker } = await started();
  for (const table of ["many", "many", "orders"]) {
    const job = newJob(10_000, table);
    worker.run(job);
    await job.started;
    await until(() => worker.isIdle, 5000);
    job.close();
  }
  worker.kill();
  await worker.ended;
});

test("a worker whose rows wait for room is stopped without being killed", async () => {
  const { worker } = await started();
  const job = newJob(10_000, "endless");
  let taken = 0;
  const take = job.take.bind(job);
  job.take = (bytes) => {
    taken += bytes.length;
    return take(bytes);
  };
  job.started.catch(() => {});
  worker.run(job);
  await until(() => taken === 2);
  worker.stop(60_000);
  await until(() => worker.isIdle, 5000);
  job.close();
  worker.kill();
  await worker.ended;
});

test("a query without a timeout has none in its worker", async () => {
  const { worker } = await started();
  const job = newJob(Infinity);
  worker.run(job);
  expect(await job.started).toEqual({ timeoutMs: Number.MAX_SAFE_INTEGER } as never);
  worker.kill();
  await worker.ended;
});
