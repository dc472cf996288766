import { closeSync, openSync, readSync, statSync } from "node:fs";
import { setImmediate } from "node:timers/promises";

import { AgnesError, fileError, throwIfAborted } from "../../../base/mod.ts";

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
export async function hasShortLines(path: string, signal?: AbortSignal): Promise<boolean> {
  const file = openReadable(path);
  if (file === null) return false;
  try {
    if (file.sizeBytes < FILE_BYTES_MIN || byteAt(file, 0) !== BRACE) return false;
    let lineStart = 0;
    for (let windows = 1; lineStart + LINE_BYTES_MAX < file.sizeBytes; windows++) {
      const lineBreak = lastLineBreak(file, lineStart);
      if (lineBreak === null) return false;
      lineStart = lineBreak + 1;
      if (windows % WINDOWS_PER_TURN !== 0) continue;
      await setImmediate();
      throwIfAborted(signal, `reading ${path}`);
    }
    return true;
  } catch (error) {
    throw error instanceof AgnesError ? error : fileError("read", path, error);
  } finally {
    closeSync(file.descriptor);
  }
}

interface ReadableFile {
  readonly descriptor: number;
  readonly sizeBytes: number;
  readonly buffer: Uint8Array;
}

/** `null` for a file that cannot be opened; the next read reports the reason. */
function openReadable(path: string): ReadableFile | null {
  try {
    const sizeBytes = statSync(path).size;
    return { descriptor: openSync(path, "r"), sizeBytes, buffer: new Uint8Array(LINE_BYTES_MAX + 1) };
  } catch {
    return null;
  }
}

function byteAt({ descriptor, buffer }: ReadableFile, position: number): number | undefined {
  return readSync(descriptor, buffer, 0, 1, position) === 1 ? buffer[0] : undefined;
}

/** The last line break in the allowed length after `start`; `null` if there is none. */
function lastLineBreak({ descriptor, buffer }: ReadableFile, start: number): number | null {
  const end = start + LINE_BYTES_MAX + 1;
  for (const sizeBytes of [WINDOW_BYTES, LINE_BYTES_MAX + 1]) {
    const from = end - sizeBytes;
    const read = readSync(descriptor, buffer, 0, sizeBytes, from);
    const found = buffer.subarray(0, read).lastIndexOf(LINE_FEED);
    if (found >= 0) return from + found;
  }
  return null;
}
