import { formatValue, counted } from "../../../base/mod.ts";
import { formatType, isWholeNumber, NUMERIC } from "../type-tree.ts";
import { fits } from "./fits.ts";
import { KnownRow } from "./known-row.ts";
import { nextObject } from "./objects.ts";
import { JsonProblem, type Misfit } from "./problem.ts";
import { strangeProblem, type StrangeRow } from "./strange-row.ts";
import type { JsonScanner } from "./scanner.ts";
import type { JsonSink } from "./sink.ts";
import { KEYS_MAX, Shape, type Field } from "./shape.ts";
import { isRewritten, newNumeral, scanNumber, textOf, type Numeral } from "./tokens.ts";

/** One object or list that is open. */
interface Level {
  /** Null when nobody looks at what is inside. */
  shape: Shape | null;
  isObject: boolean;
  /** Tells the objects apart, to notice a key that comes twice. */
  object: number;
  /** The place of the key that is expected next. */
  next: number;
  /** The key that was read last. */
  field: Field | null;
  /** Where the next value belongs. */
  value: Shape | null;
  /** Of what is inside a value that is kept as JSON text: the shape of that value. */
  text: Shape | null;
  /** Where such a value starts in the whole text, at its outermost level. */
  textOffset: number;
}

export interface WalkOptions {
  /** More columns than that are refused. */
  readonly columnsMax: number;
  /** The scan ends after so many rows. Default: never. */
  readonly rowsMax?: number;
  /** Whether each value is compared with its type at once, which tells the first misfit but takes time. */
  readonly isLocating?: boolean;
  /** Takes the misfits, instead of the first one ending the scan; goes with `isLocating` and `newRoot`. */
  readonly onMisfit?: (misfit: Misfit, isNumber: boolean) => void;
  readonly newRoot?: () => Shape;
  /**
   * Numbers that count as text, so that the types of the others can be told; moments are then told behind other texts,
   * too.
   */
  readonly isTextNumeral?: (numeral: Numeral, bytes: Uint8Array, start: number) => boolean;
  /** A string, by the shape of what it is a value of. */
  readonly onString?: (shape: Shape) => void;
  /** A number where text is wanted, by its place in the whole text. */
  readonly onNumberText?: (start: number, end: number) => void;
  /** A value other than a truth value that is kept as JSON text, by its place in the whole text. */
  readonly onJsonText?: (start: number, end: number) => void;
  /** Takes values that stand in the place of a row, instead of the first one ending the scan. */
  readonly onStrangeRow?: (row: StrangeRow) => void;
  /** At the end of each row: whether all its values fit. */
  readonly onRow?: (isGood: boolean) => void;
}

/** Gathers the shapes of all values of files: made up as they come, or those of known columns. */
export class ShapeWalk implements JsonSink {
  #root: Shape;
  #isBad = false;
  readonly #options: WalkOptions;
  readonly #levels: Level[] = [];
  #depth = 0;
  #level: Level = newLevel();
  readonly #isLocating: boolean;
  #rows = 0;
  readonly #numeral = newNumeral();
  readonly knownRow: KnownRow | null;
  /** Tells the line. */
  scanner: JsonScanner | null = null;

  /** @param root the shape of the rows */
  constructor(root: Shape, options: WalkOptions) {
    this.#root = root;
    this.#options = options;
    this.#isLocating = options.isLocating === true;
    const isTold = this.#isLocating || options.onRow !== undefined || options.rowsMax !== undefined;
    this.knownRow = root.expected === null || isTold ? null : new KnownRow(root);
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
      // What the bad row left behind must not count against the next ones.
      this.#isBad = false;
      this.#root = this.#options.newRoot!();
      this.#levels[0]!.value = this.#root;
    }
    return this.#rows !== this.#options.rowsMax;
  }

  strangeRow(row: StrangeRow): boolean {
    const { onStrangeRow } = this.#options;
    if (onStrangeRow === undefined) throw strangeProblem(row);
    this.#rows += 1;
    onStrangeRow(row);
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
      throw this.#problem(`the key ${formatValue(this.#path())} comes twice in one object`);
    }
    field.object = level.object;
    level.next = field === expected ? level.next + 1 : shape.order.indexOf(field) + 1;
    level.value = field.shape;
  }

  string(bytes: Uint8Array, start: number, end: number, isEscaped: boolean): void {
    const shape = this.#level.value;
    if (shape === null) return;
    if (shape.takesAnything) this.#tellJsonText(start - 1, end + 1);
    if (!(shape.isGiven && this.#addUnquoted(shape, bytes, start, end))) {
      // A moment is never written with escapes.
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
    if (shape.takesAnything) this.#tellJsonText(start, end);
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
    const shape = this.#level.value;
    if (shape !== null) {
      if (isObject) shape.objects += 1;
      else shape.lists += 1;
      if (this.#isLocating && this.#depth > 0) this.#compare(shape, () => (isObject ? "{…}" : "[…]"));
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
    if (isObject || !isLooked) return;
    if (shape.element === null && shape.expected === null) shape.element = new Shape();
    level.value = shape.element;
  }

  #find(shape: Shape, bytes: Uint8Array, start: number, end: number, isEscaped: boolean): Field | null {
    const name = textOf(bytes, start, end, isEscaped);
    const known = shape.fields!.get(name);
    if (known !== undefined) return known;
    const isRoot = shape === this.#root;
    if (isRoot && name.includes("\0"))
      throw this.#problem(`the key ${formatValue(name)} holds a NUL character`);
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

  /** Adds a string as the number or truth value that a person says it is. */
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
    // DuckDB takes `1.0` for a whole number, but not `"1.0"`.
    if (this.#numeral.fractionDigits > 0 && isWholeNumber(expected.name)) return false;
    shape.addNumber(this.#numeral, token, 0);
    return true;
  }

  /** @throws when a value does not fit: all before it did */
  #compare(shape: Shape, text: () => string, isNumber = false): void {
    const { expected } = shape;
    if (expected === null || fits(shape, expected, shape.isGiven)) return;
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

  /** Skips the rest of the row when misfits are wanted, all of them. */
  #misfit(misfit: Misfit, isNumber: boolean): void {
    const { onMisfit } = this.#options;
    if (onMisfit === undefined) throw new JsonProblem(this.#line, "", { misfit });
    onMisfit(misfit, isNumber);
    this.#isBad = true;
    for (const level of this.#levels) {
      level.shape = null;
      level.value = null;
    }
  }

  #tellJsonText(start: number, end: number): void {
    this.#options.onJsonText?.(start + this.#offset, end + this.#offset);
  }

  /** Of the bytes that are scanned in the whole text. */
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
