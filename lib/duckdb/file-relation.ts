import { AgnesError } from "../base/mod.ts";
import type { FileChunk } from "../kit/mod.ts";
import { escapeGlob, quoteIdentifier, quoteLiteral } from "./sql.ts";

/** A file chunk on disk. */
export type LocalFileChunk = FileChunk & { readonly data: string };

/** What is known beside the chunk. */
export interface RelationHints {
  /**
   * For JSON: the DuckDB types of all its columns. Nothing is sniffed then, and a value asked for as text is the text
   * that stands in the file.
   */
  readonly columns?: Readonly<Record<string, string>>;
  /** For CSV: how many rows are sniffed. Default 20480. */
  readonly sampleRows?: number;
}

/**
 * The SQL that reads a file chunk, for use after `FROM`.
 *
 * What the chunk leaves out is sniffed over the whole file's start; `types` overrides columns by name. The path is
 * taken as it is: glob characters in it stand for themselves.
 *
 * @throws `invalid_input` when options do not go with the format
 */
export function fileRelation(chunk: LocalFileChunk, hints: RelationHints = {}): string {
  const path = quoteLiteral(escapeGlob(chunk.data));
  switch (chunk.format) {
    case "parquet":
      if (chunk.types !== undefined || chunk.csv !== undefined) {
        throw misplaced(chunk, "a Parquet file carries its own types and has no csv options");
      }
      return `read_parquet([${path}]${options(NOT_PARTITIONED)})`;
    case "csv":
      return `read_csv([${path}]${options({ ...NOT_PARTITIONED, ...compression(chunk), ...csvOptions(chunk, hints) })})`;
    case "ndjson":
    case "json":
      if (chunk.csv !== undefined) throw misplaced(chunk, "csv options do not go with it");
      return hints.columns === undefined
        ? withTypes(
            `read_json([${path}]${options({ ...compression(chunk), ...jsonOptions(chunk) })})`,
            chunk.types,
          )
        : `read_json([${path}]${options({ ...compression(chunk), ...jsonOptions(chunk), columns: record(hints.columns) })})`;
  }
}

/** DuckDB makes a column of a folder called `year=2024` unless it is told not to. */
const NOT_PARTITIONED = { hive_partitioning: "false" };

/** Options of a reader as SQL; the values are SQL already. */
function options(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => `, ${name} = ${value}`)
    .join("");
}

function compression({ data, compression = "auto" }: LocalFileChunk): Record<string, string> {
  if (compression === "none") return UNCOMPRESSED;
  if (compression !== "auto") return { compression: quoteLiteral(compression) };
  if (/\.(gz|gzip)$/i.test(data)) return { compression: "'gzip'" };
  if (/\.(zst|zstd)$/i.test(data)) return { compression: "'zstd'" };
  return UNCOMPRESSED;
}

// The JSON reader does not know the other word for it, `none`.
const UNCOMPRESSED = { compression: "'uncompressed'" };

function csvOptions({ csv = {}, types }: LocalFileChunk, hints: RelationHints): Record<string, string> {
  const text = (name: string, value: string | undefined) =>
    value === undefined ? {} : { [name]: quoteLiteral(value) };
  return {
    ...text("delim", csv.delimiter),
    ...text("quote", csv.quote),
    ...text("escape", csv.escape),
    ...(csv.header === undefined ? {} : { header: String(csv.header) }),
    ...(csv.nullValues === undefined ? {} : { nullstr: list(csv.nullValues) }),
    ...text("dateformat", csv.dateFormat),
    ...text("timestampformat", csv.timestampFormat),
    ...(csv.names === undefined ? {} : { names: list(csv.names) }),
    ...text("encoding", csv.encoding),
    ...(types === undefined ? {} : { types: record(types) }),
    sample_size: String(hints.sampleRows ?? 20_480),
  };
}

/** DuckDB's JSON reader takes the types of all columns or of none. */
function withTypes(relation: string, types: Readonly<Record<string, string>> = {}): string {
  const casts = Object.entries(types).map(
    ([name, type]) => `CAST(${quoteIdentifier(name)} AS ${type}) AS ${quoteIdentifier(name)}`,
  );
  return casts.length === 0 ? relation : `(SELECT * REPLACE (${casts.join(", ")}) FROM ${relation})`;
}

function jsonOptions({ format }: LocalFileChunk): Record<string, string> {
  return {
    ...NOT_PARTITIONED,
    format: format === "ndjson" ? "'newline_delimited'" : "'auto'",
    // Twice DuckDB's own. Every thread takes a buffer of two such objects at once, so larger ones cost everybody.
    maximum_object_size: "33554432",
  };
}

function list(texts: readonly string[]): string {
  return `[${texts.map(quoteLiteral).join(", ")}]`;
}

function record(types: Readonly<Record<string, string>>): string {
  return `{${Object.entries(types)
    .map(([name, type]) => `${quoteIdentifier(name)}: ${quoteLiteral(type)}`)
    .join(", ")}}`;
}

function misplaced(chunk: LocalFileChunk, reason: string): AgnesError {
  return new AgnesError("invalid_input", { what: `the ${chunk.format} file ${chunk.data}`, reason });
}
