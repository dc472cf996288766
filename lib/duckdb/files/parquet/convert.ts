import { formatType, NUMERIC, type TypeTree } from "../type-tree.ts";

const INTEGER = /^U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)$/;
const EXACT_IN_DOUBLE = /^(U?(TINYINT|SMALLINT|INTEGER)|FLOAT|DOUBLE)$/;

/** The SQL that converts a value to another type. DuckDB matches struct fields by name and sets missing ones to null. */
export function convertTo(value: string, from: TypeTree, to: TypeTree): string {
  return formatType(from) === formatType(to) ? value : `CAST(${value} AS ${formatType(to)})`;
}

/**
 * The SQL condition that a conversion preserves a value; `null` if it always does.
 *
 * @param isConfigured whether the options set the type, so that it may be narrower
 */
export function sameAs(value: string, from: TypeTree, to: TypeTree, isConfigured: boolean): string | null {
  if (!mayDiffer(from, to, isConfigured)) return null;
  // Compares the value with the result of converting it back.
  return `${convertTo(convertTo(value, from, to), to, from)} IS NOT DISTINCT FROM ${value}`;
}

function mayDiffer(from: TypeTree, to: TypeTree, isConfigured: boolean): boolean {
  if (formatType(from) === formatType(to)) return false;
  if (from.kind === "list" && to.kind === "list") return mayDiffer(from.element, to.element, isConfigured);
  if (from.kind === "map" && to.kind === "map")
    return mayDiffer(from.key, to.key, isConfigured) || mayDiffer(from.value, to.value, isConfigured);
  if (from.kind === "struct" && to.kind === "struct") {
    const types = new Map(to.fields);
    return from.fields.some(
      ([name, type]) => !types.has(name) || mayDiffer(type, types.get(name)!, isConfigured),
    );
  }
  if (from.kind !== "scalar" || to.kind !== "scalar") return isConfigured;
  // TIMESTAMP_NS ends in the year 2262.
  if (to.name === "TIMESTAMP_NS") return true;
  if (to.name === "DOUBLE") return NUMERIC.test(from.name) && !EXACT_IN_DOUBLE.test(from.name);
  if (!isConfigured) return false;
  return to.name !== "VARCHAR" && !(INTEGER.test(from.name) && to.name === "HUGEINT");
}
