import { throwIfAborted } from "../../../base/mod.ts";
import type { FileInput } from "../../../kit/mod.ts";
import { JsonProblem } from "./problem.ts";
import { JsonScanner, type JsonLayout } from "./scanner.ts";
import { jsonBytes, originOf, type BytesOptions, type TextEncoding } from "./source.ts";
import type { ShapeWalk } from "./walk.ts";

/** What a scan of a whole file tells. */
export interface ScannedFile {
  readonly encoding: TextEncoding;
  readonly layout: JsonLayout;
  readonly rows: number;
  /** The length of the longest row as UTF-8. */
  readonly rowBytesMax: number;
}

/**
 * Reads a file, to its end or as far as the walk wants.
 *
 * @throws `file_unreadable` or `bad_value` naming the line
 */
export async function scanFile(
  file: FileInput,
  isLines: boolean,
  walk: ShapeWalk,
  options: BytesOptions,
): Promise<ScannedFile> {
  const scanner = new JsonScanner(walk, { isLines });
  walk.scanner = scanner;
  const { encoding, chunks } = await jsonBytes(file, options);
  try {
    let isStopped = false;
    for await (const chunk of chunks) {
      throwIfAborted(options.signal, `reading ${originOf(file)}`);
      isStopped = !scanner.feed(chunk);
      if (isStopped) break;
    }
    if (!isStopped) scanner.finish();
  } catch (error) {
    throw error instanceof JsonProblem ? error.toError(originOf(file)) : error;
  }
  return { encoding, layout: scanner.layout, rows: scanner.rows, rowBytesMax: scanner.rowBytesMax };
}
