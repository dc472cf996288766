/**
 * Row objects through the whole runtime to a published extract, against Arrow's own `tableFromJSON` and the same
 * Parquet writer. The pages are made beforehand.
 *
 *   npx bun bench/extract-rows.ts [--rows 2000000]
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { tableFromJSON } from "apache-arrow";

import { copyToParquet, openDatabase } from "../lib/duckdb/mod.ts";
import { float64, int64, table, utf8, bool } from "../lib/kit/mod.ts";
import { batchRows } from "./extract-data.ts";
import { extractOne } from "./extract-one.ts";

const { values } = parseArgs({ options: { rows: { type: "string", default: "2000000" } } });
const rows = Number(values.rows);
const info = table("orders", { id: int64(), name: utf8(), token: utf8(), amount: float64(), flag: bool() });
const pages = Array.from({ length: Math.ceil(rows / batchRows) }, (_, page) =>
  Array.from({ length: Math.min(batchRows, rows - page * batchRows) }, (_row, at) => {
    const id = page * batchRows + at;
    return {
      id,
      name: `customer ${(id * 7919) % 10_000}`,
      token: `${((id * 2654435761) >>> 0).toString(16)}-${id}`,
      amount: (id % 1_000_000) / 100 + 0.001,
      flag: id % 3 === 0,
    };
  }),
);
const directory = await mkdtemp(join(tmpdir(), "agnes-bench-"));

async function* readPages() {
  for (const page of pages) {
    await new Promise((resolve) => setImmediate(resolve));
    yield page;
  }
}

try {
  const plain: number[] = [];
  const runtime: number[] = [];
  for (let round = 0; round < 3; round++) {
    let start = performance.now();
    {
      await using database = await openDatabase();
      const schema = tableFromJSON(pages[0]!).schema;
      const open = async function* () {
        for await (const page of readPages()) yield* tableFromJSON(page).batches;
      };
      await copyToParquet(
        database,
        { kind: "stream", source: { schema, open } },
        join(directory, "plain.parquet"),
      );
    }
    plain.push((performance.now() - start) / 1000);
    start = performance.now();
    const stats = await extractOne(join(directory, `extract-${round}`), info, readPages);
    runtime.push((performance.now() - start) / 1000);
    if (stats.totalRows !== rows) throw stats.errors[0]?.error ?? new Error(`${stats.totalRows} rows`);
  }
  const [a, b] = [Math.min(...plain), Math.min(...runtime)];
  console.log(`tableFromJSON and the same writer: ${a.toFixed(2)} s, ${Math.round(rows / a / 1000)}k rows/s`);
  console.log(`rows through the runtime: ${b.toFixed(2)} s, ${Math.round(rows / b / 1000)}k rows/s`);
  console.log(`ratio ${(a / b).toFixed(2)} (at least 2.5)`);
} finally {
  await rm(directory, { recursive: true, force: true });
}
