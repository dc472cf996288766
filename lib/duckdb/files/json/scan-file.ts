import { throwIfAborted } from "../../../base/mod.ts";
import { JsonProblem } from "./problem.ts";
import { JsonScanner, type JsonLayout } from "./scanner.ts";
import { originOf } from "../columns.ts";
import { misencoded } from "../misencoded.ts";
import type { HostFile } from "../open-bytes.ts";
import { jsonBytes, WRITE_UTF8 } from "./source.ts";
import type { ShapeWalk } from "./walk.ts";

/** The result of scanning a file. */
export interface ScannedFile {
  /** The encoding, by byte order mark or first characters; `null` for UTF-8 without a byte order mark. */
  readonly mark: string | null;
  readonly layout: JsonLayout;
  readonly rows: number;
  /** The size of the longest row in UTF-8. */
  readonly rowBytesMax: number;
}

/** Receives each chunk before it is scanned. */
export type OnChunk = (chunk: Uint8Array, scanner: JsonScanner) => void | Promise<void>;

/**
 * Scans a file to its end, or until the walk stops.
 *
 * @throws `file_unreadable`, `file_row_invalid`, `file_value_invalid`, `file_reading_outdated`, naming the line
 */
export async function scanFile(
  file: HostFile,
  isLines: boolean,
  walk: ShapeWalk,
  { signal, onChunk }: { readonly signal?: AbortSignal | undefined; readonly onChunk?: OnChunk } = {},
): Promise<ScannedFile> {
  const scanner = new JsonScanner(walk, { isLines });
  walk.scanner = scanner;
  const { mark, chunks } = await jsonBytes(file, signal);
  try {
    let isStopped = false;
    for await (const chunk of chunks) {
      throwIfAborted(signal, `reading ${originOf(file)}`);
      await onChunk?.(chunk, scanner);
      isStopped = !scanner.feed(chunk);
      if (isStopped) break;
    }
    if (!isStopped) scanner.finish();
  } catch (error) {
    if (error instanceof JsonProblem && error.isNotUtf8)
      throw await misencoded({ file, encoding: "utf-8", signal, advice: WRITE_UTF8 });
    throw error instanceof JsonProblem ? error.toError(originOf(file)) : error;
  }
  return { mark, layout: scanner.layout, rows: scanner.rows, rowBytesMax: scanner.rowBytesMax };
}
