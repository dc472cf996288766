import { openCsvSlices } from "./csv/open-csv-slices.ts";
import type { OpenFileOptions, OpenFiles, ReadableChunk } from "./opened-file.ts";
import { openParquetSlices } from "./parquet/open-parquet-slices.ts";

/**
 * Opens files with one reading and without constants, so that one scan reads all of them: threads then share the work,
 * although each file is too small for more than one.
 *
 * @returns `null` if they must be opened one by one: their columns differ, or DuckDB needs a rewritten copy
 * @throws as `openFile`
 */
export async function openFiles(
  chunks: readonly ReadableChunk[],
  options: Omit<OpenFileOptions, "isUnchecked" | "onBytesScanned">,
): Promise<OpenFiles | null> {
  const isAll = (format: ReadableChunk["format"]) => chunks.every((chunk) => chunk.format === format);
  if (isAll("csv")) return openCsvSlices(chunks, options);
  return isAll("parquet") ? openParquetSlices(chunks, options) : null;
}
