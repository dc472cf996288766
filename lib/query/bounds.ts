import { formatValue } from "../base/mod.ts";
import { isAllowedFunction, type FunctionUse } from "../sql/mod.ts";
import type { Placed } from "./parse-select.ts";
import { checkFormat } from "./format-width.ts";
import { refuse } from "./refuse.ts";
import { FACTOR_MAX, isConstantCall, ROW_BYTES_MAX, rowLimit } from "./row-texts.ts";

const ITEMS = "10,000,000 items";

/**
 * Functions that can take minutes or gigabytes in one call, which DuckDB neither interrupts nor counts as memory. If a
 * query uses one, a macro of the same name on its connection checks the arguments first.
 */
const bounds: Readonly<Record<string, readonly Bound[]>> = {
  levenshtein: pairs(25_000_000),
  editdist3: pairs(25_000_000),
  // It uses 8 bytes per pair of characters.
  damerau_levenshtein: pairs(4_000_000),
  jaro_similarity: [...pairs(10_000_000_000), cutOff()],
  jaro_winkler_similarity: [...pairs(10_000_000_000), cutOff()],
  repeat: [
    {
      parameters: ["a", "n"],
      isBeyond: "strlen(a::VARCHAR)::HUGEINT * n > 100000000 OR n > 100000000",
      limit: "100,000,000 bytes",
      ofRows: {
        isBeyond: `n > ${FACTOR_MAX} AND strlen(a::VARCHAR)::HUGEINT * n > ${ROW_BYTES_MAX} OR n > 100000000`,
        limit: rowLimit,
      },
    },
  ],
  lpad: pads(),
  rpad: pads(),
  bitstring: [{ parameters: ["a", "n"], isBeyond: "n > 10000000", limit: "10,000,000 bits" }],
  array_resize: resizes(),
  list_resize: resizes(),
  range: series(),
  generate_series: series(),
};

interface Bound {
  readonly parameters: readonly string[];
  /** A condition in SQL; the call is allowed if it is NULL. */
  readonly isBeyond: string;
  readonly limit: string;
  /** The bound of calls with arguments that differ between rows. */
  readonly ofRows?: { readonly isBeyond: string; readonly limit: string };
}

function pads(): readonly Bound[] {
  const ofRows = { isBeyond: `n > ${ROW_BYTES_MAX} AND n > ${FACTOR_MAX} * strlen(a)`, limit: rowLimit };
  return [
    { parameters: ["a", "n", "c"], isBeyond: "n > 100000000", limit: "100,000,000 characters", ofRows },
  ];
}

/** Bounds of functions that compare all pairs of characters. */
function pairs(count: number): readonly Bound[] {
  return [
    {
      parameters: ["a", "b"],
      isBeyond: `strlen(a)::HUGEINT * strlen(b) > ${count}`,
      limit: `${count.toLocaleString("en")} pairs of characters`,
    },
  ];
}

function cutOff(): Bound {
  const [bound] = pairs(10_000_000_000);
  return { ...bound!, parameters: ["a", "b", "c"] };
}

function resizes(): readonly Bound[] {
  return [
    { parameters: ["a", "n"], isBeyond: "n > 10000000", limit: ITEMS },
    { parameters: ["a", "n", "v"], isBeyond: "n > 10000000", limit: ITEMS },
  ];
}

/** Bounds of series of integers, and of timestamps with an interval. */
function series(): readonly Bound[] {
  const number = (name: string) => `TRY_CAST(${name}::VARCHAR AS DOUBLE)`;
  const moment = (name: string) => `epoch(TRY_CAST(${name}::VARCHAR AS TIMESTAMP))`;
  const step = "nullif(abs(epoch(TRY_CAST(c::VARCHAR AS INTERVAL))), 0)";
  return [
    { parameters: ["a"], isBeyond: `${number("a")} > 10000000`, limit: ITEMS },
    { parameters: ["a", "b"], isBeyond: `${number("b")} - ${number("a")} > 10000000`, limit: ITEMS },
    {
      parameters: ["a", "b", "c"],
      isBeyond:
        `coalesce(abs(${number("b")} - ${number("a")}) / nullif(abs(${number("c")}), 0) > 10000000, ` +
        `abs(${moment("b")} - ${moment("a")}) / ${step} > 10000000)`,
      limit: ITEMS,
    },
  ];
}

/** Whether a function is allowed with a bound. */
export function isBoundedFunction(name: string): boolean {
  return Object.hasOwn(bounds, name.toLowerCase());
}

