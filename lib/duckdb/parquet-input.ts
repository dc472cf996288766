import zlib from "node:zlib";

import { parquetRead, type AsyncBuffer, type Compressors, type FileMetaData } from "hyparquet";

import { AgnesError, counted, type Files } from "../base/mod.ts";
import { withParquet } from "./parquet-footer.ts";

/** The maximum number of digits of a DECIMAL in DuckDB. */
const DIGITS_MAX = 38;

/**
 * Rejects a Parquet file from which DuckDB would read wrong values: it converts decimals of more than 38 digits to
 * inexact DOUBLE, and truncates the nanoseconds of timestamps in UTC.
 *
 * Reads the values only of columns with timestamps of nanoseconds in UTC, which the footer lists.
 *
 * @throws `type_unsupported`; `file_unreadable`, `file_failed`
 */
export async function checkParquetInput(files: Files, path: string): Promise<void> {
  await withParquet(files, path, async (metadata, file) => {
    for (const { name, converted_type, precision = 0 } of metadata.schema) {
      if (converted_type === "DECIMAL" && precision > DIGITS_MAX) {
        throw new AgnesError("type_unsupported", {
          column: name,
          type: `DECIMAL of ${counted(precision, "digit")}`,
        });
      }
    }
    const columns = nanosecondColumns(metadata);
    for (const column of columns) await rejectNanoseconds(metadata, file, column);
  });
}

/** Returns the top-level columns with timestamps of nanoseconds that DuckDB reads as microseconds. */
function nanosecondColumns({ schema, row_groups }: FileMetaData): readonly string[] {
  const isNanoseconds = (path: readonly string[], type: string | undefined) =>
    type === "INT96" ||
    schema.some(
      ({ name, logical_type: logical }) =>
        name === path.at(-1) &&
        logical?.type === "TIMESTAMP" &&
        logical.unit === "NANOS" &&
        logical.isAdjustedToUTC,
    );
  const leaves = row_groups[0]?.columns ?? [];
  const found = leaves.flatMap(({ meta_data: leaf }) =>
    leaf !== undefined && isNanoseconds(leaf.path_in_schema, leaf.type) ? [leaf.path_in_schema[0]!] : [],
  );
  return [...new Set(found)];
}

async function rejectNanoseconds(metadata: FileMetaData, file: AsyncBuffer, column: string): Promise<void> {
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows);
    const timestampFromNanoseconds = (nanoseconds: bigint): Date => {
      if (nanoseconds % 1000n === 0n) return EPOCH;
      throw new AgnesError("type_unsupported", {
        column,
        type: `TIMESTAMP in UTC with parts of a microsecond (${nanoseconds} ns)`,
      });
    };
    await parquetRead({
      file,
      metadata,
      columns: [column],
      rowStart,
      rowEnd,
      compressors,
      parsers: { timestampFromNanoseconds },
    });
    rowStart = rowEnd;
  }
}

const EPOCH = new Date(0);

/** Compressions that hyparquet does not support itself. Node.js supports zstd since version 22.15. */
const compressors: Compressors = {
  GZIP: (input) => zlib.gunzipSync(input),
  BROTLI: (input) => zlib.brotliDecompressSync(input),
  ...(typeof zlib.zstdDecompressSync === "function"
    ? { ZSTD: (input: Uint8Array) => zlib.zstdDecompressSync(input) }
    : {}),
};
