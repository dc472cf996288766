import { expect, spyOn, test } from "bun:test";
import { join } from "node:path";

import native from "@duckdb/node-bindings";

import { KeptStatement } from "../../lib/duckdb/kept-statements.ts";
import { poolGate } from "../../lib/duckdb/gate.ts";
import { open, rejection, temporaryDirectory } from "./support.ts";

/** A statement of one row, and a function that runs it and returns whether its rows are streamed. */
async function kept() {
  const connection = await native.connect(await native.open(":memory:", native.create_config()));
  const statement = new KeptStatement(await native.prepare(connection, "SELECT 1 AS one"));
  const isStreamed = async () => native.result_is_streaming(await statement.run());
  return { statement, isStreamed };
}

test("a statement is quick after a complete run without a slow call, until one is slow", async () => {
  const { statement, isStreamed } = await kept();
  expect(statement.isQuick).toBe(false);
  await isStreamed();
  expect(statement.isQuick).toBe(false);
  await statement.timed(async () => {});
  statement.end(1);
  expect(statement.isQuick).toBe(true);
  await isStreamed();
  expect(statement.isQuick).toBe(true);
  await statement.timed(() => Bun.sleep(60));
  await statement.timed(async () => {});
  expect(statement.isQuick).toBe(false);
  statement.end(1);
  expect(statement.isQuick).toBe(false);
  await isStreamed();
  statement.end(1);
  expect(statement.isQuick).toBe(true);
});

test("the result of a quick statement is materialized if it was small the last time", async () => {
  const { statement, isStreamed } = await kept();
  expect(await isStreamed()).toBe(true);
  statement.end(2049);
  expect(await isStreamed()).toBe(true);
  statement.end(2048);
  expect(await isStreamed()).toBe(false);
  await statement.timed(() => Bun.sleep(60));
  statement.end(1);
  expect(await isStreamed()).toBe(true);
});

test("a repeated small query returns the same rows in the same batches, also when its result grows", async () => {
  await using session = await open();
  const { connection } = session;
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "rows.parquet");
  // DuckDB binds a statement that reads files again at each run.
  const write = (rows: number) =>
    connection.run(`COPY (SELECT range AS id FROM range(${rows})) TO '${path}'`);
  await write(5);
  const read = async (batchRows: number) => {
    const { batches } = await connection.stream(`SELECT id FROM '${path}' ORDER BY id`, {
      isKept: true,
      batchRows,
    });
    const found: { readonly rows: number; readonly last: unknown }[] = [];
    for await (const batch of batches) {
      const ids = batch.getChildAt(0)!;
      found.push({ rows: batch.numRows, last: ids.get(batch.numRows - 1) });
    }
    return found;
  };
  for (let n = 0; n < 5; n += 1) expect(await read(16_384)).toEqual([{ rows: 5, last: 4n }]);
  await write(10_000);
  const whole = [
    { rows: 4096, last: 4095n },
    { rows: 4096, last: 8191n },
    { rows: 1808, last: 9999n },
  ];
  for (let n = 0; n < 3; n += 1) expect(await read(4096)).toEqual(whole);
  await write(0);
  for (let n = 0; n < 5; n += 1) expect(await read(4096)).toEqual([]);
});

test("a repeated query is streamed again after its result grew", async () => {
  await using session = await open();
  const { connection } = session;
  await connection.run("CREATE TABLE t AS SELECT range AS id FROM range(5)");
  const isStreamed = async () => {
    const spy = spyOn(native, "execute_prepared_streaming");
    try {
      for await (const _ of (await connection.stream("SELECT id FROM t", { isKept: true })).batches);
      return spy.mock.calls.length > 0;
    } finally {
      spy.mockRestore();
    }
  };
  for (let n = 0; n < 5; n += 1) await isStreamed();
  expect(await isStreamed()).toBe(false);
  await connection.run("INSERT INTO t FROM range(5000)");
  expect([await isStreamed(), await isStreamed()]).toEqual([false, true]);
});

test("a materialized result that is not read to its end is like a streamed one", async () => {
  await using session = await open();
  const { connection } = session;
  await connection.run("CREATE TABLE t AS SELECT range AS id FROM range(2)");
  const stream = (signal?: AbortSignal) =>
    connection.stream("SELECT id FROM t", { isKept: true, ...(signal && { signal }) });
  for (let n = 0; n < 5; n += 1)
    for await (const batch of (await stream()).batches) expect(batch.numRows).toBe(2);
  const left = (await stream()).batches[Symbol.asyncIterator]();
  expect((await rejection(connection.run("SELECT 1"))).code).toBe("duckdb_busy");
  await left.return?.();
  await connection.run("SELECT 1");
  const stop = new AbortController();
  const stopped = (await stream(stop.signal)).batches[Symbol.asyncIterator]();
  stop.abort();
  expect((await rejection(stopped.next())).code).toBe("aborted");
  await connection.run("SELECT 1");
  const closed = (await stream()).batches[Symbol.asyncIterator]();
  await connection.close();
  expect((await rejection(closed.next())).code).toBe("duckdb_failed");
});

test("a repeated quick statement passes work that waits for the gate, and another one does not", async () => {
  await using session = await open();
  const { connection } = session;
  const run = async (sql: string, isKept: boolean) => {
    const { batches } = await connection.stream(sql, { isKept });
    let rows = 0;
    for await (const batch of batches) rows += batch.numRows;
    return rows;
  };
  for (let n = 0; n < 10; n += 1) expect(await run("SELECT 1 AS one", true)).toBe(1);
  const places = Array.from({ length: poolGate.capacity }, () => poolGate.place("the test"));
  for (const place of places) await place.acquire();
  try {
    expect(await Promise.race([run("SELECT 1 AS one", true), Bun.sleep(20_000)])).toBe(1);
    const other = run("SELECT 2 AS two", true);
    expect(await Promise.race([other, Bun.sleep(50).then(() => "waits")])).toBe("waits");
    for (const place of places) place.release();
    expect(await other).toBe(1);
  } finally {
    for (const place of places) place.release();
  }
});
