import { createHost, silentLog, type Files, type Host } from "../../lib/base/mod.ts";
import { openDatabase } from "../../lib/duckdb/mod.ts";
import { extractSource, readExtract, type ExtractStats } from "../../lib/extract/mod.ts";
import { int64, table, type ReadOptions, type Row, type TableInfo } from "../../lib/kit/mod.ts";
import { connectorOf, incremental, sourceOf } from "./harness.ts";

/**
 * Two tables that grow by one round at each run, so that every generation can be told whole from torn: after round
 * `k` each has the ids 0 to 10k-1 once, three of each round but the last were changed by the round after.
 */
const columns = { id: int64({ nullable: false }), at: int64(), day: int64() };
const options = { primaryKey: ["id"], cursor: "at" };
const first = table("first_table", columns, options);
const second = table("second_table", columns, options);
const plans = [
  incremental(first),
  incremental(second, { strategy: "partitioned", partitionBy: "day", partitionGranularity: "year" }),
];

function* read(_: TableInfo, { cursor }: ReadOptions): Generator<Row[]> {
  const round = Number(cursor?.value ?? 0) + 1;
  const row = (id: number) => ({ id, at: round, day: 2000 + (id % 3) });
  const rows = Array.from({ length: 10 }, (_one, i) => row((round - 1) * 10 + i));
  yield rows;
  if (round > 1) yield [0, 1, 2].map((i) => row((round - 2) * 10 + i));
}

/** One run: both tables go one round on. */
export function runRound(directory: string, files?: Files, signal?: AbortSignal): Promise<ExtractStats> {
  const host: Host = createHost(files === undefined ? {} : { files });
  return extractSource(
    { host, log: silentLog, limits: { memoryMb: 256, threads: 1 } },
    {
      directory,
      source: sourceOf(connectorOf(read)),
      tables: plans,
      ...(signal === undefined ? {} : { signal }),
    },
  );
}

/** The round that a published generation is at; throws when it is not exactly one. */
export async function wholeRound(directory: string): Promise<number> {
  await using database = await openDatabase({
    path: `${directory}/extract.duckdb`,
    readOnly: true,
    limits: { threads: 1 },
  });
  await using connection = await database.connect();
  const [seen] = await connection.rows<Record<string, bigint | string | null>>(
    `SELECT (SELECT count(*) FROM first_table) AS n1, (SELECT count(DISTINCT id) FROM first_table) AS d1,
       (SELECT sum("at")::BIGINT FROM first_table) AS s1, (SELECT max("at") FROM first_table) AS m1,
       (SELECT count(*) FROM second_table) AS n2, (SELECT count(DISTINCT id) FROM second_table) AS d2,
       (SELECT sum("at")::BIGINT FROM second_table) AS s2, (SELECT max("at") FROM second_table) AS m2,
       (SELECT min(cursor_value) || '|' || max(cursor_value) FROM _cursor WHERE cursor_value IS NOT NULL) AS c,
       (SELECT string_agg(rows::VARCHAR, '|') FROM _meta) AS r`,
  );
  const k = Number(seen!["m1"]);
  const sum = BigInt(
    Array.from({ length: k }, (_, i) => 7 * (i + 1) + 3 * Math.min(i + 2, k)).reduce((a, b) => a + b, 0),
  );
  const n = BigInt(k) * 10n;
  const whole = {
    n1: n,
    d1: n,
    s1: sum,
    m1: BigInt(k),
    n2: n,
    d2: n,
    s2: sum,
    m2: BigInt(k),
    c: `${k}|${k}`,
    r: `${n}|${n}`,
  };
  for (const [name, value] of Object.entries(whole)) {
    if (seen![name] !== value)
      throw new Error(`${name} is ${String(seen![name])}, not ${String(value)}, in round ${k}`);
  }
  return k;
}

/** The round of what is published; 0 when nothing is. */
export async function publishedRound(directory: string): Promise<number> {
  return (await readExtract(directory)) === null ? 0 : wholeRound(directory);
}
