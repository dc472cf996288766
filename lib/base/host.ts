import { AgnesError } from "./errors/mod.ts";
import { nodeFiles, type Files } from "./files.ts";
import { systemUser } from "./system-user.ts";
import { startTimer } from "./timer.ts";

/** The environment of Agnes (files, network, clocks, randomness), so that tests can replace any part of it. */
export interface Host {
  /** The wall clock; for display, never for ordering. */
  now(): Date;
  /** Milliseconds of a monotonic clock; for durations. */
  monotonicMs(): number;
  /** A number in [0, 1). */
  random(): number;
  /** Waits for milliseconds; rejects with `aborted` if the signal aborts first. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>;
  /** Sends all HTTP requests of connectors. */
  readonly fetch: typeof globalThis.fetch;
  /** The environment variables, in which secrets are looked up. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The file system. DuckDB itself opens the paths in SQL: databases, parts, and the files that it reads. */
  readonly files: Files;
  /** The name of the operating system's user who runs this process; `undefined` if the user has no name. */
  userName(): string | undefined;
}

/** Creates the real host, with any part replaced. */
export function createHost(overrides: Partial<Host> = {}): Host {
  return {
    now: () => new Date(),
    monotonicMs: () => performance.now(),
    random: () => Math.random(),
    sleep,
    fetch: (input, init) => globalThis.fetch(input, init),
    env: process.env,
    files: nodeFiles(),
    userName: systemUser,
    ...overrides,
  } as Host;
}

/** Returns an id that no other process creates, of `0-9a-z`. */
export function randomId(host: Pick<Host, "random">): string {
  return randomName(host, 24);
}

/** Returns `length` random characters of `0-9a-z`, for names of temporary files. */
export function randomName(host: Pick<Host, "random">, length = 8): string {
  return Array.from({ length }, () => Math.floor(host.random() * 36).toString(36)).join("");
}

function sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stopped = () => new AgnesError("aborted", { what: "waiting" }, { cause: signal?.reason });
    if (signal?.aborted === true) return reject(stopped());
    const abort = () => {
      stop();
      reject(stopped());
    };
    const stop = startTimer(durationMs, () => {
      signal?.removeEventListener("abort", abort);
      resolve();
    });
    signal?.addEventListener("abort", abort, { once: true });
  });
}
