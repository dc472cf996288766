import { AgnesError, type arrow, type CsvOptions, type DuckDBEngine } from "agnes/kit";

import type { SourceFormat } from "./options.ts";

/** The columns of a file or table with their DuckDB types, in order. */
export type Shape = ReadonlyMap<string, string>;

/** What one file tells: its columns, and whether it has no row, so that their types mean nothing. */
export interface FileShape {
  readonly shape: Shape;
  readonly isEmpty: boolean;
}

/** How one kind of file is read. */
export interface Reading {
  readonly format: SourceFormat;
  readonly csv: CsvOptions;
}

/** How much of a table is sniffed as a whole, so that no late value surprises the read. */
export const SNIFFED_WHOLE_BYTES = 64 * 1024 * 1024;
/** Of each file beyond that, this many rows. */
const SNIFFED_ROWS = 100_000;
/** A larger file has a row for sure, or fails to be read as what it should be. */
const MAYBE_EMPTY_BYTES = 64 * 1024;

/** The columns of one file; `null` when it holds nothing that tells. `isWhole`: no row may be left out. */
export async function shapeOf(
  engine: DuckDBEngine,
  path: string,
  reading: Reading,
  options: { readonly sizeBytes: number; readonly isWhole: boolean; readonly signal: AbortSignal },
): Promise<FileShape | null> {
  const { sizeBytes, signal } = options;
  if (sizeBytes === 0) return null;
  const relation = relationOf(path, reading, options.isWhole);
  try {
    const isEmpty =
      sizeBytes <= MAYBE_EMPTY_BYTES &&
      reading.format !== "parquet" &&
      (await rowsOf(engine, `SELECT 1 FROM ${relation} LIMIT 1`, signal)).length === 0;
    // Without a row, JSON has no columns.
    if (isEmpty && (reading.format === "json" || reading.format === "ndjson")) return null;
    const shape = await describe(engine, `SELECT * FROM ${relation}`, signal);
    return { shape, isEmpty };
  } catch (error) {
    if (signal.aborted || !(error instanceof AgnesError)) throw error;
    throw new AgnesError("file_unreadable", { path, reason: reasonOf(error) }, { cause: error });
  }
}

/** The columns that all files together have: every name, with a type that holds the values of each file. */
export async function mergeShapes(
  engine: DuckDBEngine,
  shapes: readonly Shape[],
  format: SourceFormat,
  signal: AbortSignal,
): Promise<Shape> {
  const merged = new Map<string, string>();
  for (const [name, type] of shapes.flatMap((shape) => [...shape])) {
    const before = merged.get(name);
    merged.set(name, before === undefined ? type : await wider(engine, before, type, format, signal));
  }
  return merged;
}

/** The Arrow schema of columns. */
export async function schemaOf(
  engine: DuckDBEngine,
  shape: Shape,
  signal: AbortSignal,
): Promise<arrow.Schema> {
  const columns = [...shape].map(([name, type]) => `CAST(NULL AS ${type}) AS ${quoted(name)}`);
  const answer = await engine.query(`SELECT ${columns.join(", ")} LIMIT 0`, { signal });
  for await (const _ of answer.batches);
  return answer.schema;
}

async function wider(
  engine: DuckDBEngine,
  one: string,
  other: string,
  format: SourceFormat,
  signal: AbortSignal,
): Promise<string> {
  if (one === other) return one;
  if (format === "parquet" || (isNested(one) && isNested(other))) {
    const both = `SELECT CAST(NULL AS ${one}) AS c UNION ALL SELECT CAST(NULL AS ${other})`;
    return (await describe(engine, both, signal)).get("c")!;
  }
  const pair = new Set([one, other]);
  if ([...pair].every((type) => NUMERIC.test(type))) return "DOUBLE";
  if ([...pair].every((type) => type === "DATE" || type === "TIMESTAMP")) return "TIMESTAMP";
  // What is written as text can always be read as text.
  return format === "csv" || format === "tsv" ? "VARCHAR" : "JSON";
}

const NUMERIC = /^(BIGINT|UBIGINT|HUGEINT|DOUBLE)$/;
const isNested = (type: string) => type.startsWith("STRUCT(") || type.endsWith("[]");

function relationOf(path: string, { format, csv }: Reading, isWhole: boolean): string {
  const file = `[${literal(escapeGlob(path))}]`;
  const sample = `sample_size = ${isWhole ? -1 : SNIFFED_ROWS}`;
  if (format === "parquet") return `read_parquet(${file}, ${NOT_PARTITIONED})`;
  if (format === "json" || format === "ndjson") {
    const lines = format === "ndjson" ? ", format = 'newline_delimited'" : "";
    return `read_json(${file}, ${NOT_PARTITIONED}, ${sample}${lines})`;
  }
  const settings: readonly (readonly [string, string | undefined])[] = [
    ["delim", csv.delimiter === undefined ? undefined : literal(csv.delimiter)],
    ["quote", csv.quote === undefined ? undefined : literal(csv.quote)],
    ["escape", csv.escape === undefined ? undefined : literal(csv.escape)],
    ["header", csv.header === undefined ? undefined : String(csv.header)],
    ["names", csv.names === undefined ? undefined : literals(csv.names)],
    ["nullstr", csv.nullValues === undefined ? undefined : literals(csv.nullValues)],
    ["dateformat", csv.dateFormat === undefined ? undefined : literal(csv.dateFormat)],
    ["timestampformat", csv.timestampFormat === undefined ? undefined : literal(csv.timestampFormat)],
    ["encoding", csv.encoding === undefined ? undefined : literal(csv.encoding)],
  ];
  const given = settings
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `, ${name} = ${value}`);
  return `read_csv(${file}, ${NOT_PARTITIONED}, ${sample}${given.join("")})`;
}

/** DuckDB makes a column of a folder called `year=2024` unless it is told not to. */
const NOT_PARTITIONED = "hive_partitioning = false";

/** DuckDB takes these characters of a path for a pattern; in brackets they are themselves. */
const escapeGlob = (path: string) => path.replace(/[*?[]/g, (character) => `[${character}]`);

async function describe(engine: DuckDBEngine, sql: string, signal: AbortSignal): Promise<Shape> {
  const rows = await rowsOf(engine, `SELECT column_name, column_type FROM (DESCRIBE ${sql})`, signal);
  return new Map(rows.map((row) => [String(row["column_name"]), String(row["column_type"])]));
}

/** The rows of a small answer as objects. */
async function rowsOf(
  engine: DuckDBEngine,
  sql: string,
  signal: AbortSignal,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const { batches } = await engine.query(sql, { signal });
  const rows: Readonly<Record<string, unknown>>[] = [];
  for await (const batch of batches) {
    for (const row of batch) rows.push(row.toJSON());
  }
  return rows;
}

/** Quotes a text for SQL. */
const literal = (text: string) => `'${text.replaceAll("'", "''")}'`;
const literals = (texts: readonly string[]) => `[${texts.map(literal).join(", ")}]`;
const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;

function reasonOf(error: AgnesError): string {
  const { reason } = error.details as { readonly reason?: unknown };
  const text = typeof reason === "string" ? reason : error.message;
  // DuckDB adds a page of settings and advice to its CSV errors.
  return text.split(/\n\s*\n|\nPossible|\n\s+file = /)[0]!.trim();
}
