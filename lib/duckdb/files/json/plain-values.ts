import { addForm, integerForm, plainForm, type AutomatonBuilder, type FormOf } from "../automaton/mod.ts";
import { formatType, type TypeTree } from "../type-tree.ts";

/** With optional keys, any key may follow each key, which takes many states. */
const STATES_MAX = 2_048;
/** The number of digits with which any whole number fits. */
export const SAFE_INTEGER_DIGITS: Readonly<Record<string, number>> = {
  TINYINT: 2,
  SMALLINT: 4,
  INTEGER: 9,
  BIGINT: 18,
  HUGEINT: 38,
  UTINYINT: 2,
  USMALLINT: 4,
  UINTEGER: 9,
  UBIGINT: 19,
  UHUGEINT: 38,
};
/** A double keeps this many digits, and DuckDB reads numbers with a fraction through a double. */
export const EXACT_DIGITS = 15;

/** Keys with their types. */
export type Fields = readonly (readonly [key: string, type: TypeTree])[];

interface Key {
  /** With its quotes. */
  readonly bytes: Buffer;
  /** The state after it. */
  readonly to: number;
}

/** Adds the states of plain JSON values. Each method returns `null` for unsupported types. */
export class PlainValues {
  readonly #builder: AutomatonBuilder;
  readonly #formOf: FormOf;
  readonly #isComplete: boolean;

  /** @param isComplete whether all keys are required */
  constructor(builder: AutomatonBuilder, formOf: FormOf, isComplete: boolean) {
    this.#builder = builder;
    this.#formOf = formOf;
    this.#isComplete = isComplete;
  }

  /** @returns the state after the object */
  addObject(fields: Fields, from: number): number | null {
    const builder = this.#builder;
    const open = builder.state();
    const end = builder.state();
    builder.on(from, byteOf("{"), open);
    builder.on(open, byteOf("}"), end);
    const keys = fields.map(([key]) => ({ bytes: Buffer.from(JSON.stringify(key)), to: builder.state() }));
    this.#addKeys(keys, 0, open);
    for (const [at, [, type]] of fields.entries()) {
      const colon = builder.state();
      builder.on(keys[at]!.to, byteOf(":"), colon);
      const ends = this.#addValue(type, colon);
      if (ends === null || builder.size > STATES_MAX) return null;
      this.#allowSpace(colon);
      const comma = builder.state();
      for (const state of ends) {
        builder.on(state, byteOf("}"), end);
        if (at < fields.length - 1) builder.on(state, byteOf(","), comma);
      }
      this.#addKeys(keys, at + 1, comma);
      this.#allowSpace(comma);
    }
    return end;
  }

  /** Adds the possible next keys: those from `first` on, or only this one. */
  #addKeys(keys: readonly Key[], first: number, from: number): void {
    const builder = this.#builder;
    const states = new Map<string, number>();
    for (const { bytes, to } of keys.slice(first, this.#isComplete ? first + 1 : undefined)) {
      let state = from;
      for (const [at, byte] of bytes.entries()) {
        const prefix = bytes.toString("latin1", 0, at + 1);
        const next = at === bytes.length - 1 ? to : (states.get(prefix) ?? builder.state());
        states.set(prefix, next);
        builder.on(state, byte, next);
        state = next;
      }
    }
  }

