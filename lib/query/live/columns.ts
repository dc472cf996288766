import { columnNamesOf, fold, isNode, nodesOf, textOf, type Node, type Reference } from "./tree.ts";

/**
 * Returns the columns of a table that a statement may need: those whose name occurs in it, or all if it refers to
 * columns without their names: `*`, positions, whole rows, natural joins.
 */
export function neededColumns(
  root: Node,
  references: readonly Reference[],
  columns: readonly string[],
): readonly string[] {
  if (references.some((reference) => usesAll(reference, root))) return columns;
  const named = new Set<string>();
  for (const node of nodesOf(root)) {
    for (const value of Object.values(node)) {
      for (const text of Array.isArray(value) ? (value as unknown[]) : [value]) {
        if (typeof text === "string") named.add(fold(text));
      }
    }
  }
  return columns.filter((name) => named.has(fold(name)));
}

function usesAll({ relation, select }: Reference, root: Node): boolean {
  const names = new Set([fold(relation.alias), fold(textOf(relation.node["table_name"]))]);
  if ((relation.node["column_name_alias"] as readonly unknown[]).length > 0) return true;
  for (const node of nodesOf(root)) {
    if (node["class"] === "POSITIONAL_REFERENCE" || node["ref_type"] === "NATURAL") return true;
    const column = columnNamesOf(node)?.at(-1);
    if (column !== undefined && names.has(fold(column))) return true;
  }
  for (const node of nodesOf(select)) {
    if (node["class"] !== "STAR") continue;
    const of = fold(textOf(node["relation_name"]));
    if (of === "" || names.has(of) || isNode(node["expr"])) return true;
  }
  return false;
}
