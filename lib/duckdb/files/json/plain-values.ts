import { addForm, integerForm, plainForm, type AutomatonBuilder, type FormOf } from "../automaton/mod.ts";
import { formatType, type TypeTree } from "../type-tree.ts";

/** While keys may be left out, each must be followed by any other, which takes many states. */
const STATES_MAX = 2_048;
/** A whole number of so many digits fits whatever they are. */
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
/** A double has all digits of a number of so many, and DuckDB reads numbers with a fraction by way of a double. */
export const EXACT_DIGITS = 15;

/** Keys with their types. */
export type Fields = readonly (readonly [key: string, type: TypeTree])[];

interface Key {
  /** With its quotes. */
  readonly bytes: Buffer;
  /** The state behind it. */
  readonly to: number;
}

/** Adds the states of JSON values that are plain; each method gives `null` for what no automaton is made of. */
export class PlainValues {
  readonly #builder: AutomatonBuilder;
  readonly #formOf: FormOf;
  readonly #isComplete: boolean;

  /** @param isComplete whether no key may be left out */
  constructor(builder: AutomatonBuilder, formOf: FormOf, isComplete: boolean) {
    this.#builder = builder;
    this.#formOf = formOf;
    this.#isComplete = isComplete;
  }

  /** @returns the state behind the object */
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

  /** Adds the keys that may come at a place: those from `first` on, or only this one. */
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

  /** Lets a space stand before what may follow a state. */
  #allowSpace(state: number): void {
    const spaced = this.#builder.state();
    this.#builder.copyEdges(state, spaced);
    this.#builder.on(state, byteOf(" "), spaced);
  }

  /** @returns the states in which the value is complete */
  #addValue(type: TypeTree, from: number): readonly number[] | null {
    const value = this.#addTyped(type, from);
    return value === null ? null : [...value, this.#addWord("null", from)];
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
    if (type.name === "BOOLEAN") return [this.#addWord("true", from), this.#addWord("false", from)];
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

  /** Any characters; of escapes all but surrogates and the zero character. @returns the state behind the string */
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
    // How many digits there are, and whether they are only zeros, or begin with the D of a surrogate.
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

  #addWord(word: string, from: number): number {
    let state = from;
    for (const byte of Buffer.from(word)) {
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
