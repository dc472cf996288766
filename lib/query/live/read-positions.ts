import { expressionsIn } from "../../sql/mod.ts";
import { isNode, type Node } from "./tree.ts";

/**
 * Returns the positions of tables whose rows may be read. Tables at other positions need only their columns: they occur
 * in a DESCRIBE, or in a common table expression that is never used.
 */
export function readPositions(root: Node): ReadonlySet<number> {
  const expressions = expressionsIn(root);
  const found = new Set<number>();
  const followed = new Set<Node>();
  const todo: unknown[] = [root];
  while (todo.length > 0) {
    const value = todo.pop();
    if (Array.isArray(value)) todo.push(...(value as unknown[]));
    if (!isNode(value)) continue;
    if (value["type"] === "SHOW_REF" && value["show_type"] === "DESCRIBE") continue;
    if (value["type"] === "BASE_TABLE") {
      const expression = expressions.get(value);
      if (expression === undefined) found.add(Number(value["query_location"]));
      else if (expression !== null && !followed.has(expression)) {
        followed.add(expression);
        todo.push(expression);
      }
    }
    for (const [key, child] of Object.entries(value)) if (key !== "cte_map") todo.push(child);
  }
  return found;
}
