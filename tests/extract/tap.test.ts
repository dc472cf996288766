import { afterEach, expect, jest, test } from "bun:test";

import { openTap } from "../../lib/extract/read/tap.ts";

afterEach(() => void jest.useRealTimers());

test("alive() starts the idle time of a read again, which then still ends", async () => {
  jest.useFakeTimers();
  const pending: AsyncIterable<never, void> = {
    [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }),
  };
  const { signal } = new AbortController();
  const tap = openTap(pending, { source: "crm", table: "orders", signal, idleTimeoutMs: 1000 });
  let outcome: unknown = "waiting";
  const next = tap.next().catch((error: unknown) => void (outcome = error));
  await Promise.resolve();
  jest.advanceTimersByTime(900);
  tap.alive();
  jest.advanceTimersByTime(900);
  await Promise.resolve();
  expect(outcome).toBe("waiting");
  jest.advanceTimersByTime(101);
  await next;
  expect(outcome).toMatchObject({ code: "source_stalled" });
});
