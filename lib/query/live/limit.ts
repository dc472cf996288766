import { isUngrouped } from "./scope.ts";
import { isNode, nodesOf, type Node, type Reference } from "./tree.ts";

const PLAIN = new Set([
  "COLUMN_REF",
  "STAR",
  "CONSTANT",
  "CAST",
  "COMPARISON",
  "BETWEEN",
  "CONJUNCTION",
  "CASE",
]);

/**
 * Returns the maximum number of rows of a table that a statement can use; null if unknown. It is known for a SELECT of
 * only this table that returns one row for each row and has no ORDER BY. Its WHERE is ignored.
 *
 * @param rowsMax the number of rows of the result that are read
 */
export function limitOf({ relation, select, isWhole }: Reference, rowsMax: number): number | null {
  if (select["from_table"] !== relation.node || !isRowByRow(select, relation.node)) return null;
  const modifiers = select["modifiers"] as readonly Node[];
  const whole = isWhole ? rowsMax : Infinity;
  if (modifiers.length === 0) return Number.isFinite(whole) ? whole : null;
  const [limit] = modifiers;
  if (modifiers.length > 1 || limit!["type"] !== "LIMIT_MODIFIER") return null;
  const rows = countOf(limit!["limit"], Infinity);
  const skipped = countOf(limit!["offset"], 0);
  if (rows === null || skipped === null) return null;
  const count = Math.min(rows, whole) + skipped;
  return Number.isSafeInteger(count) ? count : null;
}

function isRowByRow(select: Node, table: Node): boolean {
  if (!isUngrouped(select) || table["sample"] !== null) return false;
  for (const node of nodesOf(select["select_list"])) {
    // The parser does not know which functions are aggregates.
    if ("class" in node && !PLAIN.has(String(node["class"])) && node["is_operator"] !== true) return false;
  }
  return true;
}

/** Returns a number of rows of a LIMIT or OFFSET; null if it is not a constant. */
export function countOf(node: unknown, missing: number): number | null {
  if (node === null || node === undefined) return missing;
  if (!isNode(node) || node["class"] !== "CONSTANT") return null;
  const { value } = node["value"] as { readonly value?: unknown };
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : null;
}
