import { isUtf8 } from "node:buffer";

import { READ_AHEAD } from "./known-row.ts";
import { JsonProblem } from "./problem.ts";
import { ignoringSink, type JsonSink } from "./sink.ts";
import { kindOf, nonObjectText, type NonObjectRow } from "./non-object-row.ts";
import {
  controlProblem,
  escapeProblem,
  excerptOf,
  newNumeral,
  reachesEnd,
  scanNumber,
  wholeCharacters,
  LITERALS,
} from "./tokens.ts";

/** The layout of the rows of a file. */
export type JsonLayout = "lines" | "objects" | "array";

/** The maximum nesting depth; DuckDB's parser overflows its stack at about 40,000. */
const DEPTH_MAX = 1_000;

/** The state of the scanner. */
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
 * With `lines`, each line is one object. Otherwise the file is one array of objects, or objects that each start on a new
 * line.
 */
export class JsonScanner {
  readonly #sink: JsonSink;
  /** The sink for the content of the current row; content of a row that is not an object is discarded. */
  #inside: JsonSink;
  #nonObject: Omit<NonObjectRow, "text"> | null = null;
  readonly #isLines: boolean;
  #state: State = State.row;
  /** Whether each open level is an object. */
  readonly #isObject = new Uint8Array(DEPTH_MAX + 1);
  #depth = 0;
  #isArray = false;
  /** Whether each row so far is on one line, followed by a line break. */
  #isLineEach = true;
  #rowLine = 0;
  #endLine = 0;
  /** A token that continues in the next chunk. */
  #rest: Uint8Array = EMPTY;
  /** The length of the part of `#rest` that is known not to contain the end. */
  #seen = 0;
  #isEscaped = false;
  readonly #numeral = newNumeral();
  /** A character that continues in the next chunk. */
  #half: Uint8Array = EMPTY;
  /** The offset of the current bytes in the file. */
  offset = 0;
  /** The start and end of the current or last row in the file. */
  rowOffset = 0;
  rowEnd = 0;
  /** The offset of the last opening bracket, or after the last closing one. */
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

  /** @returns whether the scan continues */
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

  /** @throws `JsonProblem` if the file ends inside a value */
  finish(): void {
    if (this.#half.length > 0) throw this.#notUtf8();
    if (this.#rest.length > 0) this.#scan(this.#rest, true);
    const isComplete = this.#isArray ? this.#state === State.end : this.#state === State.row;
    if (!isComplete) throw this.#fail("the file is truncated: it ends in the middle of a value");
    this.#sink.knownRow?.finish();
  }

  #scan(bytes: Uint8Array, isLast: boolean): boolean {
    const size = bytes.length;
    const sink = this.#sink;
    // Known rows are tried only if a line break follows, so that they need no check for the end of the bytes.
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

  /** @returns the offset after the last token */
  #betweenRows(bytes: Uint8Array, at: number, lastBreak: number): number {
    const byte = bytes[at]!;
    const state = this.#state;
    if (state === State.end) throw this.#fail("text follows the end of the array");
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
      this.#nonObject = { kind, line: this.line };
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

  /** @returns whether the scan continues */
  #close(bytes: Uint8Array, at: number): boolean {
    this.#depth -= 1;
    this.bracketOffset = this.offset + at;
    this.#inside.close();
    return this.#endValue(bytes, at);
  }

  /** @returns whether the scan continues */
  #endValue(bytes: Uint8Array, at: number): boolean {
    if (this.#depth > 0) {
      this.#state = State.afterValue;
      return true;
    }
    this.#endRow(at);
    const nonObject = this.#nonObject;
    if (nonObject === null) return this.#sink.row();
    this.#nonObject = null;
    this.#inside = this.#sink;
    return this.#sink.nonObjectRow({
      ...nonObject,
      text: nonObjectText(bytes, this.rowOffset - this.offset, at),
    });
  }

  /** Accepts known rows, one per line. @returns the offset after the last one; -1 for none */
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
      throw this.#fail(`the ${this.#nonObject === null ? "object" : "value"} does not end on its line`);
    }
    this.line += 1;
  }

  /** The offset of the closing quote; -1 if it is not in these bytes. */
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
      if (isLast) throw this.#fail("the file is truncated: it ends in the middle of a string");
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
    const literal = LITERALS.get(byte);
    if (literal === undefined) throw this.#unexpected(bytes, start, "a value");
    for (let at = 0; at < literal.length; at++) {
      if (start + at === bytes.length && !isLast) {
        this.#keep(bytes, start);
        return -1;
      }
      if (bytes[start + at] !== literal[at]) throw this.#unexpected(bytes, start, "a value");
    }
    if (byte === 0x6e) this.#inside.null();
    else this.#inside.boolean(byte === 0x74);
    return start + literal.length;
  }

  #keep(bytes: Uint8Array, start: number): void {
    this.#rest = bytes.slice(start);
    this.offset += start;
  }

  #notUtf8(): JsonProblem {
    return new JsonProblem(this.line, "it is not valid UTF-8", { isNotUtf8: true });
  }

  #unexpected(bytes: Uint8Array, at: number, expected?: string): JsonProblem {
    const found = excerptOf(bytes, at);
    if (this.#nonObject !== null && this.#depth === 0)
      return this.#fail(`found ${found} instead of ${AN_OBJECT}`);
    return this.#fail(
      expected === undefined ? `unexpected ${found}` : `found ${found} instead of ${expected}`,
    );
  }

  #fail(reason: string): JsonProblem {
    return new JsonProblem(this.line, reason);
  }
}

const EMPTY = new Uint8Array(0);
const AN_OBJECT = "an object; each row must be an object";
