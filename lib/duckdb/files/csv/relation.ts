import type { CsvDialect } from "../../../kit/mod.ts";
import { escapeGlob, quoteLiteral } from "../../sql.ts";
import { compressionOf } from "../open-bytes.ts";

/** A CSV file that DuckDB can read. */
export interface ReadableCsv {
  readonly path: string;
  readonly compression?: "auto" | "none" | "gzip" | "zstd";
  /** Whether one thread must read it, because DuckDB's parallel reader failed. */
  readonly isSequential?: boolean;
  /** Whether it is a rewritten copy, whose records end with a line feed. */
  readonly isCopy?: boolean;
}

/** The bytes that one of DuckDB's threads reads at once, of which it holds several. */
const BUFFER_BYTES = 32 * 1024 * 1024;

/** The table of kept bad records. */
export const BAD_RECORDS = "agnes_bad_records";

const BAD_RECORD_OPTIONS = {
  fail: {},
  skip: { ignore_errors: "true" },
  keep: {
    store_rejects: "true",
    rejects_table: quoteLiteral(BAD_RECORDS),
    rejects_scan: "'agnes_bad_scans'",
    rejects_limit: "0",
  },
} as const;

/** The name of a text column, by index. */
export const textColumn = (at: number): string => `c${at}`;

/** The types of columns that are read as text. */
export function textTypes(width: number): readonly string[] {
  return Array.from({ length: width }, () => "VARCHAR");
}

/**
 * The SQL that reads files with the same layout, without detection. A record with a wrong number of values or an unclosed
 * quote is an error.
 *
 * @param types the types of the columns, in order
 * @param badRecords `skip` ignores such records; `keep` also writes them to the connection's table `BAD_RECORDS`
 * @param bufferBytes the bytes that a thread reads at once; two of the longest lines at least
 */
export function csvRelation(
  files: readonly ReadableCsv[],
  dialect: CsvDialect,
  types: readonly string[],
  badRecords: "fail" | "skip" | "keep" = "fail",
  bufferBytes: number = BUFFER_BYTES,
): string {
  const columns = types.map((type, at) => `${textColumn(at)}: ${quoteLiteral(type)}`);
  const compression = compressionOf(files[0]!);
  const options: Readonly<Record<string, string>> = {
    auto_detect: "false",
    columns: `{${columns.join(", ")}}`,
    header: String(dialect.header),
    delim: quoteLiteral(dialect.delimiter),
    quote: quoteLiteral(dialect.quote),
    escape: quoteLiteral(dialect.escape),
    skip: "0",
    comment: "''",
    nullstr: `[${dialect.nullValues.map(quoteLiteral).join(", ")}]`,
    allow_quoted_nulls: String(dialect.quotedNulls !== false),
    strict_mode: "true",
    null_padding: "false",
    hive_partitioning: "false",
    union_by_name: "false",
    compression: compression === "none" ? "'uncompressed'" : quoteLiteral(compression),
    max_line_size: String(dialect.maxLineBytes),
    buffer_size: String(Math.max(bufferBytes, 2 * dialect.maxLineBytes)),
    // Detected, it would be the first line end in the file, also one in quotes. Copies end lines with "\n" only.
    ...(files.every(({ isCopy }) => isCopy === true) ? { new_line: "'\\n'" } : {}),
    ...(files[0]!.isSequential === true ? { parallel: "false" } : {}),
    ...BAD_RECORD_OPTIONS[badRecords],
  };
  const list = files.map(({ path }) => quoteLiteral(escapeGlob(path))).join(", ");
  const named = Object.entries(options).map(([name, value]) => `, ${name} = ${value}`);
  return `read_csv([${list}]${named.join("")})`;
}
