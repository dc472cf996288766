import { formatValue, counted } from "../../../base/mod.ts";
import { formatType, isWholeNumber, NUMERIC } from "../type-tree.ts";
import { fits } from "./fits.ts";
import { KnownRow } from "./known-row.ts";
import { nextObject } from "./objects.ts";
import { JsonProblem, type Misfit } from "./problem.ts";
import { nonObjectProblem, type NonObjectRow } from "./non-object-row.ts";
import type { JsonScanner } from "./scanner.ts";
import type { JsonSink } from "./sink.ts";
import { KEYS_MAX, Shape, type Field } from "./shape.ts";
import { isRewritten, newNumeral, scanNumber, textOf, type Numeral } from "./tokens.ts";

/** An open object or list. */
interface Level {
  /** `null` if the content is ignored. */
  shape: Shape | null;
  isObject: boolean;
  /** The number of the object, to detect duplicate keys. */
  object: number;
  /** The index of the expected next key. */
  next: number;
  /** The last key. */
  field: Field | null;
  /** The shape of the next value. */
  value: Shape | null;
  /** The shape of the enclosing value that is kept as JSON text. */
  text: Shape | null;
  /** The offset of that value in the file, at its outermost level. */
  textOffset: number;
}

/** A key of a row, with its offsets in the file. */
interface ColumnKey {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

export interface WalkOptions {
  /** The maximum number of columns. */
  readonly columnsMax: number;
  /** The number of rows after which the scan ends. Default: no limit. */
  readonly rowsMax?: number;
  /** Whether to compare each value with its type immediately, which finds the first misfit but is slower. */
  readonly isLocating?: boolean;
  /** Receives misfits; without it, the first one ends the scan. Requires `isLocating` and `newRoot`. */
  readonly onMisfit?: (misfit: Misfit, isNumber: boolean) => void;
  readonly newRoot?: () => Shape;
  /** As `onMisfit`, with the place of the key of the column; only the rest of the column is skipped. */
  readonly onColumnMisfit?: (misfit: Misfit, isNumber: boolean, key: ColumnKey) => void;
  /** Selects numbers that count as text, so that they do not affect the number type. Also enables `isComplete` for strings. */
  readonly isTextNumeral?: (numeral: Numeral, bytes: Uint8Array, start: number) => boolean;
  /** Receives the shape of each string. */
  readonly onString?: (shape: Shape) => void;
  /** Receives the offsets of each number in a text column. */
  readonly onNumberText?: (start: number, end: number) => void;
  /** Receives the offsets of each value that is kept as JSON text, except booleans. */
  readonly onJsonText?: (start: number, end: number) => void;
  /** Receives rows that are not objects; without it, the first one ends the scan. */
  readonly onNonObjectRow?: (row: NonObjectRow) => void;
  /** Called at the end of each row, with whether all its values fit. */
  readonly onRow?: (isGood: boolean) => void;
}

/** Collects the shapes of all values of files, for new or known columns. */
export class ShapeWalk implements JsonSink {
  #root: Shape;
  #isBad = false;
  readonly #options: WalkOptions;
  readonly #levels: Level[] = [];
  #depth = 0;
  #level: Level = newLevel();
  readonly #isLocating: boolean;
  #rows = 0;
  #keyStart = 0;
  #keyEnd = 0;
  readonly #numeral = newNumeral();
  readonly knownRow: KnownRow | null;
  /** The scanner, for the current line. */
  scanner: JsonScanner | null = null;

  /** @param root the shape of the rows */
  constructor(root: Shape, options: WalkOptions) {
    this.#root = root;
    this.#options = options;
    this.#isLocating = options.isLocating === true;
    const observesRows = this.#isLocating || options.onRow !== undefined || options.rowsMax !== undefined;
    this.knownRow = root.expected === null || observesRows ? null : new KnownRow(root);
    this.#levels.push(this.#level);
    this.#level.value = root;
  }

  openObject(): void {
    this.#open(true);
  }

  openList(): void {
    this.#open(false);
  }

  close(): void {
    const { textOffset } = this.#level;
    if (textOffset >= 0) this.#options.onJsonText?.(textOffset, this.scanner!.bracketOffset);
    this.#level = this.#levels[(this.#depth -= 1)]!;
  }

