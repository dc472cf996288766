import { Worker } from "node:worker_threads";

/** The interval at which a process looks for its parent. */
const EVERY_MS = 100;

let isWatched = false;

/**
 * Ends this process when its parent ends, even while its JavaScript thread is busy: a thread of its own watches the parent.
 * Bun does it too, by a setting of its environment; see `environment` in `worker-process.ts`. Repeated calls have no effect.
 */
export async function endWithParent(): Promise<void> {
  if (isWatched || process.versions["bun"] !== undefined) return;
  isWatched = true;
  const watch = new Worker(
    `setInterval(() => { if (process.ppid !== ${process.ppid}) process.kill(process.pid, "SIGKILL"); }, ${EVERY_MS});`,
    { eval: true, env: {}, stdin: true },
  );
  await new Promise<void>((resolve, reject) => {
    watch.once("online", resolve);
    watch.once("error", reject);
  });
  watch.unref();
}
