import { parquetMetadataAsync, type AsyncBuffer, type FileMetaData } from "hyparquet";

import { AgnesError, isAgnesError, messageOf, counted, type Files, type OpenedFile } from "../base/mod.ts";

/** The footer of a Parquet file, read by another implementation than the writer. */
export interface ParquetFooter {
  readonly rows: number;
  readonly sizeBytes: number;
  readonly rowGroups: number;
  /** Top-level columns, in the order of the file. */
  readonly columns: readonly string[];
  /** The sum of the rows of all row groups; equal to `rows` in a valid file. */
  readonly rowsInGroups: number;
}

/**
 * Reads the footer of a Parquet file.
 * @throws `file_unreadable` if it is damaged, truncated or not a Parquet file; `file_failed` if it cannot be opened
 */
export async function parquetFooter(files: Files, path: string): Promise<ParquetFooter> {
  return withParquet(files, path, async (metadata, file) => summary(metadata, file.byteLength));
}

/** Opens a Parquet file with hyparquet; see `parquetFooter` for the errors. */
export async function withParquet<T>(
  files: Files,
  path: string,
  work: (metadata: FileMetaData, file: AsyncBuffer, opened: OpenedFile) => Promise<T>,
): Promise<T> {
  const opened = await files.open(path);
  try {
    const { sizeBytes: size } = opened;
    const slice = async (start: number, end = size): Promise<ArrayBuffer> => {
      if (!(start >= 0 && end <= size && start <= end)) throw new Error("the footer lies outside the file");
      const bytes = new Uint8Array(end - start);
      const bytesRead = await opened.read(bytes, start);
      if (bytesRead !== bytes.length) throw new Error("the file ended early");
      return bytes.buffer;
    };
    // The library expects at least this many bytes.
    if (size < 12)
      throw new Error(`${counted(size, "byte")} ${size === 1 ? "is" : "are"} too few for a Parquet file`);
    const file = { byteLength: size, slice };
    return await work(await parquetMetadataAsync(file), file, opened);
  } catch (error) {
    if (isAgnesError(error)) throw error;
    throw new AgnesError("file_unreadable", { path, reason: messageOf(error) }, { cause: error });
  } finally {
    await opened.close();
  }
}

function summary(metadata: FileMetaData, sizeBytes: number): ParquetFooter {
  const [root, ...elements] = metadata.schema;
  const columns: string[] = [];
  // Elements are in depth-first order: a column is followed by its nested elements.
  for (let index = 0; columns.length < (root?.num_children ?? 0);) {
    const element = elements[index];
    if (element === undefined) throw new Error("its schema is incomplete");
    columns.push(element.name);
    for (let inner = 1; inner > 0; index++) inner += (elements[index]?.num_children ?? 0) - 1;
  }
  return {
    rows: Number(metadata.num_rows),
    sizeBytes,
    rowGroups: metadata.row_groups.length,
    rowsInGroups: metadata.row_groups.reduce((sum, group) => sum + Number(group.num_rows), 0),
    columns,
  };
}
