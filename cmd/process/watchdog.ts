import { Worker } from "node:worker_threads";

/** How long JavaScript may stand still before nothing of ours is expected to run. */
const STILL_MS = 1_000;
const BEAT_MS = 100;

/** What is printed, and the exit status, when the process is ended by force. */
interface FinalMessage {
  readonly text: string;
  readonly status: number;
}

/**
 * Ends the process when code of a plugin holds the only thread that JavaScript has: then no timer fires and no handler
 * of a signal runs. A thread of its own gives the signals back their usual effect as long as that is so, and keeps
 * deadlines.
 */
export interface Watchdog extends Disposable {
  /** Ends the process at a time if JavaScript stands still then. */
  endAt(atMs: number, message: FinalMessage): void;
}

/** @param renewHandlers takes the handlers of SIGINT and SIGTERM away and sets them again */
export function openWatchdog(renewHandlers: () => void): Watchdog {
  /** Beats, and whether signals have their usual effect. */
  const shared = new Int32Array(new SharedArrayBuffer(8));
  const worker = new Worker(`(${watch.toString()})()`, {
    eval: true,
    workerData: { shared, stillMs: STILL_MS, beatMs: BEAT_MS, platform: process.platform },
  });
  worker.unref();
  // Without it the process is only harder to stop.
  worker.on("error", () => {});
  const beat = setInterval(() => {
    Atomics.add(shared, 0, 1);
    if (Atomics.compareExchange(shared, 1, 1, 0) === 1) renewHandlers();
  }, BEAT_MS);
  beat.unref();
  return {
    endAt: (atMs, message) => worker.postMessage({ atMs, ...message }),
    [Symbol.dispose]() {
      clearInterval(beat);
      void worker.terminate();
    },
  };
}

interface WatchData {
  readonly shared: Int32Array;
  readonly stillMs: number;
  readonly beatMs: number;
  readonly platform: string;
}

/** Runs in the other thread, as text: it sees nothing of this module. */
async function watch(): Promise<void> {
  const [threads, { dlopen }, { writeSync }] = await Promise.all([
    import("node:worker_threads"),
    import("bun:ffi"),
    import("node:fs"),
  ]);
  const { shared, stillMs, beatMs, platform } = threads.workerData as WatchData;
  const library =
    platform === "darwin" ? "libSystem.dylib" : platform === "win32" ? "msvcrt.dll" : "libc.so.6";
  const { symbols } = dlopen(library, {
    _exit: { args: ["int"], returns: "void" },
    signal: { args: ["int", "ptr"], returns: "ptr" },
  });
  let deadline: { atMs: number; text: string; status: number } | null = null;
  threads.parentPort!.on("message", (message) => (deadline = message));
  let beats = -1;
  let beatAtMs = Date.now();
  setInterval(() => {
    const seen = Atomics.load(shared, 0);
    if (seen !== beats) {
      beats = seen;
      beatAtMs = Date.now();
      return;
    }
    if (Date.now() - beatAtMs < stillMs) return;
    if (deadline !== null && Date.now() >= deadline.atMs) {
      writeSync(2, deadline.text);
      symbols._exit(deadline.status);
    }
    if (Atomics.compareExchange(shared, 1, 0, 1) !== 0) return;
    for (const signal of [2, 15]) symbols.signal(signal, null);
  }, beatMs);
}
