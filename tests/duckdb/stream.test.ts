import { expect, test } from "bun:test";

import { nodeFiles } from "../../lib/base/mod.ts";
import {
  copyToParquet,
  openStream,
  parquetFooter,
  type Connection,
  type StreamSource,
} from "../../lib/duckdb/mod.ts";
import { Scan } from "../../lib/duckdb/stream/scan.ts";
import { numbers, open, rejection, sleep, sourceOf, temporaryDirectory } from "./support.ts";

const { schema } = numbers(0, 1);
const BATCH = 1000;

/** A source of `batches` batches that records its calls. */
function watched(batches: number, delayMs = 1, more: Partial<StreamSource> = {}) {
  const seen = { opened: [] as (readonly string[])[], yielded: 0, closed: 0, aborted: 0 };
  const source = sourceOf(
    schema,
    async function* (columns, signal) {
      seen.opened.push(columns);
      signal.addEventListener("abort", () => (seen.aborted += 1));
      try {
        for (let batch = 0; batch < batches; batch++) {
          if (delayMs > 0) await sleep(delayMs);
          seen.yielded += 1;
          yield numbers(batch * BATCH, BATCH);
        }
      } finally {
        seen.closed += 1;
      }
    },
    more,
  );
  return { source, seen };
}

/** Creates a view of a source that lives as long as the database. */
async function createView(connection: Connection, name: string, source: StreamSource): Promise<void> {
  await connection.run(`CREATE VIEW ${name} AS SELECT * FROM ${openStream(connection, source).relation}`);
}

test("openStream() reads only the columns that the SQL needs", async () => {
  await using session = await open();
  const { source, seen } = watched(10);
  await createView(session.connection, "orders", source);
  const rows = await session.connection.rows(
    "SELECT count(*) AS n, sum(id) AS total FROM orders WHERE id >= 10",
  );
  expect(rows).toEqual([{ n: 9990n, total: 49_994_955n }]);
  expect(seen.opened).toEqual([["id"]]);
  await session.connection.rows("SELECT count(*) FROM orders");
  expect(seen.opened[1]).toEqual([]);
  expect(seen.closed).toBe(2);
});

test("openStream() stops the source early when LIMIT is satisfied", async () => {
  await using session = await open();
  const { source, seen } = watched(100_000);
  await createView(session.connection, "orders", source);
  const started = performance.now();
  expect(await session.connection.rows("SELECT id FROM orders LIMIT 2")).toEqual([{ id: 0 }, { id: 1 }]);
  expect(performance.now() - started).toBeLessThan(1000);
  expect(seen).toMatchObject({ closed: 1, aborted: 1 });
  expect(seen.yielded).toBeLessThan(200);
});

test("openStream() serves self-joins, several connections and streams", async () => {
  await using session = await open();
  const { source } = watched(5);
  await createView(session.connection, "orders", source);
  const other = await session.database.connect();
  const [joined, counted, filtered] = await Promise.all([
    session.connection.rows("SELECT count(*) AS n FROM orders a JOIN orders b USING (id)"),
    other.rows("SELECT count(name) AS n FROM orders UNION ALL SELECT max(id) FROM orders"),
    other.rows("SELECT name FROM orders WHERE id = 1234"),
  ]);
  expect(joined).toEqual([{ n: 5000n }]);
  expect(counted).toEqual([{ n: 4285n }, { n: 4999n }]);
  expect(filtered).toEqual([{ name: "the number 1234" }]);
  let rows = 0;
  for await (const batch of (await other.stream("SELECT * FROM orders")).batches) rows += batch.numRows;
  expect(rows).toBe(5000);
});

test("openStream() keeps the order of rows", async () => {
  await using session = await open();
  const table = openStream(session.database, watched(20, 0).source);
  const rows = await session.connection.rows<{ id: number }>(`SELECT id FROM ${table.relation}`);
  expect(rows.map((row) => row.id)).toEqual(Array.from({ length: 20_000 }, (_, index) => index));
});

test("openStream() throws the original error of a source", async () => {
  await using session = await open();
  const failure = new TypeError("the remote said 503");
  const table = openStream(
    session.database,
    sourceOf(schema, async function* () {
      yield numbers(0, BATCH);
      await sleep(5);
      throw failure;
    }),
  );
  expect(await rejection(session.connection.rows(`SELECT count(*) FROM ${table.relation}`))).toBe(failure);
  expect(await session.connection.rows("SELECT 1 AS one")).toEqual([{ one: 1 }]);
});

test("openStream() returns the rows before a failure to a query that needs no more", async () => {
  await using session = await open();
  const source = sourceOf(schema, async function* () {
    yield numbers(0, 2048);
    throw new Error("broken off");
  });
  const stream = openStream(session.database, source);
  expect(await session.connection.rows(`SELECT id FROM ${stream.relation} LIMIT 2`)).toEqual([
    { id: 0 },
    { id: 1 },
  ]);
  stream.close();
});

test("openStream() fails when the source is closed", async () => {
  await using session = await open();
  const table = openStream(session.database, watched(1).source);
  table.close();
  expect((await rejection(session.connection.rows(`FROM ${table.relation}`))).message).toContain(
    "the source is closed",
  );
});

test("openStream() chooses a hidden column name that no column has", async () => {
  await using session = await open();
  const batch = numbers(0, 3);
  const fields = batch.schema.fields.map((field, index) =>
    field.clone({ name: index === 0 ? "Agnes_Wait" : "agnes_wait_" }),
  );
  const { arrow } = await import("../../lib/kit/mod.ts");
  const renamed = new arrow.RecordBatch(new arrow.Schema(fields), batch.data.clone(new arrow.Struct(fields)));
  const table = openStream(
    session.database,
    sourceOf(renamed.schema, async function* () {
      yield renamed;
    }),
  );
  expect(await session.connection.rows(`SELECT * FROM ${table.relation} LIMIT 1`)).toEqual([
    { Agnes_Wait: 0, agnes_wait_: null },
  ]);
});

