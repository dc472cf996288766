import type { FunctionUse } from "../analytics/mod.ts";
import { quoteLiteral } from "../duckdb/mod.ts";
import { BUILT_IN_SCHEMAS } from "./bounds.ts";
import { constantOf } from "./format-width.ts";
import type { Placed } from "./parse-select.ts";
import { refuse } from "./refuse.ts";
import { FACTOR_MAX, isConstantCall, ROW_BYTES_MAX, rowLimit } from "./row-texts.ts";

/** A call of constants alone is made once. */
const CONSTANT_BYTES_MAX = 100_000_000;

/** Beyond it, what would be written twice in each macro is taken once, which copies every text. */
const NESTING_MAX = 3;

/** They make a long text of a short one, in all rows. */
const FILLING = new Set(["lpad", "repeat", "rpad"]);

/** The functions whose result can be as long as the product of two arguments, which DuckDB does not count as memory. */
const GROWING: Readonly<Record<string, (calls: readonly FunctionUse[], a: Text) => string>> = {
  replace(calls, a) {
    const call = `system.main."replace"(${a.sql}, b, c)`;
    const most = `strlen(${a.sql})::HUGEINT * strlen(c) // strlen(b)`;
    const exact = `(strlen(${a.sql}) - strlen(system.main."replace"(${a.sql}, b, '')))::HUGEINT * strlen(c) // strlen(b)`;
    return `CREATE OR REPLACE TEMP MACRO "replace"(a, b, c) AS ${bounded(calls, a, { most, exact, call })}`;
  },
  regexp_replace(calls, a) {
    const bodyOf = (option: string) => {
      const replaced = (by: string) =>
        `system.main.regexp_replace(${a.sql}, b, ${by}, ${quoteLiteral(option)})`;
      // A letter for each match, less nothing for each: the number of matches.
      const matches = `(strlen(${replaced("'x'")}) - strlen(${replaced("''")}))::HUGEINT`;
      const references = `(strlen(c) - strlen(system.main."replace"(c, '\\', '')))`;
      const most = `(strlen(${a.sql}) + 1)::HUGEINT * strlen(c)`;
      const exact = `${matches} * strlen(c) + strlen(${a.sql})::HUGEINT * ${references}`;
      return bounded(calls, a, { most, exact, call: replaced("c") });
    };
    const options = new Set(calls.map((call) => constantOf(argumentsOf(call)[3]) ?? ""));
    const cases = [...options]
      .map((option) => `WHEN ${quoteLiteral(option)} THEN ${bodyOf(option)}`)
      .join(" ");
    const other = `error(${quoteLiteral(OPTIONS)})`;
    return `CREATE OR REPLACE TEMP MACRO regexp_replace(a, b, c) AS ${bodyOf("")}, (a, b, c, o) AS CASE o ${cases} ELSE ${other} END`;
  },
};

const OPTIONS = "regexp_replace takes its options as plain text here, such as 'g'";

/** How a macro calls its first argument. */
interface Text {
  readonly sql: "a" | "s.a";
}

/** @param most at most how long what is put in is, and exactly, or nearly; both as SQL */
function bounded(
  calls: readonly FunctionUse[],
  { sql }: Text,
  { most, exact, call }: Readonly<Record<"most" | "exact" | "call", string>>,
): string {
  const isConstant = calls.every(isConstantCall);
  const limit = isConstant ? "100,000,000 bytes" : rowLimit;
  const bytesMax = isConstant
    ? `${CONSTANT_BYTES_MAX}`
    : `greatest(${ROW_BYTES_MAX}, ${FACTOR_MAX} * strlen(${sql})::HUGEINT)`;
  const text = `${calls[0]!.name.toLowerCase()} is limited to ${limit} here`;
  const checked = `CASE WHEN ${most} > ${bytesMax} AND ${exact} > ${bytesMax} THEN error('${text}') ELSE ${call} END`;
  return sql === "a" ? checked : `list_transform([{'a': a}], lambda s: ${checked})[1]`;
}

/**
 * What is to be run on the connection before a query whose calls could make very long texts. Nothing when their
 * arguments are constants that show that they cannot.
 * @throws `sql_not_allowed` for a call that would go round it
 */
export function growthBoundsOf(functions: readonly Placed<FunctionUse>[]): readonly string[] {
  const calls = functions.filter(({ name }) => Object.hasOwn(GROWING, name.toLowerCase()));
  const factor = calls.reduce((product, call) => product * factorOf(call), 1);
  if (factor <= FACTOR_MAX) return [];
  for (const call of calls) {
    const { name, catalog, schema, place } = call;
    const folded = name.toLowerCase();
    if ([catalog, schema].some((part) => BUILT_IN_SCHEMAS.has(part.toLowerCase()))) {
      refuse(`it calls ${folded} of a schema`, `Write ${folded}(…) alone.`, place);
    }
    const isFilling = functions.some((other) => FILLING.has(other.name.toLowerCase()));
    const deepest = isFilling ? nestingOf(call.arguments) : nestingOf(argumentsOf(call).slice(1));
    if (deepest >= NESTING_MAX) {
      refuse(
        `it nests calls of ${folded} more than ${NESTING_MAX} deep, which could make very long texts`,
        "Take the steps in a WITH … AS MATERIALIZED (…), one after the other.",
        place,
      );
    }
  }
  const isDeep = calls.some((call) => nestingOf(call.arguments) >= NESTING_MAX);
  const names = [...new Set(calls.map(({ name }) => name.toLowerCase()))];
  return names.map((name) => {
    const own = calls.filter((call) => call.name.toLowerCase() === name);
    return GROWING[name]!(own, { sql: isDeep ? "s.a" : "a" });
  });
}

/** How many such calls are in one another. */
function nestingOf(value: unknown): number {
  if (value === null || typeof value !== "object") return 0;
  const inner = Object.values(value).reduce<number>((most, child) => Math.max(most, nestingOf(child)), 0);
  const { function_name: name } = value as { readonly function_name?: unknown };
  return inner + (typeof name === "string" && Object.hasOwn(GROWING, name.toLowerCase()) ? 1 : 0);
}

/** How much longer the result of a call can be than its text; infinite when only its values tell. */
function factorOf(call: FunctionUse): number {
  const [, from, to, options] = argumentsOf(call);
  const replacement = constantOf(to);
  if (replacement === null) return Infinity;
  const long = Buffer.byteLength(replacement);
  if (call.name.toLowerCase() === "replace") {
    if (long <= 1) return 1;
    const replaced = constantOf(from);
    return replaced === null ? long : Math.max(1, Math.ceil(long / Math.max(1, Buffer.byteLength(replaced))));
  }
  const isEach = options !== undefined && constantOf(options)?.includes("g") !== false;
  // Once, it adds no more than the SQL has, and what it refers to.
  return isEach || replacement.includes("\\") ? Math.max(1, long) : 1;
}

/** `text.replace('a', 'b')` has the text in front, as if it were a schema. */
function argumentsOf({ catalog, schema, arguments: given }: FunctionUse): readonly unknown[] {
  if (catalog === "" && schema === "") return given;
  return BUILT_IN_SCHEMAS.has(schema.toLowerCase()) && given.length > 2 ? given : [null, ...given];
}
