import { fold, isNode, textOf, type Node } from "./tree.ts";

/** A common table expression that can be named, innermost first; null is one whose body is walked by now. */
type Scope = {
  readonly name: string;
  readonly body: { readonly node: unknown; readonly scope: Scope } | null;
  readonly above: Scope;
} | null;

interface Step {
  readonly value: unknown;
  readonly scope: Scope;
}

/**
 * Where tables are named whose rows can matter. Of all others only the columns do: they stand in what DESCRIBE
 * describes, or in a common table expression that nothing else names.
 */
export function readPositions(root: Node): ReadonlySet<number> {
  const found = new Set<number>();
  const followed = new Set<unknown>();
  const todo: Step[] = [{ value: root, scope: null }];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const { value, scope } = next;
    if (Array.isArray(value)) for (const item of value as unknown[]) todo.push({ value: item, scope });
    if (!isNode(value)) continue;
    if (value["type"] === "SHOW_REF" && value["show_type"] === "DESCRIBE") continue;
    if (value["type"] === "BASE_TABLE") {
      const expression = expressionNamed(value, scope);
      if (expression === undefined) found.add(Number(value["query_location"]));
      else if (expression !== null && !followed.has(expression.node)) {
        followed.add(expression.node);
        todo.push({ value: expression.node, scope: expression.scope });
      }
    }
    const inner = scopeIn(value, scope);
    for (const [key, child] of Object.entries(value)) {
      if (key !== "cte_map") todo.push({ value: child, scope: inner });
    }
  }
  return found;
}

function scopeIn(node: Node, scope: Scope): Scope {
  let inner = scope;
  const map = (node["cte_map"] as { readonly map?: readonly Node[] } | undefined)?.map ?? [];
  for (const { key, value } of map) {
    // Each sees those before it.
    inner = { name: fold(textOf(key)), body: { node: value, scope: inner }, above: inner };
  }
  // A recursive expression names itself.
  return node["type"] === "RECURSIVE_CTE_NODE"
    ? { name: fold(textOf(node["cte_name"])), body: null, above: inner }
    : inner;
}

/** Undefined for a table. */
function expressionNamed(table: Node, scope: Scope): NonNullable<Scope>["body"] | undefined {
  const schema = fold(textOf(table["schema_name"]));
  if (textOf(table["catalog_name"]) !== "" || (schema !== "" && schema !== "recurring")) return undefined;
  const name = fold(textOf(table["table_name"]));
  for (let at = scope; at !== null; at = at.above) if (at.name === name) return at.body;
  return undefined;
}