  /** Allows a space before anything that may follow a state. */
  #allowSpace(state: number): void {
    const spaced = this.#builder.state();
    this.#builder.copyEdges(state, spaced);
    this.#builder.on(state, byteOf(" "), spaced);
  }

  /** @returns the states after a complete value */
  #addValue(type: TypeTree, from: number): readonly number[] | null {
    const value = this.#addTyped(type, from);
    return value === null ? null : [...value, this.#addLiteral("null", from)];
  }

  #addTyped(type: TypeTree, from: number): readonly number[] | null {
    switch (type.kind) {
      case "struct": {
        const end = this.addObject(type.fields, from);
        return end === null ? null : [end];
      }
      case "list":
        return type.length === null ? this.#addList(type.element, from) : null;
      case "map":
        return null;
      case "scalar":
        return this.#addScalar(type, from);
    }
  }

  #addList(element: TypeTree, from: number): readonly number[] | null {
    const builder = this.#builder;
    const open = builder.state();
    const next = builder.state();
    const end = builder.state();
    builder.on(from, byteOf("["), open);
    const ends = this.#addValue(element, next);
    if (ends === null) return null;
    builder.copyEdges(next, open);
    builder.on(open, byteOf("]"), end);
    this.#allowSpace(next);
    for (const state of ends) {
      builder.on(state, byteOf(","), next);
      builder.on(state, byteOf("]"), end);
    }
    return [end];
  }

  #addScalar(type: TypeTree & { readonly kind: "scalar" }, from: number): readonly number[] | null {
    const builder = this.#builder;
    if (type.name === "VARCHAR") return [this.#addString(from)];
    if (type.name === "BOOLEAN") return [this.#addLiteral("true", from), this.#addLiteral("false", from)];
    const number = numberForm(type);
    if (number !== null) return addForm(builder, this.#formOf(number), from, []);
    if (!/^(DATE|TIMESTAMP|TIMESTAMP WITH TIME ZONE)$/.test(type.name)) return null;
    const open = builder.state();
    const end = builder.state();
    builder.on(from, QUOTE, open);
    for (const state of addForm(builder, this.#formOf(plainForm(formatType(type))!), open, [])) {
      builder.on(state, QUOTE, end);
    }
    return [end];
  }

  /** Adds a string with any characters, and all escapes except surrogates and NUL. @returns the state after the string */
  #addString(from: number): number {
    const builder = this.#builder;
    const inside = builder.state();
    const end = builder.state();
    builder.on(from, QUOTE, inside);
    builder.on(inside, QUOTE, end);
    this.#addEscapes(inside);
    builder.onOthers(inside, [...Array(0x20).keys()], inside);
    return end;
  }

  #addEscapes(inside: number): void {
    const builder = this.#builder;
    const [escape, unicode] = [builder.state(), builder.state()];
    // The number of digits, and whether they are all zero or begin with the D of a surrogate.
    const [one, two, three, zero, zeros, zeroes, surrogate] = Array.from({ length: 7 }, () =>
      builder.state(),
    );
    const on = (from: number | undefined, characters: string, to: number | undefined) => {
      for (const byte of Buffer.from(characters)) builder.on(from!, byte, to!);
    };
    on(inside, "\\", escape);
    on(escape, '"\\/bfnrt', inside);
    on(escape, "u", unicode);
    on(unicode, HEXADECIMAL, one);
    on(unicode, "0", zero);
    on(unicode, "dD", surrogate);
    on(surrogate, "01234567", two);
    on(one, HEXADECIMAL, two);
    on(two, HEXADECIMAL, three);
    on(three, HEXADECIMAL, inside);
    on(zero, HEXADECIMAL, two);
    on(zero, "0", zeros);
    on(zeros, HEXADECIMAL, three);
    on(zeros, "0", zeroes);
    on(zeroes, HEXADECIMAL.slice(1), inside);
  }

  #addLiteral(literal: string, from: number): number {
    let state = from;
    for (const byte of Buffer.from(literal)) {
      const next = this.#builder.state();
      this.#builder.on(state, byte, next);
      state = next;
    }
    return state;
  }
}

const QUOTE = byteOf('"');
const HEXADECIMAL = "0123456789abcdefABCDEF";

/** The byte of an ASCII character. */
export function byteOf(character: string): number {
  return character.charCodeAt(0);
}

function numberForm({ name, parameters }: TypeTree & { readonly kind: "scalar" }): string | null {
  const digits = SAFE_INTEGER_DIGITS[name];
  if (digits !== undefined) return integerForm(digits, !name.startsWith("U"));
  if (name === "DECIMAL") {
    const [width, scale] = parameters.map(Number) as [number, number];
    const wholeDigits = width - scale;
    const whole = wholeDigits === 0 ? "0" : integerForm(wholeDigits, true);
    if (scale === 0 || scale >= EXACT_DIGITS) return whole;
    const before = wholeDigits === 0 ? "0" : integerForm(Math.min(wholeDigits, EXACT_DIGITS - scale), true);
    return `${whole}|(?:${before})[.][0-9]{1,${scale}}`;
  }
  if (name !== "DOUBLE") return null;
  const fractions = Array.from({ length: EXACT_DIGITS - 1 }, (_, at) => {
    return `[1-9][0-9]{${at}}[.][0-9]{1,${EXACT_DIGITS - at - 1}}`;
  });
  const small = `0[.][0-9]{1,${EXACT_DIGITS}}`;
  const scientific = `[1-9](?:[.][0-9]{1,${EXACT_DIGITS - 1}})?[eE][+-]?[0-9]{1,2}`;
  return `${integerForm(EXACT_DIGITS, true)}|-?(?:${[small, ...fractions, scientific].join("|")})`;
}
