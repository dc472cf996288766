/** What separates and encloses the values of a CSV text. */
export interface RecordSyntax {
  readonly delimiter: string;
  /** Empty: nothing encloses values. */
  readonly quote: string;
  readonly escape: string;
}

/** One record of a CSV text. */
export interface CsvRecord {
  readonly values: readonly string[];
  /** The line it starts in, from 1. */
  readonly line: number;
  /** Whether the text ended inside of it: there may be more of it. */
  readonly isOpen: boolean;
  /** Whether the text ended inside quotes. */
  readonly isUnclosed: boolean;
  /** Whether something other than spaces stands between a closing quote and the next delimiter. */
  readonly hasTextBehindQuote: boolean;
}

/** DuckDB drops one space before a quote that encloses a value; behind more of them a quote is text like any other. */
export function isSpaceBeforeQuote(text: string, at: number, { delimiter, quote }: RecordSyntax): boolean {
  return text[at] === " " && quote !== "" && text[at + 1] === quote && !text.startsWith(delimiter, at);
}

/** Splits a whole text into records; see `RecordReader`. */
export function csvRecords(text: string, syntax: RecordSyntax): Generator<CsvRecord> {
  return new RecordReader(syntax).push(text, true);
}

/**
 * Splits a text that comes in pieces into records, leniently: what makes a record bad is not decided here. Lines that
 * are empty are no records.
 */
export class RecordReader {
  readonly #syntax: RecordSyntax;
  #rest = "";
  #values: string[] = [];
  #value: string[] = [];
  #isValueStart = true;
  #isQuoted = false;
  #wasQuoted = false;
  #isBlank = true;
  #hasTextBehindQuote = false;
  #line = 1;
  #start = 1;

  constructor(syntax: RecordSyntax) {
    this.#syntax = syntax;
  }

  /** Takes more of the text and gives the records that end in it; at the end also the last one. */
  *push(more: string, isEnd: boolean): Generator<CsvRecord> {
    const { delimiter, quote, escape } = this.#syntax;
    const text = this.#rest + more;
    // What follows decides what a character means: two of them may be one line end or one quote.
    const limit = isEnd ? text.length : text.length - Math.max(2, delimiter.length);
    let at = 0;
    let from = 0;
    const take = (end: number) => {
      const part = text.slice(from, end);
      // Spaces behind a closing quote are no part of the value.
      if (end > from && !(this.#wasQuoted && /^ +$/.test(part))) this.#value.push(part);
    };
    while (at < limit) {
      const character = text[at]!;
      if (this.#isQuoted) {
        if (
          character === escape &&
          (text[at + 1] === quote || (escape !== quote && text[at + 1] === escape))
        ) {
          take(at);
          from = at + 1;
          at += 2;
          continue;
        }
        if (character === quote) {
          take(at);
          from = at + 1;
          this.#isQuoted = false;
          this.#wasQuoted = true;
        } else if (character === "\n") this.#line += 1;
        at += 1;
      } else if (quote !== "" && character === quote && this.#isValueStart) {
        from = at + 1;
        this.#isQuoted = true;
        this.#isValueStart = this.#isBlank = false;
        at += 1;
      } else if (this.#isValueStart && isSpaceBeforeQuote(text, at, this.#syntax)) {
        at += 1;
      } else if (text.startsWith(delimiter, at)) {
        take(at);
        this.#endValue();
        this.#isBlank = false;
        at = from = at + delimiter.length;
      } else if (character === "\n" || character === "\r") {
        take(at);
        at = from = at + (character === "\r" && text[at + 1] === "\n" ? 2 : 1);
        this.#line += 1;
        if (!this.#isBlank) yield this.#endRecord(false);
        this.#isBlank = true;
        this.#start = this.#line;
      } else {
        if (this.#wasQuoted && character !== " ") this.#hasTextBehindQuote = true;
        this.#isValueStart = this.#isBlank = false;
        at += 1;
      }
    }
    take(at);
    this.#rest = text.slice(at);
    if (isEnd && !this.#isBlank) yield this.#endRecord(true);
  }

  #endValue(): void {
    this.#values.push(this.#value.join(""));
    this.#value = [];
    this.#isValueStart = true;
    this.#wasQuoted = false;
  }

  #endRecord(isOpen: boolean): CsvRecord {
    this.#endValue();
    const record: CsvRecord = {
      values: this.#values,
      line: this.#start,
      isOpen,
      isUnclosed: this.#isQuoted,
      hasTextBehindQuote: this.#hasTextBehindQuote,
    };
    this.#values = [];
    this.#hasTextBehindQuote = false;
    return record;
  }
}
