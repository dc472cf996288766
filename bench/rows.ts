/**
 * Row objects → Arrow → Parquet: the kit's row builder against `tableFromJSON`, both with the same writer, in one run
 * on the same rows. The time in which the pages are made is left out.
 *
 *   bun bench/rows.ts [--rows 500000]
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { bool, createRowBuilder, decimal, float64, int32, int64, table, timestamp, utf8 } from "agnes/kit";
import { tableFromJSON, type RecordBatch, type Schema } from "apache-arrow";

import { copyToParquet, openDatabase } from "../lib/duckdb/mod.ts";

const { values } = parseArgs({ options: { rows: { type: "string", default: "500000" } } });
const rowCount = Number(values.rows);
const pageRows = 8192;

const orders = table("orders", {
  id: int64({ nullable: false }),
  name: utf8(),
  token: utf8(),
  amount: float64(),
  ts: timestamp(),
  flag: bool(),
  qty: int32(),
  price: decimal(18, 2),
});

/** Pages as a REST source gives them: parsed from JSON, moments as text, decimals as text. */
function page(start: number): Record<string, unknown>[] {
  const rows = Array.from({ length: Math.min(pageRows, rowCount - start) }, (_, at) => {
    const i = start + at;
    return {
      id: i,
      name: `name ${i % 97 === 0 ? "é" : "e"}x ${(i * 7919) % 10000} abcdefghi`,
      token: `${((i * 2654435761) >>> 0).toString(16).padStart(8, "0").repeat(3)}abc`,
      amount: i / 7,
      ts: new Date(1_600_000_000_000 + i * 1003).toISOString(),
      flag: i % 10 === 0 ? null : i % 2 === 0,
      qty: i % 33 === 0 ? null : i % 1000,
      price: String((i % 20_000_000) / 100),
    };
  });
  return JSON.parse(JSON.stringify(rows)) as Record<string, unknown>[];
}

type Convert = (rows: Record<string, unknown>[]) => readonly RecordBatch[];

const builder = createRowBuilder(orders, { batchRows: pageRows });
const byBuilder: Convert = (rows) => builder.append(rows);
const byArrow: Convert = (rows) => tableFromJSON(rows).batches;

/** Rows per second of converting alone. */
function convertAll(convert: Convert): number {
  let elapsedMs = 0;
  for (let start = 0; start < rowCount; start += pageRows) {
    const rows = page(start);
    const startedMs = performance.now();
    convert(rows);
    elapsedMs += performance.now() - startedMs;
  }
  return rowCount / (elapsedMs / 1000);
}

/** Rows per second of converting and writing. */
async function writeAll(convert: Convert, schema: Schema): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), "agnes-bench-"));
  await using database = await openDatabase();
  let makingMs = 0;
  async function* open() {
    for (let start = 0; start < rowCount; start += pageRows) {
      const makingSince = performance.now();
      const rows = page(start);
      makingMs += performance.now() - makingSince;
      yield* convert(rows);
      // A connector waits for its source between two pages; so does this one, for the same turn of the loop.
      await new Promise((resolve) => setImmediate(resolve));
    }
    yield* builder.finish();
  }
  try {
    const startedMs = performance.now();
    const { rows } = await copyToParquet(
      database,
      { kind: "stream", source: { schema, open } },
      join(directory, "rows.parquet"),
    );
    if (rows !== rowCount) throw new Error(`wrote ${rows} rows instead of ${rowCount}`);
    return rowCount / ((performance.now() - startedMs - makingMs) / 1000);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

// Both are warm before either is measured.
for (let i = 0; i < 20; i += 1) {
  createRowBuilder(orders, { batchRows: pageRows }).append(page(0));
  byArrow(page(0));
}
const arrowSchema = tableFromJSON(page(0)).schema;
const builderConverts = convertAll(byBuilder);
builder.finish();
const arrowConverts = convertAll(byArrow);
const builderWrites = await writeAll(byBuilder, orders.schema);
const arrowWrites = await writeAll(byArrow, arrowSchema);
const ratio = (ours: number, theirs: number) => Number((ours / theirs).toFixed(2));
console.log(
  JSON.stringify({
    rows: rowCount,
    columns: orders.schema.fields.length,
    convert: {
      rowBuilderRowsPerSecond: Math.round(builderConverts),
      tableFromJsonRowsPerSecond: Math.round(arrowConverts),
      ratio: ratio(builderConverts, arrowConverts),
    },
    convertAndWrite: {
      rowBuilderRowsPerSecond: Math.round(builderWrites),
      tableFromJsonRowsPerSecond: Math.round(arrowWrites),
      ratio: ratio(builderWrites, arrowWrites),
    },
  }),
);
