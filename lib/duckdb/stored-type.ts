import { quoteLiteral } from "./sql.ts";
import { parseType, printType, someType, type TypeField, type TypeTree } from "./type-text.ts";

/**
 * Types that DuckDB cannot write to Parquet exactly, with the types that replace them: HUGEINT would become DOUBLE,
 * TIMETZ would lose its zone, and INTERVAL its microseconds and sign.
 */
const STORED: readonly (readonly [RegExp, string])[] = [
  [/^TIMESTAMP_M?S$/, "TIMESTAMP"],
  [/^HUGEINT$/, "DECIMAL(38,0)"],
  [/^(UHUGEINT|BIGNUM|BIT|UUID|INTERVAL|TIME WITH TIME ZONE|TIMETZ|TIME_NS|JSON|VARIANT)$/, "VARCHAR"],
  [/^ENUM\b/, "VARCHAR"],
  [/^GEOMETRY\b/, "BLOB"],
];

/**
 * Returns the type in which a part stores the values of a DuckDB type, so that every Parquet reader reads them exactly.
 * Also handles nested types.
 *
 * HUGEINT is DECIMAL(38,0), so a longer value fails its statement; UHUGEINT, BIGNUM, BIT, UUID, INTERVAL, TIMETZ, TIME_NS
 * and ENUM are text; VARIANT and UNION are JSON text; GEOMETRY is WKB; arrays of fixed length are lists. Other types are
 * returned in the format of `duckdbTypeOf`.
 */
export function storedType(type: string): string {
  return printType(stored(parseType(type)));
}

/** Returns the SQL that converts a column of a DuckDB type to its stored type. */
export function storedExpression(column: string, type: string): string {
  const tree = parseType(type);
  return printType(tree) === printType(stored(tree)) ? column : convert(column, tree, 0);
}

/** Returns whether a type is a floating point type (`plain`) or contains one (`nested`). */
export function floatsOf(type: string): "none" | "plain" | "nested" {
  const tree = parseType(type);
  const isFloat = (text: string) => text === "FLOAT" || text === "DOUBLE";
  if (!someType(tree, isFloat)) return "none";
  return tree.kind === "plain" ? "plain" : "nested";
}

function stored(tree: TypeTree): TypeTree {
  switch (tree.kind) {
    case "plain": {
      const text = STORED.find(([pattern]) => pattern.test(tree.text))?.[1] ?? tree.text;
      return { kind: "plain", text };
    }
    case "list":
      return { kind: "list", item: stored(tree.item), length: null };
    case "map":
      return { kind: "map", key: stored(tree.key), value: stored(tree.value) };
    case "fields": {
      if (tree.typeName === "UNION") return { kind: "plain", text: "VARCHAR" };
      return { ...tree, fields: tree.fields.map(({ name, type }) => ({ name, type: stored(type) })) };
    }
  }
}

/** Returns whether a CAST converts to the stored type; not for geometries, variants and unions. */
function isCast(tree: TypeTree): boolean {
  if (tree.kind === "fields" && tree.typeName === "UNION") return false;
  switch (tree.kind) {
    case "plain":
      return !/^(GEOMETRY|VARIANT)\b/.test(tree.text);
    case "list":
      return isCast(tree.item);
    case "map":
      return isCast(tree.key) && isCast(tree.value);
    case "fields":
      return tree.fields.every(({ type }) => isCast(type));
  }
}

function convert(value: string, tree: TypeTree, depth: number): string {
  if (isCast(tree)) return `CAST(${value} AS ${printType(stored(tree))})`;
  const item = `agnes_${depth}`;
  switch (tree.kind) {
    case "plain":
      if (tree.text === "VARIANT") {
        return `CASE WHEN ${value} IS NOT NULL THEN CAST(CAST(${value} AS JSON) AS VARCHAR) END`;
      }
      return `ST_AsWKB(${value})`;
    case "list":
      return `list_transform(${value}, lambda ${item}: ${convert(item, tree.item, depth + 1)})`;
    case "map": {
      const part = (name: string, type: TypeTree) =>
        `'${name}': ${convert(`${item}.${name}`, type, depth + 1)}`;
      const entry = `{${part("key", tree.key)}, ${part("value", tree.value)}}`;
      return `map_from_entries(list_transform(map_entries(${value}), lambda ${item}: ${entry}))`;
    }
    case "fields": {
      if (tree.typeName === "UNION") return convertUnion(value, tree.fields);
      const fields = tree.fields.map(({ name, type }) => {
        const field = `struct_extract(${value}, ${quoteLiteral(name)})`;
        return `${quoteLiteral(name)}: ${convert(field, type, depth + 1)}`;
      });
      return `CASE WHEN ${value} IS NOT NULL THEN {${fields.join(", ")}} END`;
    }
  }
}

function convertUnion(value: string, members: readonly TypeField[]): string {
  const tag = `CAST(union_tag(${value}) AS VARCHAR)`;
  const texts = members.map(({ name }) => {
    const member = `CAST(union_extract(${value}, ${quoteLiteral(name)}) AS VARCHAR)`;
    return `WHEN ${quoteLiteral(name)} THEN ${member}`;
  });
  const json = `json_object(${tag}, CASE ${tag} ${texts.join(" ")} END)`;
  return `CASE WHEN ${value} IS NOT NULL THEN CAST(${json} AS VARCHAR) END`;
}
