import type { TypeTree } from "../type-tree.ts";
import { momentOf, type Moment } from "./moments.ts";
import type { Numeral } from "./tokens.ts";

/** One key of the objects at a place. */
export interface Field {
  readonly name: string;
  /** As it is written, between the quotes. */
  readonly bytes: Uint8Array;
  readonly shape: Shape;
  /** The object it was last seen in, to notice that it comes twice. */
  object: number;
}

/** More keys than that at a place below the columns: the objects are maps, not records. */
export const KEYS_MAX = 200;

/** A double keeps any so many digits. */
const SAFE_DIGITS = 15;
/** Smaller ones lose digits, or all of their value. */
const NORMAL_MIN = 2.2250738585072014e-308;
const BIGGEST_DIGITS = 40;

/**
 * Which values stand at one place of all rows, as far as a type depends on it.
 *
 * `expected` is set when the type is known: fields are not made up then.
 */
export class Shape {
  readonly expected: TypeTree | null;
  /** Whether somebody named the type: strings may hold what the type is of. */
  readonly isGiven: boolean;
  nulls = 0;
  booleans = 0;
  numbers = 0;
  strings = 0;
  objects = 0;
  lists = 0;

  wholeDigits = 0;
  /** Digits before the point of numbers that have one. */
  fractionWholeDigits = 0;
  fractionDigits = 0;
  fractionNeeded = 0;
  hasFraction = false;
  hasExponent = false;
  hasNegativeZero = false;
  /** Whether there is a `-0`, which is the whole number 0 except as a text. */
  hasNegativeWholeZero = false;
  isBeyondDouble = false;
  /** Whether a double would show other digits than those of a number, or a number is none as programs write it. */
  isInexact = false;
  /** Whether a number in a JSON text is one that DuckDB writes in its own way. */
  hasRewritten = false;
  least: number | bigint = 0;
  greatest: number | bigint = 0;

  /** What the strings are; complete until it holds null, which is any other string. */
  readonly moments = new Set<Moment | null>();
  #lastMoment: Moment | null | undefined;
  /** Whether every string so far is a moment, and it matters. */
  #isMoment: boolean;

  /** By name; null when no field is looked at. */
  fields: Map<string, Field> | null;
  readonly order: Field[] = [];
  readonly #folded = new Set<string>();
  /** Whether the objects are maps, or have a key that no field can have. */
  isOpaque = false;
  element: Shape | null = null;
  /** What all values of a map share. */
  readonly mapValue: Shape | null;

  constructor(expected: TypeTree | null = null, isGiven = false) {
    this.expected = expected;
    this.isGiven = isGiven;
    this.fields = expected === null || expected.kind === "struct" ? new Map() : null;
    this.#isMoment = expected === null || !TEXTS.has(expected.kind === "scalar" ? expected.name : "");
    this.mapValue = expected?.kind === "map" ? new Shape(expected.value, isGiven) : null;
    if (expected?.kind === "list") this.element = new Shape(expected.element, isGiven);
    if (expected?.kind !== "struct") return;
    for (const [name, type] of expected.fields) this.addField(name, keyBytes(name), new Shape(type, isGiven));
  }

  addField(name: string, bytes: Uint8Array, shape: Shape): Field {
    const field: Field = { name, bytes, shape, object: 0 };
    this.fields!.set(name, field);
    this.#folded.add(name.toLowerCase());
    this.order.push(field);
    return field;
  }

  /** Adds a field of a type that is known. */
  addKnownField(name: string, shape: Shape): void {
    this.addField(name, keyBytes(name), shape);
  }

  /** Whether there is any value, null or not. */
  get isSeen(): boolean {
    return this.nulls + this.booleans + this.numbers + this.strings + this.objects + this.lists > 0;
  }

  /** Whether a key differs from a field by case only: DuckDB's records cannot hold both. */
  isFolded(name: string): boolean {
    return this.#folded.has(name.toLowerCase());
  }

  /** From now on nobody looks at what is inside. */
  makeOpaque(): void {
    this.isOpaque = true;
    this.fields = null;
    this.order.length = 0;
  }

  /** Whether there are numbers of which DuckDB makes another text than the one that is written, where text is wanted. */
  get hasNumberTexts(): boolean {
    if (this.hasRewritten) return true;
    if (this.isText) return this.hasFraction || this.hasNegativeWholeZero;
    return (
      this.order.some(({ shape }) => shape.hasNumberTexts) ||
      this.element?.hasNumberTexts === true ||
      this.mapValue?.hasNumberTexts === true
    );
  }

