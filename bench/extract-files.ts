/**
 * Files through the whole runtime to a published extract, against one bare COPY of DuckDB that reads the same file with
 * the same explicit options into the same Parquet, in the order of the file as DuckDB does by itself: CSV, NDJSON and
 * Parquet. A known table comes with its reading, a first one is looked at before. The figures are the medians of the
 * rounds, the ratios those within a round: the speed of a machine changes from one round to the next.
 *
 *   npx bun bench/extract-files.ts [--rows 3000000] [--rounds 7] [--only ndjson]
 */
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { inspectFiles, openDatabase, openStream, quoteIdentifier, quoteLiteral } from "../lib/duckdb/mod.ts";
import type { FileChunk, FileReading, TableInfo } from "../lib/kit/mod.ts";
import { orders, pooledBatches } from "./extract-data.ts";
import { extractOne } from "./extract-one.ts";

const { values } = parseArgs({
  options: {
    rows: { type: "string", default: "3000000" },
    rounds: { type: "string", default: "7" },
    only: { type: "string" },
  },
});
const rows = Number(values.rows);
const directory = await mkdtemp(join(tmpdir(), "agnes-bench-"));
const formats = [
  { format: "csv", write: "FORMAT csv, HEADER" },
  { format: "ndjson", write: "FORMAT json" },
  { format: "parquet", write: "FORMAT parquet, COMPRESSION zstd" },
] as const;

/** Seconds, and those of all processors. */
interface Spent {
  readonly seconds: number;
  readonly cpu: number;
}

/** The relation that DuckDB reads by itself, with all options that the reading has. */
function bareRelation(path: string, { format, csv, columns }: FileReading): string {
  const types = `{${columns.map(({ name, type }) => `${quoteIdentifier(name)}: ${quoteLiteral(type)}`).join(", ")}}`;
  if (format === "parquet") return `read_parquet(${quoteLiteral(path)})`;
  if (format !== "csv")
    return `read_json(${quoteLiteral(path)}, format = 'newline_delimited', columns = ${types})`;
  return `read_csv(${quoteLiteral(path)}, auto_detect = false, header = true, skip = 0, comment = '', strict_mode = true,
    delim = ${quoteLiteral(csv!.delimiter)}, quote = ${quoteLiteral(csv!.quote)}, escape = ${quoteLiteral(csv!.escape)}, columns = ${types})`;
}

try {
  await using database = await openDatabase();
  await using connection = await database.connect();
  const stream = openStream(database, { schema: orders.schema, open: pooledBatches(rows) });
  await connection.run(`CREATE TABLE t AS SELECT * FROM ${stream.relation}`);
  stream.close();
  const chosen = formats.filter(({ format }) => values.only === undefined || values.only === format);
  for (const { format, write } of chosen) {
    await connection.run(`COPY t TO '${join(directory, `rows.${format}`)}' (${write})`);
  }
  await connection.run("DROP TABLE t");

  const extracted = async (chunk: FileChunk, info: TableInfo) => {
    const target = join(directory, "extract");
    const stats = await extractOne(target, info, async function* () {
      yield chunk;
    });
    if (stats.totalRows !== rows) throw stats.errors[0]?.error ?? new Error(`${stats.totalRows} rows`);
    await rm(target, { recursive: true });
  };
  const timed = async (work: () => Promise<unknown>) => {
    const [start, before] = [performance.now(), process.cpuUsage()];
    await work();
    const { user, system } = process.cpuUsage(before);
    return { seconds: (performance.now() - start) / 1000, cpu: (user + system) / 1e6 };
  };

  for (const { format } of chosen) {
    const path = join(directory, `rows.${format}`);
    const look = () => inspectFiles(connection, [{ path }], { format });
    const { reading, schema } = await look();
    const info: TableInfo = { name: orders.name, schema, primaryKey: [] };
    const chunk = (how: FileReading | null): FileChunk => ({
      kind: "file",
      format,
      data: path,
      reading: how!,
    });
    const ways = {
      bare: () =>
        connection.run(
          `COPY (SELECT * FROM ${bareRelation(path, reading!)}) TO '${join(directory, "bare.parquet")}'
           (FORMAT parquet, PARQUET_VERSION v1, COMPRESSION zstd, COMPRESSION_LEVEL 1, PRESERVE_ORDER true)`,
        ),
      known: () => extracted(chunk(reading), info),
      first: async () => extracted(chunk((await look()).reading), info),
    };
    const rounds: Record<keyof typeof ways, Spent>[] = [];
    for (let round = 0; round < Number(values.rounds); round++) {
      const bare = await timed(ways.bare);
      // What it left to be written to the disk must not be paid for by the others, which sync their files.
      await rm(join(directory, "bare.parquet"));
      const [known, first] = [await timed(ways.known), await timed(ways.first)];
      rounds.push({ bare, known, first });
    }
    const megabytes = Math.round((await stat(path)).size / 1e6);
    const middle = (of: (round: (typeof rounds)[number]) => number) =>
      rounds
        .map(of)
        .toSorted((one, other) => one - other)
        [Math.floor(rounds.length / 2)]!.toFixed(2);
    const against = (variant: "known" | "first") =>
      `${middle((round) => round[variant].seconds)} s, ratio ${middle((round) => round[variant].seconds / round.bare.seconds)}, ` +
      `of processor time ${middle((round) => round[variant].cpu / round.bare.cpu)}`;
    const bareCpu = middle(({ bare }) => bare.cpu);
    console.log(
      `${format}, ${megabytes} MB: bare ${middle(({ bare }) => bare.seconds)} s (${bareCpu} s of processor time)`,
    );
    console.log(`  known: ${against("known")} (at most 1.15)`);
    console.log(`  first: ${against("first")} (at most 2.0)`);
  }
} finally {
  await rm(directory, { recursive: true, force: true });
}
