import { describe, expect, test } from "bun:test";

import { AgnesError } from "agnes/kit";

import { Semaphore } from "../../plugins/keboola/api/semaphore.ts";
import { SharedCall } from "../../plugins/keboola/api/shared-call.ts";
import { rejection } from "./support.ts";

const never = new AbortController().signal;

describe("SharedCall", () => {
  test("get() calls once for all callers, and again after a failure", async () => {
    let calls = 0;
    const shared = new SharedCall(async () => {
      calls += 1;
      if (calls === 1) throw new Error("first");
      return calls;
    });
    const both = await Promise.allSettled([shared.get(never), shared.get(never)]);
    expect(both.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(await Promise.all([shared.get(never), shared.get(never)])).toEqual([2, 2]);
    expect(await shared.get(never)).toBe(2);
  });

  test("get() repeats a call that another caller stopped", async () => {
    let calls = 0;
    const stop = new AbortController();
    const shared = new SharedCall(async (signal) => {
      calls += 1;
      await new Promise((resolve) => setImmediate(resolve));
      if (signal.aborted) throw new AgnesError("aborted", { what: "the call" });
      return calls;
    });
    const stopped = rejection(shared.get(stop.signal));
    const other = shared.get(never);
    stop.abort();
    expect(await stopped).toMatchObject({ code: "aborted" });
    expect(await other).toBe(2);
  });
});

describe("Semaphore", () => {
  test("take() gives what is free, and waits for the first place", async () => {
    const semaphore = new Semaphore(8);
    const one = await semaphore.take(4, never);
    const two = await semaphore.take(6, never);
    expect([one.count, two.count]).toEqual([4, 4]);
    let third: number | undefined;
    const waiting = semaphore.take(4, never).then((places) => {
      third = places.count;
      return places;
    });
    await Promise.resolve();
    expect(third).toBeUndefined();
    one.release();
    one.release();
    expect((await waiting).count).toBe(4);
  });

  test("take() stops waiting when it is aborted, without losing a place", async () => {
    const semaphore = new Semaphore(1);
    const one = await semaphore.take(1, never);
    const stop = new AbortController();
    const stopped = rejection(semaphore.take(1, stop.signal));
    const next = semaphore.take(1, never);
    stop.abort(new Error("stopped"));
    expect((await stopped).message).toBe("stopped");
    one.release();
    expect((await next).count).toBe(1);
    expect((await rejection(semaphore.take(1, AbortSignal.abort(new Error("late"))))).message).toBe("late");
  });
});
