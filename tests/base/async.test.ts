import { describe, expect, test } from "bun:test";

import {
  afterAbort,
  AgnesError,
  atMost,
  linkedController,
  Mutex,
  raceAbort,
  raceTimeout,
  withDeadline,
} from "../../lib/base/mod.ts";

const never = new Promise<never>(() => {});

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    (value) => `resolved with ${String(value)}`,
    (error: unknown) => error,
  );
}

describe("linkedController()", () => {
  test("linkedController() aborts with the outer signal and its reason, also if that is already aborted", () => {
    const outer = new AbortController();
    using inner = linkedController(outer.signal);
    const reason = new Error("stop");
    outer.abort(reason);
    expect(inner.signal.reason).toBe(reason);
    using late = linkedController(outer.signal);
    expect(late.signal.reason).toBe(reason);
  });

  test("linkedController() does not abort the outer signal, and ignores it once disposed", () => {
    const outer = new AbortController();
    const first = linkedController(outer.signal);
    first.abort("own");
    expect([first.signal.reason, outer.signal.aborted]).toEqual(["own", false]);
    const second = linkedController(outer.signal);
    second[Symbol.dispose]();
    outer.abort();
    expect(second.signal.aborted).toBe(false);
  });
});

describe("raceAbort()", () => {
  test("raceAbort() returns the result of the work, and throws its error", async () => {
    const { signal } = new AbortController();
    expect(await raceAbort(Promise.resolve(1), signal, "the work")).toBe(1);
    expect(await failureOf(raceAbort(Promise.reject(new Error("broken")), signal, "the work"))).toEqual(
      new Error("broken"),
    );
  });

  test("raceAbort() ends with the signal even if the work does not, before or after the start", async () => {
    const before = AbortSignal.abort();
    expect(await failureOf(raceAbort(never, before, "the work"))).toMatchObject({
      code: "aborted",
      details: { what: "the work" },
    });
    const stop = new AbortController();
    const racing = failureOf(raceAbort(never, stop.signal, "the work"));
    const reason = new AgnesError("timed_out", { what: "the run", timeoutMs: 5 });
    stop.abort(reason);
    expect(await racing).toBe(reason);
  });

  test("raceAbort() throws the caller's own error", async () => {
    const own = new Error("own");
    expect(await failureOf(raceAbort(never, AbortSignal.abort(), () => own))).toBe(own);
  });

  test("raceAbort() passes a late result to onLate exactly if it threw", async () => {
    for (const abortsFirst of [true, false]) {
      const stop = new AbortController();
      const late: number[] = [];
      const { promise, resolve } = deferred<number>();
      const racing = failureOf(raceAbort(promise, stop.signal, "the work", (value) => late.push(value)));
      // Both happen in one task; only their order decides.
      if (abortsFirst) stop.abort();
      resolve(7);
      if (!abortsFirst) {
        await racing;
        stop.abort();
      }
      const outcome = await racing;
      expect(late).toEqual(abortsFirst ? [7] : []);
      expect(outcome).toEqual(abortsFirst ? expect.objectContaining({ code: "aborted" }) : "resolved with 7");
    }
  });

  test("raceAbort() treats a result after an abort in the same task as late", async () => {
    const stop = new AbortController();
    const late: number[] = [];
    const { promise, resolve } = deferred<number>();
    const racing = failureOf(raceAbort(promise, stop.signal, "the work", (value) => late.push(value)));
    resolve(7);
    stop.abort();
    expect(await racing).toMatchObject({ code: "aborted" });
    expect(late).toEqual([7]);
  });

  test("raceAbort() leaves no listener on the signal", async () => {
    const { signal } = new AbortController();
    let listeners = 0;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners += 1;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners -= 1;
      remove(...args);
    };
    await raceAbort(Promise.resolve(1), signal, "the work");
    await failureOf(raceAbort(Promise.reject(new Error("x")), signal, "the work"));
    await new Promise((resolve) => setImmediate(resolve));
    expect(listeners).toBe(0);
  });
});