/** Returns the statements to run on the connection before the query. */
export function boundsOf(functions: readonly FunctionUse[]): readonly string[] {
  const names = new Set(functions.map(({ name }) => name.toLowerCase()).filter(isBoundedFunction));
  return [...names].map((name) => {
    const isOfRows = functions.some((call) => {
      const folded = call.name.toLowerCase();
      return REPEATING.has(folded) || (folded === name && !isConstantCall(call));
    });
    const overloads = bounds[name]!.map((bound) => {
      const { isBeyond, limit } = (isOfRows ? bound.ofRows : undefined) ?? bound;
      const list = bound.parameters.join(", ");
      const text = `${name} is limited to ${limit}`;
      return `(${list}) AS CASE WHEN ${isBeyond} THEN error('${text}') ELSE system.main."${name}"(${list}) END`;
    });
    return `CREATE OR REPLACE TEMP MACRO "${name}" ${overloads.join(", ")}`;
  });
}

/** Functions that insert an argument any number of times into each row. */
const REPEATING = new Set(["regexp_replace", "replace"]);

/** A macro repeats its arguments two or three times, so nesting multiplies the SQL. */
const NESTING_MAX = 4;

const BUILT_IN_SCHEMAS = new Set(["system", "main", "pg_catalog", "temp"]);

const QUANTILES = new Set(["quantile", "quantile_cont", "quantile_disc"]);

/** @throws `sql_not_allowed` for calls that bypass their bound or cause an internal error in DuckDB */
export function checkBounds(functions: readonly Placed<FunctionUse>[]): void {
  for (const use of functions) {
    const { name, catalog, schema, arguments: args, isOrdered, place } = use;
    const folded = name.toLowerCase();
    checkNamedAggregate(use);
    checkFormat(use);
    if (isBoundedFunction(folded)) {
      if ([catalog, schema].some((part) => BUILT_IN_SCHEMAS.has(part.toLowerCase()))) {
        refuse(
          `it qualifies function ${formatValue(name)} with a schema`,
          `Write ${folded}(…) without a schema.`,
          place,
        );
      }
      if (nesting(args) >= NESTING_MAX) {
        refuse(
          `it nests calls of ${formatValue(name)} and similar functions more than ${NESTING_MAX} levels deep`,
          "Split the steps into common table expressions: WITH … AS MATERIALIZED (…).",
          place,
        );
      }
    }
    if (QUANTILES.has(folded) && isOrdered && !args.slice(-1).every(isPlainFraction)) {
      refuse(
        `${folded} with an ORDER BY requires a constant fraction`,
        "Write the fraction as a number, or as a list of numbers.",
        place,
      );
    }
  }
}

/** Functions that take the name of an aggregate as a string. */
const NAMED_AGGREGATES = new Set([
  "aggregate",
  "array_aggr",
  "array_aggregate",
  "list_aggr",
  "list_aggregate",
]);

function checkNamedAggregate({ name, catalog, schema, arguments: args, place }: Placed<FunctionUse>): void {
  if (!NAMED_AGGREGATES.has(name.toLowerCase())) return;
  const advice = `Write ${name.toLowerCase()}(list, 'sum'), with the name of an aggregate as a string.`;
  const isQualified = catalog !== "" || schema !== "";
  if ([catalog, schema].some((part) => BUILT_IN_SCHEMAS.has(part.toLowerCase()))) {
    refuse(`it qualifies function ${formatValue(name)} with a schema`, advice, place);
  }
  // In `list.list_aggregate('sum')` the list is the qualifier.
  const node = args[isQualified ? 0 : 1] as Node | undefined;
  const called = node?.["class"] === "CONSTANT" ? (node["value"] as { value?: unknown }).value : null;
  if (typeof called !== "string")
    refuse(`${name} requires the name of an aggregate as a string constant`, advice, place);
  if (!isAllowedFunction(called))
    refuse(`${name} calls ${formatValue(called)}, which is not allowed`, advice, place);
}

type Node = Readonly<Record<string, unknown>>;

/** The depth of nested bounded calls. */
function nesting(value: unknown): number {
  if (value === null || typeof value !== "object") return 0;
  const inner = Object.values(value).reduce<number>((most, child) => Math.max(most, nesting(child)), 0);
  const name = (value as Node)["function_name"];
  return inner + (typeof name === "string" && isBoundedFunction(name) ? 1 : 0);
}

/** A fraction that is not a NULL list: for `ORDER BY … DESC`, DuckDB reverses the list before it checks for NULL. */
function isPlainFraction(value: unknown): boolean {
  const node = value as Node;
  if (node["class"] === "CONSTANT") return true;
  const children = (node["children"] as readonly unknown[] | undefined) ?? [];
  if (node["class"] === "FUNCTION") {
    return PLAIN_FUNCTIONS.has(String(node["function_name"])) && children.every(isPlainFraction);
  }
  return (
    node["class"] === "OPERATOR" && node["type"] === "ARRAY_CONSTRUCTOR" && children.every(isPlainFraction)
  );
}

const PLAIN_FUNCTIONS = new Set(["+", "-", "*", "/", "list_value", "array_value"]);
