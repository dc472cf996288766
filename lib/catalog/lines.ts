const NEWLINE = 10;

/** The lines of a text file as they are needed, without one string of the whole file. */
export function* linesOf(bytes: Uint8Array): Iterable<string> {
  const decoder = new TextDecoder();
  let start = 0;
  while (start < bytes.length) {
    // Whole lines of about a megabyte are decoded at once: one call per line would cost more than the lines.
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
