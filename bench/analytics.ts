/**
 * What a rebuild of `analytics.duckdb` costs for 100, 1,000 and 5,000 tables in ten sources: from scratch, nothing changed, one table of
 * one source changed, and the first query of a process afterwards.
 *
 *     npx bun bench/analytics.ts [--tables 100,1000,5000]
 */
import { mkdir, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { createHost, silentLog } from "../lib/base/mod.ts";
import { analyticsPath } from "../lib/analytics/mod.ts";
import { rebuildAnalytics } from "../lib/analytics/rebuild.ts";
import { openDatabase, quoteLiteral } from "../lib/duckdb/mod.ts";
import { openQuerySession } from "../lib/query/mod.ts";

const SOURCES = 10;
const services = { host: createHost(), log: silentLog, limits: { memoryMb: 1024 } };
const { values } = parseArgs({ options: { tables: { type: "string", default: "100,1000,5000" } } });

console.log("tables  full ms  per table ms  unchanged ms  one source changed ms  first query ms  file KB");
for (const count of values.tables.split(",").map(Number)) {
  const data = await mkdtemp(join(tmpdir(), "agnes-bench-analytics-"));
  try {
    console.log(await measure(data, count));
  } finally {
    await rm(data, { recursive: true, force: true });
  }
}

async function measure(data: string, count: number): Promise<string> {
  for (let source = 0; source < SOURCES; source += 1) await publish(data, `s${source}`, count / SOURCES, 1);
  // Files written just now are looked at twice; a real one is seldom that young.
  await Bun.sleep(100);
  const full = await timed(() => rebuild(data));
  const unchanged = await timed(() => rebuild(data));
  await publish(data, "s3", count / SOURCES, 2);
  await Bun.sleep(100);
  const changed = await timed(() => rebuild(data));
  const query = await timed(async () => {
    await using session = openQuerySession(services, { dataDirectory: data });
    const result = await session.runQuery({ sql: "SELECT count(*) FROM s3_t0" });
    for await (const _batch of result.batches);
  });
  const { size } = await stat(analyticsPath(data));
  return [count, full, (full / count).toFixed(2), unchanged, changed, query, Math.round(size / 1024)]
    .map((cell, column) => String(cell).padStart([6, 8, 13, 13, 22, 15, 8][column]!))
    .join(" ");
}

function rebuild(data: string) {
  return rebuildAnalytics(services, { dataDirectory: data, owners: null });
}

/** An extract as the runtime writes it, of which only the first table differs between versions. */
async function publish(data: string, source: string, tables: number, version: number): Promise<void> {
  const directory = join(data, "extracts", source);
  await mkdir(join(directory, "data"), { recursive: true });
  const part = (name: string) => quoteLiteral(join(directory, "data", `${name}.parquet`));
  const path = join(directory, "extract.duckdb");
  await rm(path, { force: true });
  await using database = await openDatabase({ path });
  await using connection = await database.connect();
  const names = ["same", `first-${version}`];
  for (const name of names) {
    await connection.run(
      `COPY (SELECT range AS id, 'x' AS a, 1.5 AS b, now() AS c FROM range(100)) TO ${part(name)} (FORMAT parquet)`,
    );
  }
  await connection.run(
    `CREATE TABLE _meta (table_name VARCHAR NOT NULL, description VARCHAR, rows BIGINT, size_bytes BIGINT,
       extracted_at TIMESTAMP, query_mode VARCHAR);
     CREATE TABLE _generation AS SELECT ${version}::BIGINT AS number, ${quoteLiteral(directory)} AS directory;
     CREATE TABLE _cursor (table_name VARCHAR, source_columns VARCHAR, remote VARCHAR);
     INSERT INTO _meta SELECT '${source}_t' || range, '', 100, 1000, now()::TIMESTAMP, 'local' FROM range(${tables});
     BEGIN;
     ${Array.from({ length: tables }, (_, n) => `CREATE VIEW ${source}_t${n} AS SELECT id, a, b, c FROM read_parquet([${part(n === 0 ? names[1]! : names[0]!)}]);`).join("\n")}
     COMMIT; CHECKPOINT;`,
  );
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return Math.round(performance.now() - started);
}
