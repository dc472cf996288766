import zlib from "node:zlib";

import { parquetRead, type AsyncBuffer, type Compressors, type FileMetaData } from "hyparquet";

import { AgnesError, counted } from "../base/mod.ts";
import { withParquet } from "./parquet-footer.ts";

/** The digits of a DECIMAL of DuckDB. */
const DIGITS_MAX = 38;

/**
 * Refuses a Parquet file of which DuckDB would read other values than it holds: it makes a DOUBLE, and a wrong one, of
 * decimals of more than 38 digits, and cuts nanoseconds from times in UTC.
 *
 * Times in UTC of nanoseconds are looked at, each of them; files that have none are told by their footer.
 *
 * @throws `type_unsupported`; `file_unreadable`, `file_failed`
 */
export async function checkParquetInput(path: string): Promise<void> {
  await withParquet(path, async (metadata, file) => {
    for (const { name, converted_type, precision = 0 } of metadata.schema) {
      if (converted_type === "DECIMAL" && precision > DIGITS_MAX) {
        throw new AgnesError("type_unsupported", {
          column: name,
          type: `DECIMAL of ${counted(precision, "digit")}`,
        });
      }
    }
    const columns = nanosecondColumns(metadata);
    for (const column of columns) await refuseNanoseconds(metadata, file, column);
  });
}

/** The top-level columns that hold times which DuckDB reads as microseconds although they have nanoseconds. */
function nanosecondColumns({ schema, row_groups }: FileMetaData): readonly string[] {
  const isNano = (path: readonly string[], type: string | undefined) =>
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
    leaf !== undefined && isNano(leaf.path_in_schema, leaf.type) ? [leaf.path_in_schema[0]!] : [],
  );
  return [...new Set(found)];
}

async function refuseNanoseconds(metadata: FileMetaData, file: AsyncBuffer, column: string): Promise<void> {
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

/** What hyparquet does not bring itself; Node.js has zstd from version 22.15 on. */
const compressors: Compressors = {
  GZIP: (input) => zlib.gunzipSync(input),
  BROTLI: (input) => zlib.brotliDecompressSync(input),
  ...(typeof zlib.zstdDecompressSync === "function"
    ? { ZSTD: (input: Uint8Array) => zlib.zstdDecompressSync(input) }
    : {}),
};
