import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import * as arrow from "apache-arrow";

import { openDatabase, type Connection, type Database, type StreamSource } from "../../lib/duckdb/mod.ts";
import type { OpenOptions } from "../../lib/duckdb/database.ts";

/** A temporary directory, which `await using` removes. */
export async function temporaryDirectory(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "agnes-test-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** A database and a connection; `await using` closes both. */
export async function open(
  options?: OpenOptions,
): Promise<{ readonly database: Database; readonly connection: Connection } & AsyncDisposable> {
  const database = await openDatabase(options);
  const connection = await database.connect();
  return { database, connection, [Symbol.asyncDispose]: () => database.close() };
}

/** A batch of vectors by name. */
export function batchOf(columns: Readonly<Record<string, arrow.Vector>>): arrow.RecordBatch {
  const fields = Object.entries(columns).map(
    ([name, vector]) => new arrow.Field(name, vector.type as arrow.DataType, true),
  );
  const [first] = Object.values(columns);
  return new arrow.RecordBatch(
    new arrow.Schema(fields),
    arrow.makeData({
      type: new arrow.Struct(fields),
      length: first?.length ?? 0,
      nullCount: 0,
      children: Object.values(columns).map((vector) => vector.data[0]!),
    }),
  );
}

/** A batch of numbers `[start, start + count)` in `id`, with a text that needs the heap in `name`. */
export function numbers(start: number, count: number): arrow.RecordBatch {
  return batchOf({
    id: arrow.vectorFromArray(
      Array.from({ length: count }, (_, index) => start + index),
      new arrow.Int32(),
    ),
    name: arrow.vectorFromArray(
      Array.from({ length: count }, (_, index) => (index % 7 === 0 ? null : `the number ${start + index}`)),
      new arrow.Utf8(),
    ),
  });
}

/** A source of the batches that `produce` yields. */
export function sourceOf(
  schema: arrow.Schema,
  produce: (columns: readonly string[], signal: AbortSignal) => AsyncIterable<arrow.RecordBatch>,
  more: Partial<StreamSource> = {},
): StreamSource {
  return { schema, open: produce, ...more };
}

export const sleep = (durationMs: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, durationMs);
  });

/** Returns the error of a rejected promise; fails if it resolves. */
export async function rejection(
  promise: Promise<unknown>,
): Promise<Error & { code?: string; details?: Record<string, unknown> }> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error("it did not fail");
}

/** All rows of a stream, as plain objects. */
export async function collect(
  batches: AsyncIterable<arrow.RecordBatch>,
): Promise<readonly arrow.RecordBatch[]> {
  const all: arrow.RecordBatch[] = [];
  for await (const batch of batches) all.push(batch);
  return all;
}
