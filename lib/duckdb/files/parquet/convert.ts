import { quoteLiteral } from "../../sql.ts";
import { formatType, NUMERIC, type TypeTree } from "../type-tree.ts";

const INTEGER = /^U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)$/;
const EXACT_IN_DOUBLE = /^(U?(TINYINT|SMALLINT|INTEGER)|FLOAT|DOUBLE)$/;

/**
 * The SQL of a value in a wider type, field by field where a cast does not do: DuckDB matches the fields of records by
 * name, but refuses to when they share none.
 */
export function convertTo(value: string, from: TypeTree, to: TypeTree, depth = 0): string {
  if (formatType(from) === formatType(to)) return value;
  if (castDoes(from, to)) return `CAST(${value} AS ${formatType(to)})`;
  const item = `agnes_${depth}`;
  if (from.kind === "list" && to.kind === "list") {
    return `list_transform(${value}, lambda ${item}: ${convertTo(item, from.element, to.element, depth + 1)})`;
  }
  if (from.kind === "map" && to.kind === "map") {
    const part = (name: "key" | "value") =>
      `'${name}': ${convertTo(`${item}.${name}`, from[name], to[name], depth + 1)}`;
    return `map_from_entries(list_transform(map_entries(${value}), lambda ${item}: {${part("key")}, ${part("value")}}))`;
  }
  if (from.kind === "struct" && to.kind === "struct") {
    const own = new Map(from.fields);
    const fields = to.fields.map(([name, type]) => {
      const field = own.get(name);
      const sql =
        field === undefined
          ? `CAST(NULL AS ${formatType(type)})`
          : convertTo(`struct_extract(${value}, ${quoteLiteral(name)})`, field, type, depth + 1);
      return `${quoteLiteral(name)}: ${sql}`;
    });
    return `CASE WHEN ${value} IS NOT NULL THEN {${fields.join(", ")}} END`;
  }
  return `CAST(${value} AS ${formatType(to)})`;
}

function castDoes(from: TypeTree, to: TypeTree): boolean {
  if (from.kind === "list" && to.kind === "list") return castDoes(from.element, to.element);
  if (from.kind === "map" && to.kind === "map")
    return castDoes(from.key, to.key) && castDoes(from.value, to.value);
  if (from.kind !== "struct" || to.kind !== "struct") return true;
  const types = new Map(to.fields);
  return (
    from.fields.some(([name]) => types.has(name)) &&
    from.fields.every(([name, type]) => !types.has(name) || castDoes(type, types.get(name)!))
  );
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
  if (to.name === "DOUBLE") return NUMERIC.test(from.name) && !EXACT_IN_DOUBLE.test(from.name);
  if (!isGiven) return false;
  return to.name !== "VARCHAR" && !(INTEGER.test(from.name) && to.name === "HUGEINT");
}
