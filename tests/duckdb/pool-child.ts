// Run by pool.test.ts in a process whose thread pool has two threads; arguments: "ours" or "naive", a directory.
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import native from "@duckdb/node-bindings";
import * as arrow from "apache-arrow";

import { createHost } from "../../lib/base/mod.ts";
import { copyToParquet, createEngine, openDatabase, type StreamSource } from "../../lib/duckdb/mod.ts";
import { Feed } from "../../lib/duckdb/stream/feed.ts";
import { prepareSource, registerScanFunction, relationOf } from "../../lib/duckdb/stream/table-function.ts";

const STREAMS = 12;
const BATCHES = 15;
const ROWS = 1000;
const schema = new arrow.Schema([new arrow.Field("id", new arrow.Int32(), true)]);

function batchOf(start: number): arrow.RecordBatch {
  const data = Int32Array.from({ length: ROWS }, (_, row) => start + row);
  const child = arrow.makeData({ type: new arrow.Int32(), length: ROWS, nullCount: 0, data });
  return new arrow.RecordBatch(
    schema,
    arrow.makeData({ type: new arrow.Struct(schema.fields), length: ROWS, nullCount: 0, children: [child] }),
  );
}

// Each batch needs the pool twice: for a file and for a query of the source.
const source: StreamSource = {
  schema,
  async *open() {
    for (let batch = 0; batch < BATCHES; batch++) {
      await readFile(process.argv[1]!);
      const { batches } = await engine.query("SELECT sum(i) FROM range(10000) r(i)");
      for await (const _answer of batches);
      yield batchOf(batch * ROWS);
    }
  },
};

/** Holds a thread of the pool until its source has ended. */
async function naive(path: string): Promise<number> {
  const instance = await native.open(":memory:", native.create_config());
  const connection = await native.connect(instance);
  const registered = prepareSource(source, 2);
  registerScanFunction(connection, {
    sources: new Map([["1", registered]]),
    feedOf: () => new Feed(),
    idleMsMax: () => 20,
  });
  const relation = relationOf("1", registered);
  await native.query(connection, `COPY (SELECT * FROM ${relation}) TO '${path}' (FORMAT parquet)`);
  return BATCHES * ROWS;
}

async function main(): Promise<void> {
  const all = Array.from({ length: STREAMS }, async (_, index) => {
    const path = join(directory, `${index}.parquet`);
    if (process.argv[2] === "naive") return naive(path);
    return (await copyToParquet(await database, { kind: "stream", source }, path)).rows;
  });
  const rows = await Promise.all(all);
  await engine.close();
  await (await database).close();
  process.stdout.write(`done ${rows.reduce((sum, count) => sum + count, 0)}\n`);
}

const directory = process.argv[3]!;
const engine = createEngine(createHost(), {});
const database = openDatabase();
void main();
