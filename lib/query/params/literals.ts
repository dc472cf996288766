import { AgnesError, formatValue, type SqlPlace } from "../../base/mod.ts";
import { quoteLiteral } from "../../duckdb/mod.ts";
import { SQL_LENGTH_MAX } from "../size.ts";

/** One value of a parameter, or of a list. */
type ParamScalar = string | number | bigint | boolean | Date | null;

/**
 * The value of one parameter. It acts as the literal that SQL would have in its place: a text is `'text'`, which DuckDB
 * compares with numbers, dates and times; a number is exact, such as `5` or `0.1`; a `Date` is a TIMESTAMPTZ; a list is
 * `['a', 'b']`.
 */
export type ParamValue = ParamScalar | readonly ParamScalar[];

/** The values of the parameters of a query: by name for `$name`, as a list for `?` and `$1`. */
export type QueryParams = readonly ParamValue[] | Readonly<Record<string, ParamValue>>;

/** The literals of parameters, by name; the names of a list are `1`, `2` and so on. */
export type ParamLiterals = ReadonlyMap<string, string>;

/** A query whose values are literals already. */
export interface WithLiterals {
  /** Replaces `params`; null: the SQL has no parameters. */
  readonly literals?: ParamLiterals | null;
}

/** The range of HUGEINT. DuckDB reads some integers outside of it as DOUBLE. */
const INTEGER_MAX = 2n ** 127n - 1n;

/** The greatest number of items of all lists together. */
const ITEMS_MAX = 10_000;

/**
 * Returns the values as literals of SQL; null without any.
 * @throws `parameters_invalid`, which contains no value; `sql_too_long`
 */
export function literalsOf(params: QueryParams | undefined): ParamLiterals | null {
  if (params === undefined) return null;
  // Callers may pass anything.
  const input: unknown = params;
  if (input === null || typeof input !== "object")
    throw invalid("they are neither an object nor a list", "Pass values by name, or a list of values.");
  const entries: readonly (readonly [string, unknown])[] = Array.isArray(input)
    ? Array.from(input, (value: unknown, at) => [String(at + 1), value])
    : Object.entries(input);
  const literals = new Map<string, string>();
  const items = entries.reduce((sum, [, value]) => sum + (Array.isArray(value) ? value.length : 1), 0);
  if (items > ITEMS_MAX)
    throw invalid(
      `they have more than ${ITEMS_MAX} values`,
      "Put long lists of values into a table and join it.",
    );
  let length = 0;
  for (const [name, value] of entries) {
    const literal = Array.isArray(value)
      ? `[${Array.from(value, (item: unknown) => literalOf(name, item)).join(", ")}]`
      : literalOf(name, value);
    length += literal.length;
    literals.set(name, literal);
  }
  if (length > SQL_LENGTH_MAX) throw new AgnesError("sql_too_long", { length, limit: SQL_LENGTH_MAX });
  return literals;
}

function literalOf(name: string, value: unknown): string {
  const refuse = (reason: string, advice: string) => invalid(`${formatValue(name)} ${reason}`, advice);
  if (typeof value === "string") {
    if (/\p{Surrogate}/u.test(value)) throw refuse("contains half of a surrogate pair", "Pass Unicode text.");
    return bracketed(textLiteral(value));
  }
  if (typeof value === "number") {
    if (!Number.isFinite(value) || Object.is(value, -0))
      throw refuse("is a number that SQL cannot write", "Pass it as text, and cast it: $name::DOUBLE.");
    if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
      const reason = "is an integer that a JavaScript number cannot represent exactly";
      throw refuse(reason, "Pass it as text; JavaScript can also pass it as a bigint.");
    }
    return bracketed(String(value));
  }
  if (typeof value === "bigint") {
    if (value > INTEGER_MAX || value < -INTEGER_MAX)
      throw refuse("is beyond the range of HUGEINT", "Pass it as text.");
    return bracketed(String(value));
  }
  if (typeof value === "boolean") return bracketed(value ? "TRUE" : "FALSE");
  if (value === null) return bracketed("NULL");
  if (value instanceof Date && isWritable(value)) return bracketed(`TIMESTAMPTZ '${value.toISOString()}'`);
  throw refuse(
    "has a value of a type that is not supported",
    "Pass text, a number, a bigint, true, false, null, a Date from year 1 to 9999, or a list of these.",
  );
}

/**
 * A null character, at which DuckDB ends SQL, and the spaces that DuckDB replaces by a plain one in texts after a comment
 * or an E-string with a quote.
 */
const CHANGED = /([\0\u00a0\u2000-\u200b\u202f\u205f\u2060\u3000\ufeff])/;

function textLiteral(text: string): string {
  return text
    .split(CHANGED)
    .filter((part, _at, { length }) => part !== "" || length === 1)
    .map((part) => (CHANGED.test(part) ? `chr(${part.codePointAt(0)!})` : quoteLiteral(part)))
    .join(" || ");
}

function isWritable(date: Date): boolean {
  return !Number.isNaN(date.getTime()) && date.getUTCFullYear() >= 1 && date.getUTCFullYear() <= 9999;
}

/** A literal that joins no token beside it: not a minus, not another text. */
function bracketed(literal: string): string {
  return `(${literal})`;
}

export function invalid(reason: string, advice: string, place?: SqlPlace): AgnesError {
  return new AgnesError("parameters_invalid", { reason, advice, ...(place === undefined ? {} : { place }) });
}
