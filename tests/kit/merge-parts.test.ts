import { expect, test } from "bun:test";

import { mergeParts, type StreamPart } from "../../lib/kit/mod.ts";

const { signal } = new AbortController();

/** A part that logs when it is opened and closed, and waits for a gate before each item. */
function partOf(
  name: string,
  items: number,
  log: string[],
  gate: () => Promise<unknown>,
): StreamPart<string> {
  return async function* (options) {
    log.push(`open ${name}`);
    try {
      for (let item = 1; item <= items; item++) {
        await gate();
        options.signal.throwIfAborted();
        yield `${name}${item}`;
      }
    } finally {
      log.push(`close ${name}`);
    }
  };
}

const atOnce = async () => {};

async function all<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

test("mergeParts() yields every item once, in the order of its part", async () => {
  const parts = ["a", "b", "c", "d", "e"].map((name, at) => partOf(name, at * 2, [], atOnce));
  const found = await all(mergeParts(parts, { signal, concurrency: 2 }));
  expect(found).toHaveLength(20);
  expect(found.filter((item) => item.startsWith("e"))).toEqual(
    Array.from({ length: 8 }, (_, at) => `e${at + 1}`),
  );
  expect(await all(mergeParts([], { signal }))).toEqual([]);
});

test("mergeParts() reads several parts at once, and none ahead of its reader", async () => {
  // Each item waits for the others, so that parts that are read in turn would wait for ever.
  const waiting: (() => void)[] = [];
  let most = 0;
  const together = () =>
    new Promise<void>((resolve) => {
      waiting.push(resolve);
      most = Math.max(most, waiting.length);
      if (waiting.length === 3) for (const go of waiting.splice(0)) go();
    });
  const log: string[] = [];
  let taken = 0;
  let yielded = 0;
  const parts = [1, 2, 3, 4, 5, 6].map((name) => {
    const part = partOf(`${name}`, 1, log, together);
    return async function* (options: { readonly signal: AbortSignal }) {
      for await (const item of part(options)) {
        yielded += 1;
        yield item;
      }
    };
  });
  for await (const _ of mergeParts(parts, { signal, concurrency: 3 })) {
    taken += 1;
    expect(yielded - taken).toBeLessThan(3);
  }
  expect({ taken, most }).toEqual({ taken: 6, most: 3 });
});

test("mergeParts() pulls a part only when its item was used", async () => {
  const row = { id: 0 };
  const part = async function* () {
    for (row.id = 1; row.id <= 3; row.id++) yield [row];
  };
  const ids: number[] = [];
  for await (const [one] of mergeParts([part], { signal })) {
    await Promise.resolve();
    ids.push(one!.id);
  }
  expect(ids).toEqual([1, 2, 3]);
});

test("mergeParts() closes all open parts and opens no other when a reader stops, a part fails or the signal aborts", async () => {
  const outcome = async (
    read: (parts: readonly StreamPart<string>[]) => Promise<unknown>,
    first = atOnce,
  ) => {
    const log: string[] = [];
    const gates = [first, atOnce, atOnce];
    const parts = gates.map((gate, at) => partOf("abc"[at]!, 9, log, gate));
    const error = await read(parts).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    return { error, log: log.sort() };
  };
  const closed = ["close a", "close b", "open a", "open b"];
  const stopping = await outcome(async (parts) => {
    for await (const _ of mergeParts(parts, { signal, concurrency: 2 })) break;
  });
  expect(stopping).toEqual({ error: null, log: closed });
  const failure = new Error("the first part failed");
  const failing = await outcome(
    (parts) => all(mergeParts(parts, { signal, concurrency: 2 })),
    () => Promise.reject(failure),
  );
  expect(failing).toEqual({ error: failure, log: closed });
  const controller = new AbortController();
  const aborted = await outcome(async (parts) => {
    for await (const _ of mergeParts(parts, { signal: controller.signal, concurrency: 2 }))
      controller.abort();
  });
  expect(aborted.log).toEqual(closed);
  expect(aborted.error).toMatchObject({ code: "aborted" });
});

test("mergeParts() stops a part that waits for its signal", async () => {
  const controller = new AbortController();
  const seen: unknown[] = [];
  const waiting: StreamPart<string> = async function* (options) {
    yield "first";
    await new Promise((_resolve, reject) => {
      options.signal.addEventListener("abort", () => {
        seen.push(options.signal.reason);
        reject(options.signal.reason as Error);
      });
      controller.abort(new Error("enough"));
    });
  };
  const reading = all(mergeParts([waiting], { signal: controller.signal }));
  expect(await reading.catch((error: unknown) => error)).toMatchObject({ code: "aborted" });
  expect(seen).toEqual([controller.signal.reason]);
});

test("mergeParts() aborts the signal of a part that waits when its reader stops", async () => {
  const log: string[] = [];
  const waiting: StreamPart<string> = async function* (options) {
    try {
      await new Promise<void>((resolve) => options.signal.addEventListener("abort", () => resolve()));
      yield "late";
    } finally {
      log.push("close");
    }
  };
  const first: StreamPart<string> = async function* () {
    yield "first";
  };
  for await (const item of mergeParts([waiting, first], { signal })) {
    expect(item).toBe("first");
    break;
  }
  expect(log).toEqual(["close"]);
});

test.each([Number.NaN, 0, -1, 1.5, Number.POSITIVE_INFINITY, "2", null])(
  "mergeParts() rejects the concurrency %p",
  async (concurrency) => {
    const part = partOf("a", 1, [], atOnce);
    const reading = all(mergeParts([part], { signal, concurrency: concurrency as number }));
    expect(await reading.catch((error: unknown) => error)).toMatchObject({
      code: "invalid_input",
      message: expect.stringContaining("should be a positive integer"),
    });
  },
);
