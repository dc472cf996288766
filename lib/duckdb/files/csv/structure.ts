/** What separates and encloses the values of a CSV text. */
export interface RecordSyntax {
  readonly delimiter: string;
  /** Empty: nothing encloses values. */
  readonly quote: string;
  readonly escape: string;
}

/** What stands at a place of a CSV text. */
export type Piece =
  | "text"
  /** An escape and what it stands before. */
  | "escaped"
  | "open"
  | "close"
  /** The one space that DuckDB drops before a quote; behind more of them a quote is text like any other. */
  | "space"
  | "delimiter"
  | "break";

/** Follows the quotes of a CSV text, piece by piece. */
export class CsvStructure {
  readonly #syntax: RecordSyntax;
  /** What a piece means depends on so many characters. */
  readonly lookAhead: number;
  isQuoted = false;
  #isValueStart = true;
  /** Of the last piece. */
  length = 0;

  constructor(syntax: RecordSyntax) {
    this.#syntax = syntax;
    this.lookAhead = Math.max(2, syntax.delimiter.length);
  }

  /** Takes the piece at a place; the next one is `length` behind it. */
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
