import { afterEach, expect, jest, test } from "bun:test";

import { int32, table, type Batch, type ReadResult, type RowReject } from "../../lib/kit/mod.ts";
import { BatchReader } from "../../lib/extract/read/batch-reader.ts";

const options = { source: "crm", table: "orders", idleTimeoutMs: 1000, onRows: () => {} };

afterEach(() => void jest.useRealTimers());

test("alive() restarts the idle timeout of a read, which can still expire", async () => {
  jest.useFakeTimers();
  const pending: AsyncIterable<never, void> = {
    [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }),
  };
  const { signal } = new AbortController();
  const reader = new BatchReader(pending, { ...options, signal });
  let outcome: unknown = "waiting";
  const next = reader.pull().catch((error: unknown) => void (outcome = error));
  await Promise.resolve();
  jest.advanceTimersByTime(900);
  reader.alive();
  jest.advanceTimersByTime(900);
  await Promise.resolve();
  expect(outcome).toBe("waiting");
  jest.advanceTimersByTime(101);
  await next;
  expect(outcome).toMatchObject({ code: "source_stalled" });
});

/** A connector that yields `batches`, ends as configured and counts how often it is stopped. */
function counting(batches: readonly Batch[], ending: "ends" | "throws" | "hangs") {
  const seen = { closed: 0 };
  const left = [...batches];
  const iterator: AsyncIterator<Batch, ReadResult> = {
    next: async () => {
      const value = left.shift();
      if (value !== undefined) return { value, done: false };
      if (ending === "throws") throw new Error("it broke");
      if (ending === "hangs") return new Promise(() => {});
      return { value: { state: 7 }, done: true };
    },
    return: async () => {
      seen.closed += 1;
      return { value: {}, done: true };
    },
  };
  return { seen, batches: { [Symbol.asyncIterator]: () => iterator } };
}

test("close() stops the connector's iterator once, and only if it has not ended", async () => {
  const { signal } = new AbortController();
  const ended = counting([], "ends");
  const first = new BatchReader(ended.batches, { ...options, signal });
  expect(await first.pull()).toBeNull();
  expect(await first.pull()).toBeNull();
  expect(first.end).toEqual({ state: 7 });
  first.close();
  expect(ended.seen.closed).toBe(0);

  const broken = counting([], "throws");
  const second = new BatchReader(broken.batches, { ...options, signal });
  expect(await second.pull().catch((error: unknown) => error)).toMatchObject({
    code: "table_read_failed",
    message: expect.stringContaining("it broke"),
  });
  second.close();
  expect(broken.seen.closed).toBe(0);

  const hanging = counting([[]], "hangs");
  const stop = new AbortController();
  const third = new BatchReader(hanging.batches, { ...options, signal: stop.signal });
  await third.pull();
  const waiting = third.pull().catch((error: unknown) => error);
  stop.abort();
  expect(await waiting).toMatchObject({ code: "aborted" });
  third.close();
  third.close();
  expect(hanging.seen.closed).toBe(1);
});

test("peek() returns rows that were put back first, checks them, and delays deletions until after other rows", async () => {
  const info = table("orders", { id: int32({ nullable: false }) });
  const { signal } = new AbortController();
  const rejects: RowReject[] = [];
  const reported: number[] = [];
  const yielded = [[{ id: 1 }, { id: "x" }], { kind: "deletions", keys: [{ id: 9 }] }, [{ id: 2, extra: 1 }]];
  const { batches } = counting(yielded as never, "ends");
  const reader = new BatchReader(batches, { ...options, signal, onRows: (rows) => reported.push(rows) });
  const pulled = [(await reader.pull())!, (await reader.pull())!];
  reader.putBack(pulled);
  reader.expect({
    table: { ...info, id: "crm.orders" },
    primaryKey: ["id"],
    requested: ["id"],
    batchRows: 10,
    onReject: (reject) => void rejects.push(reject),
  });
  const kinds: string[] = [];
  for (let piece = await reader.peek(); piece !== null; piece = await reader.peek()) {
    kinds.push(piece.kind === "arrow" ? `${piece.batch.numRows} rows` : piece.kind);
    reader.shift();
  }
  expect(kinds).toEqual(["1 rows", "1 rows", "deletions"]);
  expect(rejects).toMatchObject([{ row: 2, column: "id" }]);
  expect(reported).toEqual([1, 2]);
  expect(reader.rows).toBe(2);
  expect(reader.unknownKeyNotes()).toHaveLength(1);
});