  row(): boolean {
    this.#rows += 1;
    this.#options.onRow?.(!this.#isBad);
    if (this.#isBad) {
      // The bad row must not affect the next ones.
      this.#isBad = false;
      this.#root = this.#options.newRoot!();
      this.#levels[0]!.value = this.#root;
    }
    return this.#rows !== this.#options.rowsMax;
  }

  nonObjectRow(row: NonObjectRow): boolean {
    const { onNonObjectRow } = this.#options;
    if (onNonObjectRow === undefined) throw nonObjectProblem(row);
    this.#rows += 1;
    onNonObjectRow(row);
    return this.#rows !== this.#options.rowsMax;
  }

  key(bytes: Uint8Array, start: number, end: number, isEscaped: boolean): void {
    const level = this.#level;
    const { shape } = level;
    if (shape === null) {
      level.value = null;
      return;
    }
    if (shape.mapValue !== null) {
      level.value = shape.mapValue;
      return;
    }
    if (shape.fields === null) {
      level.value = null;
      return;
    }
    const expected = shape.order[level.next];
    const field =
      expected !== undefined && isSame(expected.bytes, bytes, start, end)
        ? expected
        : this.#find(shape, bytes, start, end, isEscaped);
    level.field = field;
    if (field === null) {
      level.value = null;
      return;
    }
    if (field.object === level.object) {
      throw this.#problem(`the key ${formatValue(this.#path())} occurs twice in one object`);
    }
    field.object = level.object;
    if (this.#isLocating && this.#depth === 1) {
      this.#keyStart = start + this.#offset;
      this.#keyEnd = end + this.#offset;
    }
    level.next = field === expected ? level.next + 1 : shape.order.indexOf(field) + 1;
    level.value = field.shape;
  }