describe("withDeadline()", () => {
  test("withDeadline() fails with timed_out even if the work ignores its signal", async () => {
    expect(await failureOf(withDeadline("the work", { timeoutMs: 1 }, () => never))).toMatchObject({
      code: "timed_out",
      details: { what: "the work", timeoutMs: 1 },
    });
  });

  test("withDeadline() forwards the abort to the work, and starts no work after it", async () => {
    const stop = new AbortController();
    let seen: AbortSignal | undefined;
    const running = failureOf(
      withDeadline("the work", { signal: stop.signal }, (signal) => {
        seen = signal;
        return never;
      }),
    );
    stop.abort();
    expect(await running).toMatchObject({ code: "aborted" });
    expect(seen?.aborted).toBe(true);
    let started = false;
    const work = async () => void (started = true);
    expect(await failureOf(withDeadline("the work", { signal: stop.signal }, work))).toMatchObject({
      code: "aborted",
    });
    expect(started).toBe(false);
  });
});

describe("raceTimeout() and atMost()", () => {
  test("raceTimeout() throws the caller's error on timeout, and earlier errors of the work", async () => {
    const late = new Error("late");
    expect(await failureOf(raceTimeout(never, 1, () => late))).toBe(late);
    expect(await raceTimeout(Promise.resolve(1), 60_000, () => late)).toBe(1);
    const broken = Promise.reject(new Error("broken"));
    expect(await failureOf(raceTimeout(broken, 60_000, () => late))).toEqual(new Error("broken"));
  });

  test("raceTimeout() uses the host's clock, and stops its timer when the work ends", async () => {
    const asked: [number, AbortSignal][] = [];
    const host = {
      sleep: (durationMs: number, signal?: AbortSignal) => {
        asked.push([durationMs, signal!]);
        return never;
      },
    };
    expect(await raceTimeout(Promise.resolve(1), 7, () => new Error("late"), host)).toBe(1);
    await new Promise((resolve) => setImmediate(resolve));
    expect(asked.map(([durationMs, signal]) => [durationMs, signal.aborted])).toEqual([[7, true]]);
  });

  test("atMost() returns on timeout, and throws earlier errors of the work", async () => {
    await atMost(never, 1);
    expect(await failureOf(atMost(Promise.reject(new Error("broken")), 60_000))).toEqual(new Error("broken"));
  });
});

describe("afterAbort()", () => {
  test("afterAbort() runs once after the abort, also if the signal was already aborted, unless cancelled", async () => {
    const stop = new AbortController();
    const acted: string[] = [];
    const { promise, resolve } = deferred<void>();
    afterAbort(stop.signal, 0, () => acted.push("first"));
    const cancel = afterAbort(stop.signal, 0, () => acted.push("cancelled"));
    stop.abort();
    cancel();
    afterAbort(stop.signal, 0, () => {
      acted.push("late");
      resolve();
    });
    await promise;
    expect(acted).toEqual(["first", "late"]);
  });
});

describe("Mutex", () => {
  test("Mutex.share() runs work once for the callers before it begins, and again for those after", async () => {
    const mutex = new Mutex();
    const { promise, resolve } = deferred<void>();
    let begun = 0;
    const work = async () => {
      begun += 1;
      if (begun === 1) await promise;
      if (begun === 2) throw new Error("broken");
    };
    const first = [mutex.share(work), mutex.share(work)];
    await Promise.resolve();
    expect(begun).toBe(1);
    const second = [mutex.share(work), mutex.share(work)].map(failureOf);
    resolve();
    await Promise.all(first);
    for (const failure of await Promise.all(second)) expect(failure).toEqual(new Error("broken"));
    expect(begun).toBe(2);
    await mutex.share(work);
    expect(begun).toBe(3);
  });

  test("Mutex.run() runs work sequentially and in order, also after a failure, and idle() waits for all", async () => {
    const mutex = new Mutex();
    const order: string[] = [];
    const { promise, resolve } = deferred<void>();
    const first = failureOf(
      mutex.run(async () => {
        order.push("first begins");
        await promise;
        order.push("first fails");
        throw new Error("broken");
      }),
    );
    const second = mutex.run(async () => {
      order.push("second");
      return 2;
    });
    await Promise.resolve();
    const idle = mutex.idle().then(() => order.push("idle"));
    resolve();
    expect(await first).toEqual(new Error("broken"));
    expect(await second).toBe(2);
    await idle;
    expect(order).toEqual(["first begins", "first fails", "second", "idle"]);
  });
});

function deferred<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => (resolve = settle));
  return { promise, resolve };
}
