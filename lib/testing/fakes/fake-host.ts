import { AgnesError, createHost, type Host } from "../../base/mod.ts";

/** Options of a fake host. */
export interface FakeHostOptions extends Partial<Omit<Host, "now" | "monotonicMs" | "random" | "sleep">> {
  /** The start time of the clock. Default: 2026-01-01 00:00 UTC. */
  readonly startsAt?: Date;
  /** The seed of `random`. Default: 1. */
  readonly seed?: number;
}

/** A host whose clock only advances by `sleep` and `advance`. */
export interface FakeHost extends Host {
  /** Advances the clock. */
  advance(durationMs: number): void;
  /** All calls of `sleep`, in milliseconds. */
  readonly sleeps: readonly number[];
}

/**
 * Creates a host for tests: a controlled clock, repeatable random numbers, an empty environment and no network.
 *
 * `sleep` returns immediately and advances the clock, so backoff and schedules do not wait. By default the file system
 * is the real one and `fetch` rejects.
 *
 * @example
 * ```ts
 * import { fakeHost } from "agnes/testing";
 * const host = fakeHost({ startsAt: new Date("2026-05-01T00:00:00Z"), seed: 7, env: { CRM_TOKEN: "abc" } });
 * await host.sleep(60_000);
 * host.now().toISOString(); // "2026-05-01T00:01:00.000Z"
 * ```
 */
export function fakeHost(options: FakeHostOptions = {}): FakeHost {
  const { startsAt = new Date("2026-01-01T00:00:00Z"), seed = 1, ...parts } = options;
  const sleeps: number[] = [];
  let elapsedMs = 0;
  const advance = (durationMs: number) => {
    elapsedMs += durationMs;
  };
  const host = createHost({
    env: {},
    fetch: offline,
    userName: () => undefined,
    ...parts,
    now: () => new Date(startsAt.getTime() + elapsedMs),
    monotonicMs: () => elapsedMs,
    random: seededRandom(seed),
    async sleep(durationMs, signal) {
      // One turn of the event loop, so that a loop of sleeps cannot starve other work.
      await new Promise((resolve) => setImmediate(resolve));
      if (signal?.aborted === true)
        throw new AgnesError("aborted", { what: "waiting" }, { cause: signal.reason });
      sleeps.push(durationMs);
      advance(durationMs);
    },
  });
  return { ...host, advance, sleeps };
}

/** Returns a generator of numbers in [0, 1), deterministic for each seed. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}

const offline = (() =>
  Promise.reject(
    new TypeError("this test has no network; pass a fetch to fakeHost"),
  )) as unknown as typeof fetch;
