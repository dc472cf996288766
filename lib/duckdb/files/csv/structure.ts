/** The delimiter, quote and escape of a CSV text. */
export interface RecordSyntax {
  readonly delimiter: string;
  /** Empty if values are never quoted. */
  readonly quote: string;
  readonly escape: string;
}

/** The kind of a token in a CSV text. */
export type Piece =
  | "text"
  /** An escape and the escaped character. */
  | "escaped"
  | "open"
  | "close"
  /** The single space that DuckDB drops before a quote; after more spaces, a quote is plain text. */
  | "space"
  | "delimiter"
  | "break";

/** Tokenizes a CSV text and tracks its quotes. */
export class CsvStructure {
  readonly #syntax: RecordSyntax;
  /** The number of characters that determine a token. */
  readonly lookAhead: number;
  isQuoted = false;
  #isValueStart = true;
  /** The length of the last token. */
  length = 0;

  constructor(syntax: RecordSyntax) {
    this.#syntax = syntax;
    this.lookAhead = Math.max(2, syntax.delimiter.length);
  }

  /** Reads the token at an offset; the next one starts `length` characters later. */
  take(text: string, at: number): Piece {
    const { delimiter, quote, escape } = this.#syntax;
    const character = text[at]!;
    this.length = 1;
    if (this.isQuoted) {
      const next = text[at + 1];
      if (character === escape && (next === quote || (escape !== quote && next === escape))) {
        this.length = 2;
        return "escaped";
      }
      if (character !== quote) return "text";
      this.isQuoted = false;
      return "close";
    }
    if (character === quote && this.#isValueStart) {
      this.isQuoted = true;
      this.#isValueStart = false;
      return "open";
    }
    if (text.startsWith(delimiter, at)) {
      this.length = delimiter.length;
      this.#isValueStart = true;
      return "delimiter";
    }
    if (character === "\n" || character === "\r") {
      this.length = character === "\r" && text[at + 1] === "\n" ? 2 : 1;
      this.#isValueStart = true;
      return "break";
    }
    if (character === " " && this.#isValueStart && quote !== "" && text[at + 1] === quote) return "space";
    this.#isValueStart = false;
    return "text";
  }
}
