import { Worker } from "node:worker_threads";

import { takeHandlersOnArrival } from "./signal-actions.ts";

/** How long JavaScript may be blocked before the watchdog acts. */
const STILL_MS = 1_000;
const BEAT_MS = 100;

/** When to end the process by force, the message to print, and the exit status. */
export interface FinalMessage {
  readonly atMs: number;
  readonly text: string;
  readonly status: number;
}

/**
 * Ends the process if code of a plugin blocks the only JavaScript thread, in which case no timer fires and no signal
 * handler runs. A separate thread then gives signals their default effect, including earlier ones, and enforces
 * deadlines.
 */
export interface Watchdog extends Disposable {
  /** Ends the process at a time if JavaScript is blocked then. Of several times, the earliest applies. */
  endAt(message: FinalMessage): void;
  /** Records that the handler of a signal has run, so the watchdog does not act on it. */
  signalHandled(): void;
}

/** Opens the watchdog. The handlers of SIGINT and SIGTERM must already be set. */
export function openWatchdog(): Watchdog {
  const actions = takeHandlersOnArrival();
  const beats = new Int32Array(new SharedArrayBuffer(4));
  const workerData: WatchData = {
    beats,
    stillMs: STILL_MS,
    beatMs: BEAT_MS,
    library: actions?.library ?? (process.platform === "win32" ? "msvcrt.dll" : "libc.so.6"),
    signals: actions?.signals ?? [],
  };
  const worker = new Worker(`(${watch.toString()})()`, { eval: true, workerData });
  worker.unref();
  // Without a watchdog, a blocked process is only harder to stop.
  worker.on("error", () => {});
  const beat = setInterval(() => Atomics.add(beats, 0, 1), BEAT_MS);
  beat.unref();
  return {
    endAt: (message) => worker.postMessage(message),
    signalHandled: () => actions?.restore(),
    [Symbol.dispose]() {
      clearInterval(beat);
      void worker.terminate();
    },
  };
}

interface WatchData {
  readonly beats: Int32Array;
  readonly stillMs: number;
  readonly beatMs: number;
  /** The C library. */
  readonly library: string;
  /** The signals whose handler is reset when they arrive. */
  readonly signals: readonly number[];
}

/** Runs in the other thread. It is passed as text, so it cannot use anything of this module. */
async function watch(): Promise<void> {
  const [threads, { dlopen }, { writeSync }] = await Promise.all([
    import("node:worker_threads"),
    import("bun:ffi"),
    import("node:fs"),
  ]);
  const { beats, stillMs, beatMs, library, signals } = threads.workerData as WatchData;
  let deadline: FinalMessage | null = null;
  threads.parentPort!.on("message", (message: FinalMessage) => {
    if (deadline === null || message.atMs < deadline.atMs) deadline = message;
  });
  const { _exit } = dlopen(library, { _exit: { args: ["int"], returns: "void" } }).symbols;
  const posix =
    signals.length === 0
      ? undefined
      : dlopen(library, {
          sigaction: { args: ["int", "ptr", "ptr"], returns: "int" },
          kill: { args: ["int", "int"], returns: "int" },
        }).symbols;
  // The handler is the first thing in it.
  const action = new BigInt64Array(32);
  let beat = -1;
  let beatAtMs = Date.now();
  setInterval(() => {
    const seen = Atomics.load(beats, 0);
    if (seen !== beat) {
      beat = seen;
      beatAtMs = Date.now();
      return;
    }
    if (Date.now() - beatAtMs < stillMs) return;
    if (deadline !== null && Date.now() >= deadline.atMs) {
      writeSync(2, deadline.text);
      _exit(deadline.status);
    }
    for (const signal of signals) {
      posix!.sigaction(signal, null, action);
      if (action[0] === 0n) posix!.kill(process.pid, signal);
    }
  }, beatMs);
}
