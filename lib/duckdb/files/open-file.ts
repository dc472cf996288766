import { openCsvFile } from "./csv/open-csv-file.ts";
import { openJsonFile } from "./json/mod.ts";
import { openParquetFile } from "./parquet/mod.ts";
import type { OpenFile, OpenFileOptions, ReadableChunk } from "./opened-file.ts";
import { checkedByPath } from "./path-values.ts";

/**
 * Opens a file with a complete reading, without detection.
 * @throws `file_unreadable`; `file_reading_outdated` if the file has columns that the reading does not have
 */
export async function openFile(input: ReadableChunk, options: OpenFileOptions): Promise<OpenFile> {
  const { constants } = input;
  // A column may be named `constructor`.
  const chunk: ReadableChunk =
    constants === undefined
      ? input
      : { ...input, constants: Object.assign(Object.create(null), constants) as typeof constants };
  return checkedByPath(await openByFormat(chunk, options), chunk, options);
}

function openByFormat(chunk: ReadableChunk, options: OpenFileOptions): Promise<OpenFile> {
  switch (chunk.format) {
    case "csv":
      return openCsvFile(chunk, options);
    case "json":
    case "ndjson":
      return openJsonFile(chunk, options);
    case "parquet":
      return openParquetFile(chunk, options);
  }
}
