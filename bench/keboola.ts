/**
 * A table through the whole connector `keboola` and the runtime to a published extract, against one bare COPY of DuckDB
 * that reads the same slices from the disk with the same types into the same Parquet. DuckDB keeps the order of the slices, as
 * by default, and the runtime does not. The
 * values of the slices are text, as the warehouse unloads them. The slices come from the fake of the tests, in a process
 * of its own, whose jobs end at once. Then the peak memory at 1M and 20M rows, each in a process of its own, and the most
 * slices that were open at once of 1,200.
 *
 *   npx bun bench/keboola.ts [--rows 5000000] [--slices 40] [--rounds 3] [--only csv] [--no-memory] [--no-many]
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { createHost } from "../lib/base/mod.ts";
import { openDatabase, quoteIdentifier, quoteLiteral } from "../lib/duckdb/mod.ts";
import plugin from "../plugins/keboola/plugin.ts";
import { median, publishTable, timed, type Spent } from "./connector.ts";
import { peakMemoryMb } from "./extract-data.ts";
import { serveKeboola, type ServedKeboola } from "./keboola-server.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rows: { type: "string", default: "5000000" },
    slices: { type: "string", default: "40" },
    rounds: { type: "string", default: "3" },
    only: { type: "string" },
    memory: { type: "boolean", default: true },
    many: { type: "boolean", default: true },
    child: { type: "string" },
  },
  allowNegative: true,
});

/** More slices are repetitions. */
const DIFFERENT_SLICES = 8;
/** Rows of a slice whose memory is measured. */
const SLICE_ROWS = 125_000;
const formats = ["csv", "parquet"] as const;
type Format = (typeof formats)[number];
const chosen = formats.filter((format) => values.only === undefined || values.only === format);

/** The columns: their types in Snowflake and in DuckDB, and the SQL of the text of row `i`. */
const columns = [
  { name: "id", type: "NUMBER", length: "18,0", as: "BIGINT", text: "i" },
  {
    name: "customer",
    type: "VARCHAR",
    as: "VARCHAR",
    text: "'customer ' || (i * 7919 % 10000) || ' & partners é'",
  },
  { name: "token", type: "VARCHAR", as: "VARCHAR", text: "md5(i::VARCHAR)" },
  {
    name: "amount",
    type: "NUMBER",
    length: "18,2",
    as: "DECIMAL(18,2)",
    text: "(hash(i) % 20000000 / 100)::DECIMAL(18,2)",
  },
  {
    name: "price",
    type: "NUMBER",
    length: "12,4",
    as: "DECIMAL(12,4)",
    text: "(hash(i + 1) % 1000000 / 1000)::DECIMAL(12,4)",
  },
  { name: "score", type: "FLOAT", as: "DOUBLE", text: "hash(i + 2) % 1000000 / 64" },
  { name: "quantity", type: "NUMBER", length: "9,0", as: "BIGINT", text: "hash(i + 3) % 1000" },
  { name: "is_paid", type: "BOOLEAN", as: "BOOLEAN", text: "hash(i + 4) % 3 = 0" },
  { name: "day", type: "DATE", as: "DATE", text: "DATE '2020-01-01' + (i % 2000)::INTEGER" },
  {
    name: "created",
    type: "TIMESTAMP_NTZ",
    as: "TIMESTAMP",
    text: "strftime(TIMESTAMP '2020-01-01' + to_seconds(i * 7), '%Y-%m-%d %H:%M:%S.%g')",
  },
  {
    name: "updated",
    type: "TIMESTAMP_TZ",
    as: "TIMESTAMP WITH TIME ZONE",
    text: "strftime(TIMESTAMP '2021-01-01' + to_seconds(i * 5), '%Y-%m-%d %H:%M:%S.%g') || ' Z'",
  },
  {
    name: "note",
    type: "VARCHAR",
    as: "VARCHAR",
    text: "CASE WHEN i % 10 <> 0 THEN 'note ' || (i % 500) END",
  },
] as const;

const directory = await mkdtemp(join(tmpdir(), "agnes-bench-"));
try {
  if (values.child !== undefined) await child(values.child as Format);
  else await parent();
} finally {
  await rm(directory, { recursive: true, force: true });
}

async function parent(): Promise<void> {
  const rows = Number(values.rows);
  for (const format of chosen) {
    const paths = await writeSlices(format, rows, Number(values.slices));
    await compare(format, paths, rows);
    for (const path of new Set(paths)) await rm(path);
    if (!values.memory) continue;
    const repeated = await writeSlices(format, 8 * SLICE_ROWS, 8);
    const [small, large] = [
      await memoryOf(repeated, format, 1_000_000),
      await memoryOf(repeated, format, 20_000_000),
    ];
    console.log(
      `  peak memory: ${small} MB at 1M rows, ${large} MB at 20M, ratio ${(large / small).toFixed(2)} (at most 1.15)`,
    );
  }
  if (values.many) await manySlices();
}

async function compare(format: Format, paths: readonly string[], rows: number): Promise<void> {
  const bare = join(directory, "bare.parquet");
  const target = join(directory, "extract");
  const rounds: Record<"bare" | "connector", Spent>[] = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    const alone = await timed(() => copyAlone(format, paths, bare));
    // What it left to be written to the disk must not be paid for by the connector, which syncs its files.
    await rm(bare);
    const connector = await serve(format, paths, rows, (keboola) =>
      timed(() => extract(keboola, rows, target)),
    );
    await rm(target, { recursive: true });
    rounds.push({ bare: alone, connector });
  }
  const middle = (of: (round: (typeof rounds)[number]) => number) => median(rounds, of);
  console.log(`${format}, ${rows} rows × ${columns.length} columns in ${paths.length} slices`);
  console.log(
    `  DuckDB alone: ${middle((one) => one.bare.seconds)} s, ${middle((one) => one.bare.cpu)} s of processor time`,
  );
  console.log(
    `  connector and runtime: ${middle((one) => one.connector.seconds)} s, ${middle((one) => one.connector.cpu)} s of processor time`,
  );
  console.log(
    `  ratio ${middle((one) => one.bare.seconds / one.connector.seconds)}, of processor time ` +
      `${middle((one) => one.bare.cpu / one.connector.cpu)} (at least ${format === "csv" ? 0.85 : 0.9})`,
  );
}

