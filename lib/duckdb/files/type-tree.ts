import { quoteIdentifier } from "../sql.ts";
import { parseType as parseText, printType, type TypeTree as TextTree } from "../type-text.ts";

/** A parsed DuckDB type. */
export type TypeTree =
  | { readonly kind: "scalar"; readonly name: string; readonly parameters: readonly string[] }
  | { readonly kind: "struct"; readonly fields: readonly (readonly [name: string, type: TypeTree])[] }
  | { readonly kind: "list"; readonly element: TypeTree; readonly length: number | null }
  | { readonly kind: "map"; readonly key: TypeTree; readonly value: TypeTree };

/** The names of numeric types. */
export const NUMERIC: RegExp = /^(U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|FLOAT|DOUBLE|DECIMAL)$/;

/** Whether a type is an integer type. */
export function isWholeNumber(name: string): boolean {
  return /^U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)$/.test(name);
}

/** A scalar without parameters. */
export function scalar(name: string): TypeTree {
  return { kind: "scalar", name, parameters: [] };
}

/** Parses a type written by DuckDB or a user: `STRUCT(a BIGINT, "b c" DECIMAL(18,2)[])`. */
export function parseType(text: string): TypeTree {
  return fromText(parseText(text));
}

function fromText(tree: TextTree): TypeTree {
  switch (tree.kind) {
    case "list":
      return { kind: "list", element: fromText(tree.item), length: tree.length };
    case "map":
      return { kind: "map", key: fromText(tree.key), value: fromText(tree.value) };
    case "fields":
      if (tree.typeName === "UNION") return scalar(printType(tree));
      return { kind: "struct", fields: tree.fields.map(({ name, type }) => [name, fromText(type)]) };
    case "plain": {
      const [, base = tree.text, list] = /^([A-Za-z_][\w ]*?)\s*(?:\(([^']*)\))?$/.exec(tree.text) ?? [];
      const name = ALIASES[base.toUpperCase()] ?? base.toUpperCase();
      // An ENUM or a GEOMETRY keeps its text.
      if (base === tree.text && base.includes("'")) return scalar(base);
      const parameters = list?.split(",").map((one) => one.trim()) ?? [];
      if (name === "DECIMAL") return { kind: "scalar", name, parameters: decimalParameters(parameters) };
      return { kind: "scalar", name, parameters: name === "VARCHAR" ? [] : parameters };
    }
  }
}

function decimalParameters([width, scale]: readonly string[]): readonly string[] {
  return width === undefined ? ["18", "3"] : [width, scale ?? "0"];
}

/** Formats a type as SQL, for a cast. */
export function formatType(type: TypeTree): string {
  switch (type.kind) {
    case "scalar":
      return type.parameters.length === 0 ? type.name : `${type.name}(${type.parameters.join(",")})`;
    case "struct":
      return `STRUCT(${type.fields.map(([name, field]) => `${quoteIdentifier(name)} ${formatType(field)}`).join(", ")})`;
    case "list":
      return `${formatType(type.element)}[${type.length ?? ""}]`;
    case "map":
      return `MAP(${formatType(type.key)}, ${formatType(type.value)})`;
  }
}

/** Aliases of types for which DuckDB prints another name. */
const ALIASES: Readonly<Record<string, string>> = {
  INT: "INTEGER",
  INT4: "INTEGER",
  INT8: "BIGINT",
  LONG: "BIGINT",
  INT2: "SMALLINT",
  SHORT: "SMALLINT",
  INT1: "TINYINT",
  STRING: "VARCHAR",
  TEXT: "VARCHAR",
  CHAR: "VARCHAR",
  BPCHAR: "VARCHAR",
  BOOL: "BOOLEAN",
  LOGICAL: "BOOLEAN",
  FLOAT8: "DOUBLE",
  FLOAT4: "FLOAT",
  REAL: "FLOAT",
  NUMERIC: "DECIMAL",
  DATETIME: "TIMESTAMP",
  TIMESTAMPTZ: "TIMESTAMP WITH TIME ZONE",
};
