import { expect } from "bun:test";

import { seededRandom } from "../../lib/testing/fakes/fake-host.ts";
import { readJson } from "./files-json-support.ts";

/** Makes JSON text of one kind of value; the kinds of a column are few, so that types other than text are chosen. */
type Kind = (random: Random) => string;

class Random {
  readonly #next: () => number;

  constructor(seed: number) {
    this.#next = seededRandom(seed);
  }

  below(limit: number): number {
    return Math.floor(this.#next() * limit);
  }

  of<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }

  digits(count: number): string {
    return Array.from({ length: count }, (_, at) => (at === 0 ? 1 + this.below(9) : this.below(10))).join("");
  }
}

const two = (value: number) => String(value).padStart(2, "0");
const date = (random: Random) =>
  `${1900 + random.below(300)}-${two(1 + random.below(12))}-${two(1 + random.below(28))}`;
const clock = (random: Random) =>
  `${two(random.below(24))}:${two(random.below(60))}:${two(random.below(60))}${random.of(["", `.${random.digits(1 + random.below(6))}`])}`;

const TEXTS = [
  "",
  "x",
  "NaN",
  "null",
  "1",
  "007",
  "true",
  "{}",
  "[1]",
  'say "hi"',
  "a\\b",
  "č\u0000\n",
  "😀",
  "2024-02-30",
  "1e5",
];

const SCALARS: Readonly<Record<string, Kind>> = {
  null: () => "null",
  small: (random) => String(random.below(2000) - 1000),
  big: (random) => `${random.of(["", "-"])}${random.digits(15 + random.below(5))}`,
  huge: (random) => `${random.of(["", "-"])}${random.digits(19 + random.below(25))}`,
  money: (random) =>
    `${random.of(["", "-"])}${random.digits(1 + random.below(9))}.${1 + random.below(9)}${random.below(10)}`,
  fraction: (random) => `${random.digits(1 + random.below(14))}.${random.digits(1 + random.below(12))}`,
  exponent: (random) =>
    `${random.digits(1)}.${random.digits(3)}e${random.of(["", "-", "+"])}${random.below(290)}`,
  zero: (random) => random.of(["0", "-0", "0.0", "-0.0", "0e0"]),
  boolean: (random) => random.of(["true", "false"]),
  text: (random) => JSON.stringify(random.of(TEXTS)),
  escaped: (random) => random.of(['"\\u0041\\/\\b"', '"\\ud83d\\ude00"', '"\\u0000"']),
  date: (random) => JSON.stringify(date(random)),
  timestamp: (random) => JSON.stringify(`${date(random)}${random.of(["T", " "])}${clock(random)}`),
  zoned: (random) =>
    JSON.stringify(`${date(random)}T${clock(random)}${random.of(["Z", "+02:00", "-05:30"])}`),
};

const KEYS = ["a", "b", "Name", "name", "x y", "č", "json", "", 'q"'];

/** A kind of scalars, structs or lists. */
function kindOf(random: Random, depth: number): Kind {
  const shape = depth > 2 ? 0 : random.below(10);
  if (shape === 8) {
    const element = mixed(random, depth + 1);
    return (r) => `[${Array.from({ length: r.below(4) }, () => element(r)).join(",")}]`;
  }
  if (shape === 9) {
    const keys = random.of([KEYS, ["k", "l", "m"], ["k", "l", "m"]]);
    const fields = keys.slice(0, 1 + random.below(3)).map((key) => [key, mixed(random, depth + 1)] as const);
    return (r) =>
      `{${shuffled(
        r,
        fields.filter(() => r.below(5) > 0),
      )
        .map(([key, kind]) => `${keyText(r, key)}:${kind(r)}`)
        .join(", ")}}`;
  }
  return SCALARS[random.of(Object.keys(SCALARS))]!;
}

/** Mostly one kind and nulls, sometimes a second one, often or rarely. */
function mixed(random: Random, depth: number): Kind {
  const first = kindOf(random, depth);
  const second = random.below(3) === 0 ? kindOf(random, depth) : first;
  const often = random.of([2, 30]);
  return (r) => (r.below(8) === 0 ? "null" : r.below(often) === 0 ? second(r) : first(r));
}

function shuffled<T>(random: Random, values: readonly T[]): readonly T[] {
  return random.below(4) === 0 ? values.toReversed() : values;
}

