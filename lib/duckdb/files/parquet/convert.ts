import { formatType, NUMERIC, type TypeTree } from "../type-tree.ts";

const INTEGER = /^U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)$/;
const EXACT_IN_DOUBLE = /^(U?(TINYINT|SMALLINT|INTEGER)|FLOAT|DOUBLE)$/;

/** The SQL of a value in another type. DuckDB matches the fields of records by name and makes those that lack null. */
export function convertTo(value: string, from: TypeTree, to: TypeTree): string {
  return formatType(from) === formatType(to) ? value : `CAST(${value} AS ${formatType(to)})`;
}

/**
 * The SQL condition that a value of a type is the same in another; null when it always is.
 *
 * @param isGiven whether a person named the type, so that it may be narrower
 */
export function sameAs(value: string, from: TypeTree, to: TypeTree, isGiven: boolean): string | null {
  if (!mayDiffer(from, to, isGiven)) return null;
  // There and back again tells.
  return `${convertTo(convertTo(value, from, to), to, from)} IS NOT DISTINCT FROM ${value}`;
}

function mayDiffer(from: TypeTree, to: TypeTree, isGiven: boolean): boolean {
  if (formatType(from) === formatType(to)) return false;
  if (from.kind === "list" && to.kind === "list") return mayDiffer(from.element, to.element, isGiven);
  if (from.kind === "map" && to.kind === "map")
    return mayDiffer(from.key, to.key, isGiven) || mayDiffer(from.value, to.value, isGiven);
  if (from.kind === "struct" && to.kind === "struct") {
    const types = new Map(to.fields);
    return from.fields.some(([name, type]) => !types.has(name) || mayDiffer(type, types.get(name)!, isGiven));
  }
  if (from.kind !== "scalar" || to.kind !== "scalar") return isGiven;
  // It ends in the year 2262.
  if (to.name === "TIMESTAMP_NS") return true;
  if (to.name === "DOUBLE") return NUMERIC.test(from.name) && !EXACT_IN_DOUBLE.test(from.name);
  if (!isGiven) return false;
  return to.name !== "VARCHAR" && !(INTEGER.test(from.name) && to.name === "HUGEINT");
}
