import type { OpenFileOptions, OpenFiles, ReadableChunk } from "../opened-file.ts";
import { openParquetFile } from "./open-parquet-file.ts";
import { parquetPaths } from "./relation.ts";

/** Opens Parquet files; see `openFiles`. */
export async function openParquetSlices(
  chunks: readonly ReadableChunk[],
  options: Omit<OpenFileOptions, "isUnchecked" | "onBytesScanned">,
): Promise<OpenFiles | null> {
  const { connection, signal } = options;
  const paths = chunks.map(({ data }) => data);
  const list = parquetPaths(paths);
  const [found] = await connection.rows<{
    files: bigint;
    layouts: bigint;
    writers: bigint;
    nanoseconds: boolean;
  }>(
    `SELECT count(*) AS files, count(DISTINCT layout) AS layouts, bool_or(nanoseconds) AS nanoseconds,
       (SELECT count(DISTINCT coalesce(schemas.value, ''::BLOB)) FROM unnest(${list}) files(path)
         LEFT JOIN (FROM parquet_kv_metadata(${list}) WHERE key = 'ARROW:schema'::BLOB) schemas ON file_name = path) AS writers
     FROM (
       SELECT bool_or(coalesce(contains(logical_type, 'NanoSeconds'), false)) AS nanoseconds,
         list((name, type, type_length, repetition_type, num_children, converted_type, scale, precision, logical_type)) AS layout
       FROM parquet_schema(${list}) GROUP BY file_name)`,
    signal === undefined ? {} : { signal },
  );
  const { files, layouts, writers, nanoseconds } = found!;
  const isAlike = Number(files) === paths.length && Number(layouts) === 1 && Number(writers) === 1;
  if (!isAlike || nanoseconds) return null;
  const [, ...others] = paths;
  return openParquetFile(chunks[0]!, options, others);
}
