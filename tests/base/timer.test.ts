import { expect, spyOn, test } from "bun:test";

import {
  createHost,
  isAgnesError,
  raceTimeout,
  StallTimer,
  startTimer,
  withTimeout,
} from "../../lib/base/mod.ts";

const LONGEST_MS = 2 ** 31 - 1;

/** Runs with a fake `setTimeout` that rejects delays which a real one would treat as zero. */
function withFakeTimer(work: (fire: () => number) => void): void {
  const real = globalThis.setTimeout;
  let next: { readonly action: () => void; readonly delayMs: number } | undefined;
  globalThis.setTimeout = ((action: () => void, delayMs: number) => {
    expect(delayMs).toBeLessThanOrEqual(LONGEST_MS);
    next = { action, delayMs };
    return real(() => {}, 0);
  }) as unknown as typeof setTimeout;
  try {
    work(() => {
      const { action, delayMs } = next!;
      action();
      return delayMs;
    });
  } finally {
    globalThis.setTimeout = real;
  }
}

test("startTimer() waits longer than the limit of one timer", () => {
  withFakeTimer((fire) => {
    let fired = 0;
    startTimer(2 * LONGEST_MS + 5, () => (fired += 1));
    expect([fire(), fired, fire(), fired, fire(), fired]).toEqual([LONGEST_MS, 0, LONGEST_MS, 0, 5, 1]);
  });
});

test("startTimer() never fires for an infinite delay", () => {
  withFakeTimer((fire) => {
    startTimer(Infinity, () => expect.unreachable());
    expect([fire(), fire(), fire()]).toEqual([LONGEST_MS, LONGEST_MS, LONGEST_MS]);
  });
});

test.each([2_147_483_648, 9_999_999_000, Number.MAX_SAFE_INTEGER])(
  "a time limit of %d ms does not fire at once",
  (limitMs) => {
    withFakeTimer((fire) => {
      using limit = withTimeout("the query", limitMs);
      fire();
      expect(limit.signal.aborted).toBe(false);
      void raceTimeout(new Promise(() => {}), limitMs, () => expect.unreachable());
      fire();
      void createHost()
        .sleep(limitMs)
        .then(() => expect.unreachable());
      fire();
    });
  },
);

test("StallTimer counts from its first start, and needs one timer for many starts", () => {
  let [nowMs, timers, fired] = [0, 0, 0];
  let action: (() => void) | null = null;
  const real = [globalThis.setTimeout, globalThis.clearTimeout] as const;
  globalThis.setTimeout = ((next: () => void) => {
    timers += 1;
    action = next;
  }) as unknown as typeof setTimeout;
  globalThis.clearTimeout = (() => (action = null)) as unknown as typeof clearTimeout;
  const clock = spyOn(performance, "now").mockImplementation(() => nowMs);
  try {
    const timer = new StallTimer(100, () => (fired += 1));
    for (; nowMs < 90; nowMs += 10) {
      timer.stop();
      timer.start();
    }
    // The last start was at 80 ms; a start while it waits is none.
    nowMs = 100;
    timer.start();
    action!();
    expect([timers, fired]).toEqual([2, 0]);
    nowMs = 180;
    action!();
    expect([timers, fired]).toEqual([2, 1]);
    timer.start();
    timer.stop();
    nowMs = 1000;
    action!();
    expect([timers, fired]).toEqual([3, 1]);
    timer.start();
    timer.close();
    expect([action, timers, fired]).toEqual([null, 4, 1]);
  } finally {
    [globalThis.setTimeout, globalThis.clearTimeout] = real;
    clock.mockRestore();
  }
});

test("sleep() of the host ends with its signal, and fails with an aborted one", async () => {
  const controller = new AbortController();
  const sleeping = createHost().sleep(1_000_000, controller.signal);
  controller.abort();
  for (const one of [sleeping, createHost().sleep(1, controller.signal)]) {
    const error = await one.catch((thrown: unknown) => thrown);
    expect(isAgnesError(error, "aborted")).toBe(true);
  }
});