function keyText(random: Random, key: string): string {
  const isEscaped = random.below(6) === 0;
  const escaped = Array.from(key)
    .map((character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .join("");
  return isEscaped ? `"${escaped}"` : JSON.stringify(key);
}

/** Parses JSON with each number as its text. */
function lossless(text: string): unknown {
  return JSON.parse(
    text.replace(
      /("(?:[^"\\]|\\.)*")|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/g,
      (_all, string: string | undefined, number: string) => string ?? `{"#":"${number}"}`,
    ),
  );
}

const numberOf = (value: unknown): string | null =>
  typeof value === "object" && value !== null && "#" in value ? String(value["#"]) : null;

/** The value of a number: integers with all digits, others as doubles. */
const numeral = (text: string) =>
  text === "-0"
    ? "0"
    : /^-?\d+$/.test(text)
      ? text
      : Object.is(Number(text), -0)
        ? "-0"
        : String(Number(text));

function moment(text: string): string {
  const [day, time = "00:00:00", zone = ""] = text.split(/[T ]|(?<=:\d\d(?:\.\d+)?)(?=[Z+-])/);
  const [second, fraction = ""] = time.split(".");
  const instant = new Date(`${day}T${second}${zone === "" ? "Z" : zone.length === 3 ? `${zone}:00` : zone}`);
  return `${instant.getTime()} ${fraction.replace(/0+$/, "")} ${zone === ""}`;
}

/** Compares the expected value with the result. A missing key equals null. */
function same(written: unknown, read: unknown, type: string): boolean {
  const isNone = (value: unknown) => value === null || value === undefined;
  if (isNone(written) || isNone(read)) return isNone(written) && isNone(read);
  const number = numberOf(written);
  if (typeof read === "string" && type !== "JSON") {
    if (number !== null) return type === "VARCHAR" && numeral(number) === numeral(read);
    if (typeof written === "boolean") return type === "VARCHAR" && read === String(written);
    return /^(DATE|TIMESTAMP)/.test(type)
      ? typeof written === "string" && moment(written) === moment(read)
      : written === read;
  }
  const other = numberOf(read);
  if (number !== null || other !== null) {
    return number !== null && other !== null && numeral(number) === numeral(wholeOf(other, number));
  }
  if (Array.isArray(written) && Array.isArray(read)) {
    return written.length === read.length && written.every((one, at) => sameNested(one, read[at], "any"));
  }
  if (typeof written === "object" && typeof read === "object") {
    const [one, two] = [written as Record<string, unknown>, read as Record<string, unknown>];
    return [...new Set([...Object.keys(one), ...Object.keys(two)])].every((key) =>
      sameNested(one[key], two[key], "any"),
    );
  }
  return written === read;
}

/** An integer in a column of doubles or decimals is printed with a fraction. */
const wholeOf = (read: string, written: string) =>
  /^-?\d+$/.test(written) ? read.replace(/\.0+$/, "") : read;

/** Below the columns the type is unknown: a text may be a timestamp, or a number among mixed values. */
function sameNested(written: unknown, read: unknown, type: string): boolean {
  if (type !== "any" || typeof read !== "string") return same(written, read, type);
  return (
    same(written, read, "VARCHAR") ||
    (typeof written === "string" && /^\d{4}-\d\d-\d\d/.test(written) && moment(written) === moment(read))
  );
}

/** Reads JSON with any columns, files and orders, and compares it with the result of JSON.parse. */
export async function expectJsonAsParsed(seeds: readonly number[]): Promise<void> {
  for (const seed of seeds) {
    const random = new Random(seed);
    const keys = random.of([KEYS, ["id", "v"], ["id", "v", "w", "json"]]);
    const columns = keys
      .slice(0, 1 + random.below(keys.length))
      .map((key) => [key, mixed(random, 0)] as const);
    const isJson = random.below(3) === 0;
    const files = Array.from({ length: 1 + random.below(3) }, () =>
      Array.from({ length: random.of([0, 1, 3, 40]) }, () => {
        const present = columns.filter(() => random.below(10) > 0);
        return `{${shuffled(random, present)
          .map(([key, kind]) => `${keyText(random, key)}:${kind(random)}`)
          .join(",")}}`;
      }),
    );
    const content = (rows: readonly string[]) =>
      isJson
        ? random.below(2) === 0
          ? `[${rows.join(",\n ")}]`
          : rows.map((row) => row.replace(/^\{/, "{\n")).join("\n")
        : rows.map((row) => `${row}\n`).join("");
    for (const order of [files, files.map((rows) => rows.toReversed()).toReversed()]) {
      const named = Object.fromEntries(
        order.map((rows, at) => [`${at}.${isJson ? "json" : "ndjson"}`, content(rows)]),
      );
      const read = await readJson(named).catch((error: unknown) => {
        throw new Error(`AGNES_SEED=${seed}: ${String(error)}\n${JSON.stringify(named)}`);
      });
      const written = order.flat().map((row) => lossless(row) as Record<string, unknown>);
      if (read.columns.length === 0) continue;
      expect(read.texts.length, `AGNES_SEED=${seed}`).toBe(written.length);
      for (const [at, text] of read.texts.entries()) {
        const row = lossless(text) as Record<string, unknown>;
        for (const { name, key = name, type } of read.columns) {
          const isSame = same(written[at]![key], row[name], type);
          if (!isSame)
            throw new Error(
              `AGNES_SEED=${seed}, row ${at}, column ${name} ${type}: ${JSON.stringify(written[at]![key])} was read as ${JSON.stringify(row[name])}`,
            );
        }
        const lost = Object.keys(written[at]!).filter(
          (key) => !read.columns.some((column) => (column.key ?? column.name) === key),
        );
        expect(lost, `AGNES_SEED=${seed}`).toEqual([]);
      }
    }
  }
}
