import { stat } from "node:fs/promises";

import { readChunks, throwIfAborted } from "../../../base/mod.ts";

/** DuckDB's parser overflows its stack at about 40,000 levels, and a line has no more levels than bytes. */
export const LINE_BYTES_MAX = 16 * 1024;
/** Smaller files are checked in no time. */
const FILE_BYTES_MIN = 1024 * 1024;
const CHUNK_BYTES = 1024 * 1024;
const BRACE = 0x7b;
const LINE_FEED = 0x0a;

/**
 * Whether a file begins with an object and no line of it is long: then DuckDB can read it by lines whatever else it
 * holds. Only the last line break of every few kilobytes is looked for, which takes a fraction of reading the file.
 */
export async function hasShortLines(path: string, signal?: AbortSignal): Promise<boolean> {
  // Whoever reads the file next tells what is wrong with it.
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  if (size < FILE_BYTES_MIN) return false;
  let isStart = true;
  /** Bytes since the last line break. */
  let openBytes = 0;
  for await (const chunk of readChunks(path, CHUNK_BYTES)) {
    throwIfAborted(signal, `reading ${path}`);
    if (isStart && chunk[0] !== BRACE) return false;
    isStart = false;
    const found = openAfter(chunk, openBytes);
    if (found === null) return false;
    openBytes = found;
  }
  return true;
}

/** Bytes since the last line break at the end of a chunk; null when there is a long line. */
function openAfter(chunk: Uint8Array, before: number): number | null {
  let start = -before;
  for (;;) {
    // A line that starts here must end within so many bytes.
    const limit = start + LINE_BYTES_MAX;
    if (limit >= chunk.length) {
      const last = chunk.lastIndexOf(LINE_FEED);
      return last >= start && last >= 0 ? chunk.length - last - 1 : chunk.length - start;
    }
    const end = limit < 0 ? -1 : chunk.lastIndexOf(LINE_FEED, limit);
    if (end < Math.max(start, 0)) return null;
    start = end + 1;
  }
}
