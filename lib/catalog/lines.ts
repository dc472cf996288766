const NEWLINE = 10;

/** Iterates over the lines of a text file without decoding the whole file into one string. */
export function* linesOf(bytes: Uint8Array): Iterable<string> {
  const decoder = new TextDecoder();
  let start = 0;
  while (start < bytes.length) {
    // Decodes about one megabyte of whole lines at a time: one decoder call per line is too slow.
    let end = start + 1024 * 1024;
    end = end >= bytes.length ? bytes.length : endOfLine(bytes, end);
    const block = decoder.decode(bytes.subarray(start, end));
    yield* (block.endsWith("\n") ? block.slice(0, -1) : block).split("\n");
    start = end;
  }
}

function endOfLine(bytes: Uint8Array, from: number): number {
  const at = bytes.indexOf(NEWLINE, from);
  return at === -1 ? bytes.length : at + 1;
}