/** Downloads 1,200 slices and reports how many were open at once. */
async function manySlices(): Promise<void> {
  const [path] = await writeSlices("csv", 1000, 1);
  const rows = 1_200_000;
  const openSlicesMax = await serve("csv", Array<string>(1200).fill(path!), rows, (keboola) =>
    extract(keboola, rows, join(directory, "many")),
  );
  console.log(`1,200 slices: at most ${openSlicesMax} open at once (at most 8)`);
}

/** The peak memory of a process that extracts a number of rows, in slices of 125,000 that are repeated. */
async function memoryOf(paths: readonly string[], format: Format, rows: number): Promise<number> {
  const slices = Array.from({ length: rows / SLICE_ROWS }, (_, at) => paths[at % paths.length]!);
  const parameters = ["--child", format, "--rows", String(rows), ...slices];
  const child = Bun.spawn([process.execPath, import.meta.path, ...parameters], { stdout: "pipe" });
  const [text, status] = await Promise.all([new Response(child.stdout).text(), child.exited]);
  if (status !== 0) throw new Error(`the process with ${rows} rows ended with ${status}`);
  return Number(text);
}

async function child(format: Format): Promise<void> {
  const rows = Number(values.rows);
  await serve(format, positionals, rows, (keboola) => extract(keboola, rows, join(directory, "extract")));
  console.log(await peakMemoryMb());
}

/** Writes slices of text values, as the warehouse unloads them. */
async function writeSlices(format: Format, rows: number, slices: number): Promise<readonly string[]> {
  await using database = await openDatabase();
  await using connection = await database.connect();
  const write =
    format === "csv"
      ? "FORMAT csv, HEADER false, COMPRESSION gzip, FORCE_QUOTE *"
      : "FORMAT parquet, COMPRESSION snappy";
  const texts = columns.map(({ name, text }) => `CAST(${text} AS VARCHAR) AS ${name}`).join(", ");
  const size = rows / slices;
  const paths: string[] = [];
  for (let at = 0; at < slices; at += 1) {
    // Compressing takes longer than all rounds.
    if (at >= DIFFERENT_SLICES) {
      paths.push(paths[at % DIFFERENT_SLICES]!);
      continue;
    }
    const path = join(directory, `${format}-${rows}-${at}.${format === "csv" ? "csv.gz" : "parquet"}`);
    const range = `range(${at * size}, ${(at + 1) * size}) t(i)`;
    await connection.run(`COPY (SELECT ${texts} FROM ${range}) TO ${quoteLiteral(path)} (${write})`);
    paths.push(path);
  }
  return paths;
}

/** DuckDB by itself, with the options of the runtime for the file that it writes. */
async function copyAlone(format: Format, paths: readonly string[], target: string): Promise<void> {
  await using database = await openDatabase({
    settings: { preserve_insertion_order: "true" },
  });
  await using connection = await database.connect();
  const list = paths.map(quoteLiteral).join(", ");
  await connection.run("SET TimeZone = 'UTC'");
  const texts = columns.map(({ name }) => `${quoteIdentifier(name)}: 'VARCHAR'`).join(", ");
  const relation =
    format === "parquet"
      ? `read_parquet([${list}])`
      : `read_csv([${list}], auto_detect = false, header = false, delim = ',', quote = '"', escape = '"', nullstr = '',
          allow_quoted_nulls = false, strict_mode = true, compression = 'gzip', columns = {${texts}})`;
  const select = columns.map(({ name, as }) => `CAST(${textOf(name, as)} AS ${as}) AS ${name}`).join(", ");
  await connection.run(
    `COPY (SELECT ${select} FROM ${relation}) TO ${quoteLiteral(target)}
     (FORMAT parquet, PARQUET_VERSION v1, COMPRESSION zstd, COMPRESSION_LEVEL 1, PRESERVE_ORDER true)`,
  );
}

/** DuckDB takes a space before an offset for the name of a time zone. */
function textOf(name: string, type: string): string {
  return type === "TIMESTAMP WITH TIME ZONE" ? `replace(${name}, ' Z', 'Z')` : name;
}

/** Serves a table whose export is these slices. */
async function serve<T>(
  format: Format,
  paths: readonly string[],
  rows: number,
  use: (keboola: ServedKeboola) => Promise<T>,
): Promise<T> {
  const served = columns.map(({ name, type, ...rest }) => ({
    name,
    type,
    ...("length" in rest ? { length: rest.length } : {}),
  }));
  await using keboola = await serveKeboola({ format, columns: served, paths, rows });
  return await use(keboola);
}

/** Extracts the table. Returns the most slices that were open at once. */
async function extract(keboola: ServedKeboola, rows: number, target: string): Promise<number> {
  const host = createHost({ fetch: keboola.fetch, env: { KEBOOLA_STORAGE_TOKEN: keboola.token } });
  const options = { url: `${keboola.stack}/`, allowPrivateAddress: true };
  await publishTable({ host, plugin, options, target, rows });
  return keboola.openSlicesMax();
}
