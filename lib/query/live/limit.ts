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
 * How many rows of a table a statement can use at most, when that is plain from it: a SELECT of this table alone, which
 * makes one row of each and takes whichever come first. Its WHERE is not looked at.
 *
 * @param rowsMax how many rows of the whole answer are read
 */
export function limitOf({ relation, select, isWhole }: Reference, rowsMax: number): number | null {
  if (select["from_table"] !== relation.node || !makesOneRowOfEach(select, relation.node)) return null;
  const modifiers = select["modifiers"] as readonly Node[];
  const whole = isWhole ? rowsMax : Infinity;
  if (modifiers.length === 0) return Number.isFinite(whole) ? whole : null;
  const [limit] = modifiers;
  if (modifiers.length > 1 || limit!["type"] !== "LIMIT_MODIFIER") return null;
  const rows = countOf(limit!["limit"], Infinity);
  const skipped = countOf(limit!["offset"], 0);
  if (rows === null || skipped === null) return null;
  const wanted = Math.min(rows, whole) + skipped;
  return Number.isSafeInteger(wanted) ? wanted : null;
}

function makesOneRowOfEach(select: Node, table: Node): boolean {
  if (!isUngrouped(select) || table["sample"] !== null) return false;
  for (const node of nodesOf(select["select_list"])) {
    // Which functions are aggregates, the parser does not know.
    if ("class" in node && !PLAIN.has(String(node["class"])) && node["is_operator"] !== true) return false;
  }
  return true;
}

function countOf(node: unknown, missing: number): number | null {
  if (node === null || node === undefined) return missing;
  if (!isNode(node) || node["class"] !== "CONSTANT") return null;
  const { value } = node["value"] as { readonly value?: unknown };
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : null;
}
