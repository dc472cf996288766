import type { TypeTree } from "../type-tree.ts";
import { momentOf, type Moment } from "./moments.ts";
import type { Numeral } from "./tokens.ts";

/** A key of the objects at a position. */
export interface Field {
  readonly name: string;
  /** The key as written, without quotes. */
  readonly bytes: Uint8Array;
  shape: Shape;
  /** The last object with this key, to detect duplicate keys. */
  object: number;
}

/** The maximum number of keys below the columns; objects with more are maps, not structs. */
export const KEYS_MAX = 200;

/** The number of digits that a double always keeps. */
const SAFE_DIGITS = 15;
/** Smaller doubles lose digits or become zero. */
const NORMAL_MIN = 2.2250738585072014e-308;
const BIGGEST_DIGITS = 40;

/**
 * A summary of the values at one position of all rows, as far as their type depends on it.
 *
 * If the type is known, `expected` is set and no fields are added.
 */
export class Shape {
  readonly expected: TypeTree | null;
  /** Whether the options set the type; strings may then contain its values. */
  readonly isConfigured: boolean;
  nulls = 0;
  booleans = 0;
  numbers = 0;
  strings = 0;
  objects = 0;
  lists = 0;

  wholeDigits = 0;
  /** The maximum number of digits before the decimal point. */
  fractionWholeDigits = 0;
  fractionDigits = 0;
  fractionNeeded = 0;
  hasFraction = false;
  hasExponent = false;
  hasNegativeZero = false;
  /** Whether there is a `-0`, which only text distinguishes from 0. */
  hasNegativeWholeZero = false;
  isBeyondDouble = false;
  /** Whether a double would print other digits than some number, or some number is not as programs write it. */
  isInexact = false;
  /** Whether DuckDB would reformat a number in a JSON text. */
  hasRewritten = false;
  least: number | bigint = 0;
  greatest: number | bigint = 0;

  /** The kinds of the strings; complete until it contains `null`, which means any other string. */
  readonly moments = new Set<Moment | null>();
  #lastMoment: Moment | null | undefined;
  /** Whether each string so far is a date or timestamp and the type depends on it. */
  #isMoment: boolean;

  /** The fields by name; `null` if fields are ignored. */
  fields: Map<string, Field> | null;
  readonly order: Field[] = [];
  readonly #folded = new Set<string>();
  /** Whether the objects are maps, or have a key that is not a valid field name. */
  isOpaque = false;
  element: Shape | null = null;
  /** The shape of all values of a map. */
  readonly mapValue: Shape | null;

  constructor(expected: TypeTree | null = null, isConfigured = false) {
    this.expected = expected;
    this.isConfigured = isConfigured;
    this.fields = expected === null || expected.kind === "struct" ? new Map() : null;
    this.#isMoment = expected === null || !TEXTS.has(expected.kind === "scalar" ? expected.name : "");
    this.mapValue = expected?.kind === "map" ? new Shape(expected.value, isConfigured) : null;
    if (expected?.kind === "list") this.element = new Shape(expected.element, isConfigured);
    if (expected?.kind !== "struct") return;
    for (const [name, type] of expected.fields)
      this.addField(name, keyBytes(name), new Shape(type, isConfigured));
  }

  addField(name: string, bytes: Uint8Array, shape: Shape): Field {
    const field: Field = { name, bytes, shape, object: 0 };
    this.fields!.set(name, field);
    this.#folded.add(name.toLowerCase());
    this.order.push(field);
    return field;
  }

  /** Adds a field with a known type. */
  addKnownField(name: string, shape: Shape): void {
    this.addField(name, keyBytes(name), shape);
  }

  /** Whether there is any value, including null. */
  get isSeen(): boolean {
    return this.nulls + this.booleans + this.numbers + this.strings + this.objects + this.lists > 0;
  }

  /** Whether a key differs from a field only by case; a DuckDB struct cannot have both. */
  isFolded(name: string): boolean {
    return this.#folded.has(name.toLowerCase());
  }

  /** Ignores the content of objects and lists from now on. */
  makeOpaque(): void {
    this.isOpaque = true;
    this.fields = null;
    this.order.length = 0;
  }

  /** Whether a text column contains numbers that DuckDB would reformat. */
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

  /** Whether any value fits, so that values need no inspection. */
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
    // `-0` without a fraction is the whole number 0, also in DuckDB.
    if (numeral.isNegative && numeral.isZero) this.hasNegativeZero = true;
    if (numeral.hasExponent) this.hasExponent = true;
    if (numeral.wholeDigits > this.fractionWholeDigits) this.fractionWholeDigits = numeral.wholeDigits;
    if (numeral.fractionDigits > this.fractionDigits) this.fractionDigits = numeral.fractionDigits;
    if (numeral.fractionNeeded > this.fractionNeeded) this.fractionNeeded = numeral.fractionNeeded;
    // `1234e56` may be part of an identifier, so it stays text, as in CSV.
    if (numeral.fractionDigits === 0 && numeral.wholeDigits > 1) this.isInexact = true;
    const isLong = numeral.wholeDigits + numeral.fractionDigits > SAFE_DIGITS;
    if (isLong && !this.isInexact && !keepsDigits(asciiOf(bytes, start, numeral.end))) this.isInexact = true;
    if (!numeral.hasExponent && numeral.wholeDigits < 300 && numeral.fractionDigits < 300) return;
    const double = Number(asciiOf(bytes, start, numeral.end));
    const isTooSmall = Math.abs(double) < NORMAL_MIN && !numeral.isZero;
    if (!Number.isFinite(double) || isTooSmall) this.isBeyondDouble = true;
  }

  /** @param isComplete whether to collect kinds even after a string that is neither a date nor a timestamp */
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

/** The types that accept any string. */
const TEXTS = new Set(["VARCHAR", "JSON", "FORMATTED"]);

/** Whether a double preserves the digits of a numeral; the rule for CSV is `holdsDigits`. */
function keepsDigits(text: string): boolean {
  const printed = String(Number(text));
  if (printed === text) return true;
  const digits = significantDigits(text);
  return digits.length <= SAFE_DIGITS || digits === significantDigits(printed);
}

function significantDigits(numeral: string): string {
  const [digits = ""] = numeral.replace(/[-.]/g, "").split(/e/i);
  return digits.replace(/^0+|0+$/g, "");
}

function asciiOf(bytes: Uint8Array, start: number, end: number): string {
  return String.fromCharCode(...bytes.subarray(start, end));
}

/** The usual form of a key. */
function keyBytes(name: string): Uint8Array {
  return Buffer.from(JSON.stringify(name).slice(1, -1));
}