test("copyToParquet() stops the source within a second and leaves no rows behind when aborted", async () => {
  await using session = await open();
  await using directory = await temporaryDirectory();
  const { source, seen } = watched(1_000_000);
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 150);
  const started = performance.now();
  const error = await rejection(
    copyToParquet(session.database, { kind: "stream", source }, `${directory.path}/a.parquet`, {
      signal: controller.signal,
    }),
  );
  expect(error.code).toBe("aborted");
  expect(performance.now() - started).toBeLessThan(1150);
  expect(seen).toMatchObject({ closed: 1, aborted: 1 });
});

test("copyToParquet() stops waiting for a source that ignores its signal", async () => {
  await using session = await open();
  await using directory = await temporaryDirectory();
  const stuck = sourceOf(schema, async function* () {
    yield numbers(0, 10);
    await new Promise(() => {});
  });
  const error = await rejection(
    copyToParquet(session.database, { kind: "stream", source: stuck }, `${directory.path}/a.parquet`, {
      signal: AbortSignal.timeout(50),
    }),
  );
  expect(error.code).toBe("aborted");
});

test("copyToParquet() writes and counts all rows, and returns column statistics", async () => {
  await using session = await open();
  await using directory = await temporaryDirectory();
  const path = `${directory.path}/it's.parquet`;
  const { source } = watched(200, 0);
  const result = await copyToParquet(session.database, { kind: "stream", source }, path);
  expect(result.rows).toBe(200_000);
  expect(result.columns).toEqual({
    id: { min: "0", max: "199999", nulls: 0 },
    name: { min: "the number 1", max: "the number 99999", nulls: 28_600 },
  });
  const footer = await parquetFooter(nodeFiles(), path);
  expect(footer).toMatchObject({
    rows: 200_000,
    rowsInGroups: 200_000,
    columns: ["id", "name"],
    sizeBytes: result.sizeBytes,
  });
  expect(
    await session.connection.rows(
      `SELECT sum(id) AS s, count(DISTINCT name) AS n FROM '${path.replace("'", "''")}'`,
    ),
  ).toEqual([{ s: 19_999_900_000n, n: 171_400n }]);
});

test("copyToParquet() applies a select and keeps its order with ordered", async () => {
  await using session = await open();
  await using directory = await temporaryDirectory();
  const path = `${directory.path}/a.parquet`;
  const result = await copyToParquet(
    session.database,
    {
      kind: "stream",
      source: watched(300, 0).source,
      select: (relation) => `SELECT id * 2 AS twice FROM ${relation} WHERE id % 2 = 1`,
    },
    path,
    { ordered: true, rowGroupRows: 4096, statistics: ["twice"] },
  );
  expect(result).toMatchObject({ rows: 150_000, columns: { twice: { min: "2", max: "599998", nulls: 0 } } });
  const [row] = await session.connection.rows(
    "SELECT bool_and(twice = file_row_number * 4 + 2) AS ordered FROM read_parquet(?, file_row_number = true)",
    {
      parameters: [path],
    },
  );
  expect(row).toEqual({ ordered: true });
});

test("copyToParquet() writes a typed file without rows when the source is empty", async () => {
  await using session = await open();
  await using directory = await temporaryDirectory();
  const path = `${directory.path}/empty.parquet`;
  const result = await copyToParquet(session.database, { kind: "stream", source: watched(0).source }, path);
  expect(result.rows).toBe(0);
  expect((await parquetFooter(nodeFiles(), path)).columns).toEqual(["id", "name"]);
});

test("copyToParquet() throws disk_full and stops an endless source when the disk is full", async () => {
  await using session = await open();
  const { source, seen } = watched(10_000_000, 0);
  const started = performance.now();
  const error = await rejection(copyToParquet(session.database, { kind: "stream", source }, "/dev/full"));
  expect(error.code).toBe("disk_full");
  expect(performance.now() - started).toBeLessThan(15_000);
  expect(seen).toMatchObject({ closed: 1, aborted: 1 });
});

test("copyToParquet() fails with the expression's error when a select cannot be computed for a later row", async () => {
  await using session = await open();
  await using directory = await temporaryDirectory();
  const { source, seen } = watched(100_000, 0);
  const select = (relation: string) =>
    `SELECT CASE WHEN id < 30000 THEN id ELSE error('bad row') END AS x FROM ${relation}`;
  const error = await rejection(
    copyToParquet(session.database, { kind: "stream", source, select }, `${directory.path}/a.parquet`),
  );
  expect(error.code).toBe("duckdb_failed");
  expect(error.message).toContain("bad row");
  expect(seen.closed).toBe(1);
});

test("Scan reports a failure and not the end when it is stopped before the end of its source", async () => {
  const { source } = watched(100);
  const scan = new Scan(source, ["id"], () => {});
  await sleep(20);
  expect(scan.next(10).kind).toBe("rows");
  await scan.close();
  scan.next(BATCH);
  expect(scan.next(BATCH)).toEqual({ kind: "failed", message: "the source was stopped" });
});

test("Scan holds no more batches than its queue", async () => {
  const { source, seen } = watched(100, 0, { queue: 3 });
  const scan = new Scan(source, ["id"], () => {});
  await sleep(20);
  expect(seen.yielded).toBe(3);
  scan.next(BATCH);
  await sleep(20);
  expect(seen.yielded).toBe(4);
  await scan.close();
  expect(seen).toMatchObject({ closed: 1, yielded: 4 });
});
