import type { FunctionUse } from "../sql/mod.ts";

/**
 * How long a text may be that a call makes of each row. DuckDB makes 2,048 at once in every thread, and does not count
 * them as memory. Of constants it makes one for all rows.
 */
export const ROW_BYTES_MAX = 100_000;

/** Longer texts may come of texts that are as long already, by this factor. */
export const FACTOR_MAX = 8;

export const rowLimit = "100,000 bytes per row or 8 times the length of its text";

/** Whether a call has the same value in all rows, as far as that is plain. */
export function isConstantCall({ catalog, schema, arguments: given }: FunctionUse): boolean {
  // `column.repeat(3)` looks like a call of a schema.
  return catalog === "" && schema === "" && given.every(isConstant);
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
