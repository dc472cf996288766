import { expect, test } from "bun:test";
import * as arrow from "apache-arrow";

import { duckdbTypeOf, openStream } from "../../lib/duckdb/mod.ts";
import { cases, isNull, ROWS, text } from "./arrow-cases.ts";
import { batchOf, open, sleep, sourceOf } from "./support.ts";

const whole = batchOf(Object.fromEntries(Object.entries(cases).map(([name, { vector }]) => [name, vector])));

async function roundTrip(batches: readonly arrow.RecordBatch[]): Promise<readonly Record<string, unknown>[]> {
  await using session = await open();
  const source = sourceOf(whole.schema, async function* () {
    for (const batch of batches) {
      await sleep(1);
      yield batch;
    }
  });
  const table = openStream(session.database, source);
  return await session.connection.rows(`SELECT * FROM ${table.relation}`);
}

function expectAll(rows: readonly Record<string, unknown>[]): void {
  expect(rows.length).toBe(ROWS);
  for (const [name, { value }] of Object.entries(cases)) {
    const expected = Array.from({ length: ROWS }, (_, row) => (isNull(row) ? null : value(row)));
    expect({ name, values: rows.map((row) => row[name]) }).toEqual({ name, values: expected });
  }
}

test("openStream() returns every value of every Arrow type from sliced batches", async () => {
  const cuts = [0, 1001, 1003, 4099, ROWS];
  expectAll(await roundTrip(cuts.slice(1).map((end, index) => whole.slice(cuts[index]!, end))));
});

test("openStream() returns every value of every Arrow type from IPC batches", async () => {
  const viewless = Object.entries(cases).filter(([name]) => name !== "utf8_view");
  const batch = batchOf(Object.fromEntries(viewless.map(([name, { vector }]) => [name, vector])));
  const wire = arrow.tableToIPC(new arrow.Table(batch.schema, [batch]), "stream");
  const received = arrow.tableFromIPC(wire).batches;
  await using session = await open();
  const table = openStream(
    session.database,
    sourceOf(batch.schema, async function* () {
      yield* received;
    }),
  );
  const rows = await session.connection.rows<Record<string, unknown>>(
    `SELECT *, NULL AS utf8_view FROM ${table.relation}`,
  );
  expectAll(rows.map((row, index) => ({ ...row, utf8_view: isNull(index) ? null : text(index) })));
});

test("duckdbTypeOf() returns the type of each column", async () => {
  await using session = await open();
  const table = openStream(
    session.database,
    sourceOf(whole.schema, async function* () {
      yield whole;
    }),
  );
  const described = await session.connection.rows<{ column_name: string; column_type: string }>(
    `DESCRIBE SELECT * FROM ${table.relation}`,
  );
  const arrived = Object.fromEntries(described.map((row) => [row.column_name, row.column_type]));
  for (const [index, [name, { type }]] of Object.entries(cases).entries()) {
    expect({ name, type: duckdbTypeOf(whole.schema.fields[index]!) }).toEqual({ name, type });
    // Quoted and unquoted spellings are the same type.
    const [row] = await session.connection.rows<{ same: boolean }>(
      `SELECT typeof(NULL::${type}) = '${arrived[name]!.replaceAll("'", "''")}' AS same`,
    );
    expect({ name, same: row!.same }).toEqual({ name, same: true });
  }
});

test("duckdbTypeOf() throws type_unsupported for types that DuckDB does not support", () => {
  const union = new arrow.Field(
    "u",
    new arrow.DenseUnion([0], [new arrow.Field("a", new arrow.Int32())]),
    true,
  );
  expect(() => duckdbTypeOf(union)).toThrow(/column "u" has the type "Union<Int32>".*no equivalent/);
  expect(() => duckdbTypeOf(new arrow.Field("d", new arrow.Decimal(2, 60, 256), true))).toThrow(
    /no equivalent/,
  );
});
