import { CsvStructure, type RecordSyntax } from "./structure.ts";

/** One record of a CSV text. */
export interface CsvRecord {
  readonly values: readonly string[];
  /** The record as written, with its quotes. */
  readonly text: string;
  /** The line on which it starts, from 1. */
  readonly line: number;
  /** Whether the text ended inside the record, so that it may be incomplete. */
  readonly isOpen: boolean;
  /** Whether the text ended inside quotes. */
  readonly isUnclosed: boolean;
  /** Whether text other than spaces follows a closing quote. */
  readonly hasTextAfterQuote: boolean;
}

/** Splits a whole text into records; see `RecordReader`. */
export function csvRecords(text: string, syntax: RecordSyntax): Generator<CsvRecord> {
  return new RecordReader(syntax).push(text, true);
}

/** Splits a text that arrives in chunks into records. It accepts invalid records and skips empty lines. */
export class RecordReader {
  readonly #structure: CsvStructure;
  #rest = "";
  /** The part of the current record from earlier chunks. */
  #taken = "";
  #values: string[] = [];
  #value: string[] = [];
  #wasQuoted = false;
  #isBlank = true;
  #hasTextAfterQuote = false;
  #line = 1;
  #start = 1;

  constructor(syntax: RecordSyntax) {
    this.#structure = new CsvStructure(syntax);
  }

  /** Adds text and yields the records that end in it; at the end also the last record. */
  *push(more: string, isEnd: boolean): Generator<CsvRecord> {
    const structure = this.#structure;
    const text = this.#rest + more;
    const limit = isEnd ? text.length : text.length - structure.lookAhead;
    let at = 0;
    let from = 0;
    let start = 0;
    while (at < limit) {
      const piece = structure.take(text, at);
      const next = at + structure.length;
      switch (piece) {
        case "text":
          if (structure.isQuoted) {
            if (text[at] === "\n") this.#line += 1;
          } else {
            if (this.#wasQuoted && text[at] !== " ") this.#hasTextAfterQuote = true;
            this.#isBlank = false;
          }
          break;
        case "escaped":
          this.#take(text.slice(from, at));
          from = at + 1;
          break;
        case "open":
          from = next;
          this.#isBlank = false;
          break;
        case "close":
          this.#take(text.slice(from, at));
          from = next;
          this.#wasQuoted = true;
          break;
        case "space":
          break;
        case "delimiter":
          this.#take(text.slice(from, at));
          from = next;
          this.#endValue();
          this.#isBlank = false;
          break;
        case "break":
          this.#take(text.slice(from, at));
          from = next;
          this.#line += 1;
          if (!this.#isBlank) yield this.#endRecord(this.#taken + text.slice(start, at), false);
          this.#taken = "";
          start = next;
          this.#isBlank = true;
          this.#start = this.#line;
      }
      at = next;
    }
    this.#take(text.slice(from, at));
    this.#rest = text.slice(at);
    this.#taken += text.slice(start, at);
    if (isEnd && !this.#isBlank) yield this.#endRecord(this.#taken, true);
  }

  /** Adds a part of a value, except spaces after a closing quote. */
  #take(part: string): void {
    if (part !== "" && !(this.#wasQuoted && /^ +$/.test(part))) this.#value.push(part);
  }

  #endValue(): void {
    this.#values.push(this.#value.join(""));
    this.#value = [];
    this.#wasQuoted = false;
  }

  #endRecord(text: string, isOpen: boolean): CsvRecord {
    this.#endValue();
    const record: CsvRecord = {
      values: this.#values,
      text,
      line: this.#start,
      isOpen,
      isUnclosed: this.#structure.isQuoted,
      hasTextAfterQuote: this.#hasTextAfterQuote,
    };
    this.#values = [];
    this.#hasTextAfterQuote = false;
    return record;
  }
}
