import { fold, isNode, textOf, type Node } from "./tree.ts";

/** What a name of a common table expression stands for; null where a recursive one names itself. */
export type Expressions = ReadonlyMap<Node, Node | null>;

/** The common table expressions that can be named, innermost first. */
type Scope = { readonly name: string; readonly expression: Node | null; readonly above: Scope } | null;

interface Step {
  readonly value: unknown;
  readonly scope: Scope;
}

/** Finds every node that names a common table expression, with that expression. All other names are of tables. */
export function expressionsIn(root: Node): Expressions {
  const found = new Map<Node, Node | null>();
  const todo: Step[] = [{ value: root, scope: null }];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const { value, scope } = next;
    if (Array.isArray(value)) for (const item of value as unknown[]) todo.push({ value: item, scope });
    if (!isNode(value)) continue;
    const named = value["type"] === "BASE_TABLE" ? expressionNamed(value, scope) : undefined;
    if (named !== undefined) found.set(value, named);
    const inner = withExpressions(todo, value, scope);
    for (const [key, child] of Object.entries(value)) {
      if (key !== "cte_map") todo.push({ value: child, scope: scopeOf(value, key, inner) });
    }
  }
  return found;
}

/** Each expression of a WITH sees those before it. */
function withExpressions(todo: Step[], node: Node, scope: Scope): Scope {
  const map = (node["cte_map"] as { readonly map?: readonly Node[] } | undefined)?.map ?? [];
  let inner = scope;
  for (const { key, value } of map) {
    todo.push({ value, scope: inner });
    inner = { name: fold(textOf(key)), expression: value as Node, above: inner };
  }
  return inner;
}

/** Only after its UNION does a recursive expression name itself; before it, the name is that of what is outside. */
function scopeOf(node: Node, key: string, scope: Scope): Scope {
  return node["type"] === "RECURSIVE_CTE_NODE" && key === "right"
    ? { name: fold(textOf(node["cte_name"])), expression: null, above: scope }
    : scope;
}

function expressionNamed(table: Node, scope: Scope): Node | null | undefined {
  if (textOf(table["schema_name"]) !== "" || textOf(table["catalog_name"]) !== "") return undefined;
  const name = fold(textOf(table["table_name"]));
  for (let at = scope; at !== null; at = at.above) if (at.name === name) return at.expression;
  return undefined;
}
