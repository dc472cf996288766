import { setImmediate } from "node:timers/promises";

import { throwIfAborted, type OpenedFile } from "../../../base/mod.ts";
import type { HostFile } from "../open-bytes.ts";

/** DuckDB's parser overflows its stack at about 40,000 levels; a line has at most as many levels as bytes. */
export const LINE_BYTES_MAX = 16 * 1024;
/** Smaller files are scanned quickly anyway. */
const FILE_BYTES_MIN = 1024 * 1024;
/** The first window, which is longer than most lines. */
const WINDOW_BYTES = 1024;
/** The number of windows that are read before yielding to the event loop. */
const WINDOWS_PER_TURN = 500;
const BRACE = 0x7b;
const LINE_FEED = 0x0a;

/**
 * Whether a file begins with an object and has no long line, so that DuckDB can safely read it by lines. From each line
 * break, only the last one in the allowed length is searched, so only a fraction of the file is read.
 */
export async function hasShortLines({ files, path }: HostFile, signal?: AbortSignal): Promise<boolean> {
  // The next read of a missing file reports it.
  if (((await files.stat(path))?.sizeBytes ?? 0) < FILE_BYTES_MIN) return false;
  const file = await files.open(path);
  const buffer = new Uint8Array(LINE_BYTES_MAX + 1);
  try {
    if (file.readSync(buffer.subarray(0, 1), 0) !== 1 || buffer[0] !== BRACE) return false;
    let lineStart = 0;
    for (let windows = 1; lineStart + LINE_BYTES_MAX < file.sizeBytes; windows++) {
      const lineBreak = lastLineBreak(file, buffer, lineStart);
      if (lineBreak === null) return false;
      lineStart = lineBreak + 1;
      if (windows % WINDOWS_PER_TURN !== 0) continue;
      await setImmediate();
      throwIfAborted(signal, `reading ${path}`);
    }
    return true;
  } finally {
    await file.close();
  }
}

/** The last line break in the allowed length after `start`; `null` if there is none. */
function lastLineBreak(file: OpenedFile, buffer: Uint8Array, start: number): number | null {
  const end = start + LINE_BYTES_MAX + 1;
  for (const sizeBytes of [WINDOW_BYTES, LINE_BYTES_MAX + 1]) {
    const from = end - sizeBytes;
    const window = buffer.subarray(0, sizeBytes);
    const found = window.subarray(0, file.readSync(window, from)).lastIndexOf(LINE_FEED);
    if (found >= 0) return from + found;
  }
  return null;
}