  string(bytes: Uint8Array, start: number, end: number, isEscaped: boolean): void {
    const shape = this.#level.value;
    if (shape === null) return;
    if (shape.takesAnything) this.#reportJsonText(start - 1, end + 1);
    if (!(shape.isConfigured && this.#addUnquoted(shape, bytes, start, end))) {
      // Dates and timestamps have no escapes.
      const isComplete = this.#options.isTextNumeral !== undefined;
      shape.addString(bytes, start, isEscaped ? start : end, isComplete);
    }
    this.#options.onString?.(shape);
    if (this.#isLocating) this.#compare(shape, () => textOf(bytes, start, end, isEscaped));
  }

  number(numeral: Numeral, bytes: Uint8Array, start: number, end: number): void {
    const shape = this.#level.value;
    const text = shape?.takesAnything === true ? shape : this.#level.text;
    if (text !== null && !text.hasRewritten) text.hasRewritten = isRewritten(numeral, bytes, start);
    if (shape === null) return;
    if (this.#options.isTextNumeral?.(numeral, bytes, start) === true) shape.strings += 1;
    else shape.addNumber(numeral, bytes, start);
    if (shape.takesAnything) this.#reportJsonText(start, end);
    if (shape.isText) this.#options.onNumberText?.(start + this.#offset, end + this.#offset);
    if (this.#isLocating) this.#compare(shape, () => textOf(bytes, start, end, false), true);
  }

  boolean(value: boolean): void {
    const shape = this.#level.value;
    if (shape === null) return;
    shape.booleans += 1;
    if (this.#isLocating) this.#compare(shape, () => String(value));
  }

  null(): void {
    const shape = this.#level.value;
    if (shape !== null) shape.nulls += 1;
  }

  #open(isObject: boolean): void {
    let shape = this.#level.value;
    if (shape !== null) {
      if (isObject) shape.objects += 1;
      else shape.lists += 1;
      if (this.#isLocating && this.#depth > 0) this.#compare(shape, () => (isObject ? "{…}" : "[…]"));
      // A misfit ends the column or the row.
      shape = this.#level.value;
    }
    this.#depth += 1;
    const isLooked = shape !== null && !this.#isBad && !shape.takesAnything;
    const isText = shape !== null && !this.#isBad && (shape.takesAnything || shape.isText);
    const level = (this.#levels[this.#depth] ??= newLevel());
    level.text = isText ? shape : this.#level.text;
    level.textOffset = isText ? this.scanner!.bracketOffset : -1;
    this.#level = level;
    level.shape = isLooked ? shape : null;
    level.isObject = isObject;
    level.object = nextObject();
    level.next = 0;
    level.field = null;
    level.value = null;
    if (isObject || !isLooked || shape === null) return;
    if (shape.element === null && shape.expected === null) shape.element = new Shape();
    level.value = shape.element;
  }

  #find(shape: Shape, bytes: Uint8Array, start: number, end: number, isEscaped: boolean): Field | null {
    const name = textOf(bytes, start, end, isEscaped);
    const known = shape.fields!.get(name);
    if (known !== undefined) return known;
    const isRoot = shape === this.#root;
    if (isRoot && name.includes("\0"))
      throw this.#problem(`the key ${formatValue(name)} contains a NUL character`);
    if (shape.expected !== null) {
      const path = [...this.#names(this.#depth - 1), name].join(".");
      throw new JsonProblem(this.#line, `it has a new key ${formatValue(path)}`, { isNewKey: true });
    }
    if (isRoot && shape.order.length === this.#options.columnsMax) {
      throw this.#problem(`the objects have more than ${counted(this.#options.columnsMax, "different key")}`);
    }
    const isNoField = name === "" || name.includes("\0") || shape.isFolded(name);
    if (!isRoot && (isNoField || shape.order.length === KEYS_MAX)) {
      shape.makeOpaque();
      return null;
    }
    return shape.addField(name, bytes.slice(start, end), new Shape());
  }

  /** Adds a string as a number or boolean if the configured type is one. */
  #addUnquoted(shape: Shape, bytes: Uint8Array, start: number, end: number): boolean {
    const { expected } = shape;
    if (expected?.kind !== "scalar") return false;
    if (expected.name === "BOOLEAN") {
      if (!/^(true|false)$/.test(textOf(bytes, start, Math.min(end, start + 6), false))) return false;
      shape.booleans += 1;
      return true;
    }
    if (!NUMERIC.test(expected.name)) return false;
    const token = bytes.subarray(start, end);
    if (!scanNumber(token, 0, this.#numeral) || this.#numeral.end !== token.length) return false;
    // DuckDB converts `1.0` to an integer, but not `"1.0"`.
    if (this.#numeral.fractionDigits > 0 && isWholeNumber(expected.name)) return false;
    shape.addNumber(this.#numeral, token, 0);
    return true;
  }

  /** @throws `JsonProblem` if a value does not fit; all previous ones fit */
  #compare(shape: Shape, text: () => string, isNumber = false): void {
    const { expected } = shape;
    if (expected === null || fits(shape, expected, shape.isConfigured)) return;
    const type = formatType(expected);
    this.#misfit({ column: this.#path(), value: text(), type }, isNumber);
  }

  #path(): string {
    return this.#names(this.#depth).join(".");
  }

  #names(depth: number): string[] {
    return this.#levels
      .slice(1, depth + 1)
      .filter((level) => level.isObject && level.field !== null)
      .map((level) => level.field!.name);
  }

  /** Throws a misfit, or reports it to `onMisfit` and skips the rest of the row. */
  #misfit(misfit: Misfit, isNumber: boolean): void {
    const { onMisfit, onColumnMisfit } = this.#options;
    if (onColumnMisfit !== undefined) {
      const { field } = this.#levels[1]!;
      const key = { name: field!.name, start: this.#keyStart, end: this.#keyEnd };
      onColumnMisfit(misfit, isNumber, key);
      // The misfit must not affect the next rows.
      field!.shape = this.#options.newRoot!().fields!.get(key.name)!.shape;
      for (const level of this.#levels.slice(2)) level.shape = null;
      for (const level of this.#levels.slice(1)) level.value = null;
      return;
    }
    if (onMisfit === undefined) throw new JsonProblem(this.#line, "", { misfit });
    onMisfit(misfit, isNumber);
    this.#isBad = true;
    for (const level of this.#levels) {
      level.shape = null;
      level.value = null;
    }
  }

  #reportJsonText(start: number, end: number): void {
    this.#options.onJsonText?.(start + this.#offset, end + this.#offset);
  }

  /** The offset of the current bytes in the file. */
  get #offset(): number {
    return this.scanner?.offset ?? 0;
  }

  get #line(): number {
    return this.scanner?.line ?? 1;
  }

  #problem(reason: string): JsonProblem {
    return new JsonProblem(this.#line, reason);
  }
}

function newLevel(): Level {
  return {
    shape: null,
    isObject: false,
    object: 0,
    next: 0,
    field: null,
    value: null,
    text: null,
    textOffset: -1,
  };
}

function isSame(key: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (key.length !== end - start) return false;
  for (let at = 0; at < key.length; at++) if (key[at] !== bytes[start + at]) return false;
  return true;
}
