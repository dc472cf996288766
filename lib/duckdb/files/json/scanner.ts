import { isUtf8 } from "node:buffer";

import { READ_AHEAD } from "./known-row.ts";
import { JsonProblem } from "./problem.ts";
import { ignoringSink, type JsonSink } from "./sink.ts";
import { kindOf, strangeText, type StrangeRow } from "./strange-row.ts";
import {
  controlProblem,
  escapeProblem,
  excerptOf,
  newNumeral,
  reachesEnd,
  scanNumber,
  wholeCharacters,
  WORDS,
} from "./tokens.ts";

/** How the rows of a file are laid out. */
export type JsonLayout = "lines" | "objects" | "array";

/** Objects and lists in one another; DuckDB's own parser overflows its stack at about 40,000. */
const DEPTH_MAX = 1_000;

/** Where the scanner stands. */
const State = {
  /** Between rows, or before the first. */
  row: 0,
  /** After the comma of an array of rows. */
  arrayRow: 1,
  /** After a row of an array. */
  arrayNext: 2,
  /** After an array of rows. */
  end: 3,
  value: 4,
  /** After `[`. */
  valueOrEnd: 5,
  /** After `{`. */
  keyOrEnd: 6,
  key: 7,
  colon: 8,
  afterValue: 9,
} as const;
type State = (typeof State)[keyof typeof State];

/**
 * Reads JSON strictly by RFC 8259, in chunks and constant memory.
 *
 * `lines` is one object on each line. Else the file is one array of objects, or objects each beginning on a line of its own.
 */
export class JsonScanner {
  readonly #sink: JsonSink;
  /** Takes what is inside a row: nobody does of what is no object. */
  #inside: JsonSink;
  #strange: Omit<StrangeRow, "text"> | null = null;
  readonly #isLines: boolean;
  #state: State = State.row;
  /** Which of the open ones are objects. */
  readonly #isObject = new Uint8Array(DEPTH_MAX + 1);
  #depth = 0;
  #isArray = false;
  /** Whether every row so far stands on one line, with a line break before the next. */
  #isLineEach = true;
  #rowLine = 0;
  #endLine = 0;
  /** A token that goes on in the next chunk. */
  #rest: Uint8Array = EMPTY;
  /** How much of `#rest` is known to hold no end. */
  #seen = 0;
  #isEscaped = false;
  readonly #numeral = newNumeral();
  /** A character that goes on in the next chunk. */
  #half: Uint8Array = EMPTY;
  /** Of the bytes being scanned in the whole text. */
  offset = 0;
  /** Where the row that is being scanned, or the last one, starts and ends in the whole text. */
  rowOffset = 0;
  rowEnd = 0;
  /** Where the bracket that was read last opens, or past it when it closes. */
  bracketOffset = 0;
  line = 1;
  rows = 0;
  rowBytesMax = 0;

  constructor(sink: JsonSink, options: { readonly isLines: boolean }) {
    this.#sink = sink;
    this.#inside = sink;
    this.#isLines = options.isLines;
  }

