/** A part of a text. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A replacement of a span of text. */
export interface Edit extends Span {
  readonly text: string;
}

/** Returns a text with edits, which are in order and do not overlap. */
export function edited(text: string, edits: readonly Edit[]): string {
  let result = "";
  let from = 0;
  for (const edit of edits) {
    result += text.slice(from, edit.start) + edit.text;
    from = edit.end;
  }
  return result + text.slice(from);
}

/** Converts an index of the edited text to an index of the original text; null for inserted text. */
export function indexBefore(edits: readonly Edit[], index: number): number | null {
  let moved = 0;
  for (const { start, end, text } of edits) {
    if (index < start + moved) break;
    if (index < start + moved + text.length) return null;
    moved += text.length - (end - start);
  }
  return index - moved;
}
