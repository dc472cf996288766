/**
 * Row objects → Arrow: the kit's row builder against `tableFromJSON`, in one run on the same rows.
 *
 *   bun bench/rows.ts [--rows 500000]
 */
import { parseArgs } from "node:util";

import { bool, createRowBuilder, decimal, float64, int32, int64, table, timestamp, utf8 } from "agnes/kit";
import { tableFromJSON } from "apache-arrow";

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

/** Rows per second, the pages' own making left out. */
function measure(convert: (rows: Record<string, unknown>[]) => void): number {
  let elapsedMs = 0;
  for (let start = 0; start < rowCount; start += pageRows) {
    const rows = page(start);
    const startedMs = performance.now();
    convert(rows);
    elapsedMs += performance.now() - startedMs;
  }
  return rowCount / (elapsedMs / 1000);
}

const builder = createRowBuilder(orders, { batchRows: pageRows });
const warm = createRowBuilder(orders, { batchRows: pageRows });
for (let i = 0; i < 20; i += 1) {
  warm.append(page(0));
  tableFromJSON(page(0));
}
const ours = measure((rows) => void builder.append(rows));
const theirs = measure((rows) => void tableFromJSON(rows));
console.log(
  JSON.stringify({
    rows: rowCount,
    columns: orders.schema.fields.length,
    rowBuilderRowsPerSecond: Math.round(ours),
    tableFromJsonRowsPerSecond: Math.round(theirs),
    ratio: Number((ours / theirs).toFixed(2)),
  }),
);