  get layout(): JsonLayout {
    if (this.#isArray) return "array";
    return this.#isLineEach ? "lines" : "objects";
  }

  /** @returns whether more is wanted */
  feed(chunk: Uint8Array): boolean {
    const whole = this.#half.length === 0 ? chunk : Buffer.concat([this.#half, chunk]);
    const cut = wholeCharacters(whole);
    this.#half = cut === whole.length ? EMPTY : whole.slice(cut);
    const text = cut === whole.length ? whole : whole.subarray(0, cut);
    if (!isUtf8(text)) throw this.#notUtf8();
    const bytes = this.#rest.length === 0 ? text : Buffer.concat([this.#rest, text]);
    this.#rest = EMPTY;
    return this.#scan(bytes, false);
  }

  /** @throws when the file ends in the middle of something */
  finish(): void {
    if (this.#half.length > 0) throw this.#notUtf8();
    if (this.#rest.length > 0) this.#scan(this.#rest, true);
    const isComplete = this.#isArray ? this.#state === State.end : this.#state === State.row;
    if (!isComplete) throw this.#fail("the file ends in the middle of a value; it is cut off");
    this.#sink.knownRow?.finish();
  }

  #scan(bytes: Uint8Array, isLast: boolean): boolean {
    const size = bytes.length;
    const sink = this.#sink;
    // Known rows are looked for where a line break follows, so that no row has to look for the end of the bytes.
    const isKnown = sink.knownRow !== null && size > READ_AHEAD;
    const lastBreak = isKnown ? bytes.lastIndexOf(0x0a, size - READ_AHEAD) : -1;
    let at = 0;
    while (at < size) {
      const byte = bytes[at]!;
      if (byte <= 0x20) {
        if (byte === 0x0a) this.#newLine();
        else if (byte !== 0x20 && byte !== 0x0d && byte !== 0x09) throw this.#unexpected(bytes, at);
        at += 1;
        continue;
      }
      switch (this.#state) {
        case State.value:
        case State.valueOrEnd: {
          if (byte === 0x22) {
            const end = this.#string(bytes, at, isLast);
            if (end < 0) return true;
            this.#inside.string(bytes, at + 1, end, this.#isEscaped);
            at = end + 1;
            if (!this.#endValue(bytes, at)) return false;
          } else if (byte === 0x7b || byte === 0x5b) {
            this.#open(byte === 0x7b, at);
            at += 1;
          } else if (byte === 0x5d && this.#state === State.valueOrEnd) {
            at += 1;
            if (!this.#close(bytes, at)) return false;
          } else {
            const end = this.#scalar(bytes, at, isLast);
            if (end < 0) return true;
            at = end;
            if (!this.#endValue(bytes, at)) return false;
          }
          break;
        }
        case State.afterValue: {
          const isObject = this.#isObject[this.#depth] === 1;
          if (byte === 0x2c) this.#state = isObject ? State.key : State.value;
          else if (byte !== (isObject ? 0x7d : 0x5d)) throw this.#unexpected(bytes, at);
          at += 1;
          if (byte !== 0x2c && !this.#close(bytes, at)) return false;
          break;
        }
        case State.key:
        case State.keyOrEnd: {
          if (byte === 0x7d && this.#state === State.keyOrEnd) {
            at += 1;
            if (!this.#close(bytes, at)) return false;
            break;
          }
          if (byte !== 0x22) throw this.#unexpected(bytes, at, "a key in double quotes");
          const end = this.#string(bytes, at, isLast);
          if (end < 0) return true;
          this.#inside.key(bytes, at + 1, end, this.#isEscaped);
          at = end + 1;
          this.#state = State.colon;
          break;
        }
        case State.colon:
          if (byte !== 0x3a) throw this.#unexpected(bytes, at, "a colon");
          this.#state = State.value;
          at += 1;
          break;
        case State.row:
        case State.arrayRow:
        case State.arrayNext:
        case State.end:
          at = this.#betweenRows(bytes, at, lastBreak);
      }
    }
    this.offset += size;
    return true;
  }

  /** @returns the place after what was read */
  #betweenRows(bytes: Uint8Array, at: number, lastBreak: number): number {
    const byte = bytes[at]!;
    const state = this.#state;
    if (state === State.end) throw this.#fail("something follows the end of the array");
    if (state === State.arrayNext) {
      if (byte === 0x2c) this.#state = State.arrayRow;
      else if (byte === 0x5d) this.#state = State.end;
      else throw this.#unexpected(bytes, at, "a comma or ]");
      return at + 1;
    }
    if (byte === 0x5b && !this.#isLines && !this.#isArray && this.rows === 0) {
      this.#isArray = true;
      return at + 1;
    }
    if (byte === 0x5d && this.#isArray && this.rows === 0 && state === State.row) {
      this.#state = State.end;
      return at + 1;
    }
    const kind = byte === 0x7b ? null : kindOf(byte);
    if (byte !== 0x7b && kind === null) throw this.#unexpected(bytes, at, AN_OBJECT);
    if (!this.#isArray && this.rows > 0 && this.line === this.#endLine) {
      throw this.#fail("a second value follows on the same line");
    }
    this.#rowLine = this.line;
    this.rowOffset = this.offset + at;
    if (kind !== null) {
      this.#strange = { kind, line: this.line };
      this.#inside = ignoringSink;
      this.#state = State.value;
      return at;
    }
    const end = at < lastBreak ? this.#knownRows(bytes, at, lastBreak) : -1;
    if (end >= 0) return end;
    this.#open(true, at);
    return at + 1;
  }

  #open(isObject: boolean, at: number): void {
    if (this.#depth === DEPTH_MAX) throw this.#fail(`it is nested deeper than ${DEPTH_MAX} levels`);
    this.#depth += 1;
    this.bracketOffset = this.offset + at;
    this.#isObject[this.#depth] = isObject ? 1 : 0;
    this.#state = isObject ? State.keyOrEnd : State.valueOrEnd;
    if (isObject) this.#inside.openObject();
    else this.#inside.openList();
  }

  /** @returns whether more is wanted */
  #close(bytes: Uint8Array, at: number): boolean {
    this.#depth -= 1;
    this.bracketOffset = this.offset + at;
    this.#inside.close();
    return this.#endValue(bytes, at);
  }

  /** @returns whether more is wanted */
  #endValue(bytes: Uint8Array, at: number): boolean {
    if (this.#depth > 0) {
      this.#state = State.afterValue;
      return true;
    }
    this.#endRow(at);
    const strange = this.#strange;
    if (strange === null) return this.#sink.row();
    this.#strange = null;
    this.#inside = this.#sink;
    return this.#sink.strangeRow({ ...strange, text: strangeText(bytes, this.rowOffset - this.offset, at) });
  }

  /** Takes rows on lines of their own as long as they are known. @returns the place after the last; -1 for none */
  #knownRows(bytes: Uint8Array, start: number, lastBreak: number): number {
    const known = this.#sink.knownRow!;
    const text = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let rowStart = start;
    let end = -1;
    while (rowStart < lastBreak) {
      const rowEnd = known.match(text, rowStart);
      if (rowEnd < 0) break;
      if (end >= 0) {
        this.line += 1;
        this.#rowLine = this.line;
        this.rowOffset = this.offset + rowStart;
      }
      end = rowEnd;
      this.#endRow(end);
      if (this.#isArray || bytes[end] !== 0x0a || bytes[end + 1] !== 0x7b) break;
      rowStart = end + 1;
    }
    return end;
  }

  #endRow(at: number): void {
    this.rows += 1;
    this.rowEnd = this.offset + at;
    this.rowBytesMax = Math.max(this.rowBytesMax, this.rowEnd - this.rowOffset);
    this.#endLine = this.line;
    if (this.line !== this.#rowLine) this.#isLineEach = false;
    this.#state = this.#isArray ? State.arrayNext : State.row;
  }

  #newLine(): void {
    if (this.#isLines && this.#state !== State.row) {
      throw this.#fail(`the ${this.#strange === null ? "object" : "value"} does not end on its line`);
    }
    this.line += 1;
  }

  /** The place of the closing quote; -1 when it is not in these bytes. */
  #string(bytes: Uint8Array, start: number, isLast: boolean): number {
    const size = bytes.length;
    let at = start + 1;
    let isEscaped = false;
    if (this.#seen > 0) {
      at = start + this.#seen;
      isEscaped = this.#isEscaped;
      this.#seen = 0;
    }
    for (; at < size; at++) {
      const byte = bytes[at]!;
      if (byte === 0x22) break;
      if (byte === 0x5c) {
        if (at + 1 === size) break;
        isEscaped = true;
        at += 1;
      } else if (byte < 0x20) throw this.#fail(controlProblem(byte));
    }
    this.#isEscaped = isEscaped;
    if (at >= size || bytes[at] !== 0x22) {
      if (isLast) throw this.#fail("the file ends in the middle of a string; it is cut off");
      this.#seen = at - start;
      this.#keep(bytes, start);
      return -1;
    }
    const problem = isEscaped ? escapeProblem(bytes, start + 1, at) : null;
    if (problem !== null) throw this.#fail(problem);
    return at;
  }

  #scalar(bytes: Uint8Array, start: number, isLast: boolean): number {
    const byte = bytes[start]!;
    if (byte === 0x2d || (byte >= 0x30 && byte <= 0x39)) {
      const numeral = this.#numeral;
      const isNumber = scanNumber(bytes, start, numeral);
      if (!isLast && (isNumber ? numeral.end === bytes.length : reachesEnd(bytes, start))) {
        this.#keep(bytes, start);
        return -1;
      }
      if (!isNumber) throw this.#fail(`${excerptOf(bytes, start)} is not a JSON number`);
      this.#inside.number(numeral, bytes, start, numeral.end);
      return numeral.end;
    }
    const word = WORDS.get(byte);
    if (word === undefined) throw this.#unexpected(bytes, start, "a value");
    for (let at = 0; at < word.length; at++) {
      if (start + at === bytes.length && !isLast) {
        this.#keep(bytes, start);
        return -1;
      }
      if (bytes[start + at] !== word[at]) throw this.#unexpected(bytes, start, "a value");
    }
    if (byte === 0x6e) this.#inside.null();
    else this.#inside.boolean(byte === 0x74);
    return start + word.length;
  }

  #keep(bytes: Uint8Array, start: number): void {
    this.#rest = bytes.slice(start);
    this.offset += start;
  }

  #notUtf8(): JsonProblem {
    return new JsonProblem(this.line, "it is not valid UTF-8", { isNotUtf8: true });
  }

  #unexpected(bytes: Uint8Array, at: number, wanted?: string): JsonProblem {
    const found = excerptOf(bytes, at);
    if (this.#strange !== null && this.#depth === 0)
      return this.#fail(`found ${found} instead of ${AN_OBJECT}`);
    return this.#fail(wanted === undefined ? `unexpected ${found}` : `found ${found} instead of ${wanted}`);
  }

  #fail(reason: string): JsonProblem {
    return new JsonProblem(this.line, reason);
  }
}

const EMPTY = new Uint8Array(0);
const AN_OBJECT = "an object, since each row must be one";
