import type { FunctionUse } from "../sql/mod.ts";

/**
 * The maximum length of a string that a call creates per row. DuckDB creates 2,048 at once in each thread, and does not
 * count them as memory. For constants it creates one for all rows.
 */
export const ROW_BYTES_MAX = 100_000;

/** Longer strings are allowed if the input is long as well, up to this factor. */
export const FACTOR_MAX = 8;

export const rowLimit = "100,000 bytes per row or 8 times the length of its text";

/** Whether a call is known to have the same value in all rows. */
export function isConstantCall({ catalog, schema, arguments: args }: FunctionUse): boolean {
  // DuckDB parses `column.repeat(3)` as a function of a schema.
  return catalog === "" && schema === "" && args.every(isConstant);
}

function isConstant(value: unknown): boolean {
  const node = value as Readonly<Record<string, unknown>>;
  const children = (node["children"] as readonly unknown[] | undefined) ?? [];
  switch (node["class"]) {
    case "CONSTANT":
      return true;
    case "CAST":
      return isConstant(node["child"]);
    case "FUNCTION":
      return (
        PURE.has(String(node["function_name"]).toLowerCase()) &&
        node["schema"] === "" &&
        children.every(isConstant)
      );
    default:
      return false;
  }
}

const PURE = new Set([
  "||",
  "+",
  "-",
  "*",
  "/",
  "//",
  "**",
  "chr",
  "concat",
  "lpad",
  "pow",
  "repeat",
  "rpad",
]);
