import { Worker } from "node:worker_threads";

/** The interval at which a process looks for its parent. */
const EVERY_MS = 100;

let isWatched = false;

/**
 * Ends this process when its parent ends, even while its JavaScript thread is busy: a thread of its own watches the parent.
 * Bun does it too, by a setting of its environment; see `DIES_WITH_PARENT`. Repeated calls have no effect.
 *
 * @param options.isGroup whether this process leads a group of processes, which then ends too. Default: `false`
 */
export async function endWithParent({ isGroup = false }: { readonly isGroup?: boolean } = {}): Promise<void> {
  if (isWatched || process.versions["bun"] !== undefined) return;
  isWatched = true;
  const watch = new Worker(
    `setInterval(() => { if (process.ppid !== ${process.ppid}) process.kill(${isGroup ? "-" : ""}process.pid, "SIGKILL"); }, ${EVERY_MS});`,
    { eval: true, env: {}, stdin: true },
  );
  await new Promise<void>((resolve, reject) => {
    watch.once("online", resolve);
    watch.once("error", reject);
  });
  watch.unref();
}