  get isText(): boolean {
    return this.expected?.kind === "scalar" && this.expected.name === "VARCHAR";
  }

  /** Whether the values need no look: any will do. */
  get takesAnything(): boolean {
    return this.expected?.kind === "scalar" && this.expected.name === "JSON";
  }

  addNumber(numeral: Numeral, bytes: Uint8Array, start: number): void {
    this.numbers += 1;
    const { wholeDigits } = numeral;
    if (wholeDigits > this.wholeDigits) this.wholeDigits = wholeDigits;
    if (numeral.fractionDigits > 0 || numeral.hasExponent) {
      this.#addFraction(numeral, bytes, start);
      return;
    }
    if (numeral.isNegative && numeral.isZero) this.hasNegativeWholeZero = true;
    if (wholeDigits <= SAFE_DIGITS) {
      const value = numeral.isNegative ? -numeral.whole : numeral.whole;
      if (value < this.least) this.least = value;
      if (value > this.greatest) this.greatest = value;
      return;
    }
    const text = asciiOf(bytes, start, numeral.end);
    const double = Number(text);
    if (!Number.isFinite(double)) this.isBeyondDouble = true;
    if (!this.isInexact && !keepsDigits(text)) this.isInexact = true;
    if (wholeDigits > BIGGEST_DIGITS) return;
    const value = BigInt(text);
    if (value < this.least) this.least = value;
    if (value > this.greatest) this.greatest = value;
  }

  #addFraction(numeral: Numeral, bytes: Uint8Array, start: number): void {
    this.hasFraction = true;
    // `-0` without a fraction is the whole number 0, to DuckDB too.
    if (numeral.isNegative && numeral.isZero) this.hasNegativeZero = true;
    if (numeral.hasExponent) this.hasExponent = true;
    if (numeral.wholeDigits > this.fractionWholeDigits) this.fractionWholeDigits = numeral.wholeDigits;
    if (numeral.fractionDigits > this.fractionDigits) this.fractionDigits = numeral.fractionDigits;
    if (numeral.fractionNeeded > this.fractionNeeded) this.fractionNeeded = numeral.fractionNeeded;
    // `1234e56` may be part of an identifier, so it stays text like in CSV.
    if (numeral.fractionDigits === 0 && numeral.wholeDigits > 1) this.isInexact = true;
    const isLong = numeral.wholeDigits + numeral.fractionDigits > SAFE_DIGITS;
    if (isLong && !this.isInexact && !keepsDigits(asciiOf(bytes, start, numeral.end))) this.isInexact = true;
    if (!numeral.hasExponent && numeral.wholeDigits < 300 && numeral.fractionDigits < 300) return;
    const double = Number(asciiOf(bytes, start, numeral.end));
    const isTooSmall = Math.abs(double) < NORMAL_MIN && !numeral.isZero;
    if (!Number.isFinite(double) || isTooSmall) this.isBeyondDouble = true;
  }

  /** @param isComplete whether moments are wanted behind a string that is none */
  addString(bytes: Uint8Array, start: number, end: number, isComplete = false): void {
    this.strings += 1;
    if (!this.#isMoment && !isComplete) return;
    const moment = momentOf(bytes, start, end);
    if (moment === this.#lastMoment) return;
    this.#lastMoment = moment;
    this.moments.add(moment);
    if (moment === null) this.#isMoment = false;
  }
}

/** Types of which any string is a value. */
const TEXTS = new Set(["VARCHAR", "JSON", "FORMATTED"]);

/** Whether a double shows the digits of a numeral again; the rule for CSV is `holdsDigits`. */
function keepsDigits(text: string): boolean {
  const shown = String(Number(text));
  if (shown === text) return true;
  const digits = significantDigits(text);
  return digits.length <= SAFE_DIGITS || digits === significantDigits(shown);
}

function significantDigits(numeral: string): string {
  const [digits = ""] = numeral.replace(/[-.]/g, "").split(/e/i);
  return digits.replace(/^0+|0+$/g, "");
}

function asciiOf(bytes: Uint8Array, start: number, end: number): string {
  return String.fromCharCode(...bytes.subarray(start, end));
}

/** A key as it is written most often. */
function keyBytes(name: string): Uint8Array {
  return Buffer.from(JSON.stringify(name).slice(1, -1));
}
