type Node = Readonly<Record<string, unknown>>;

/** The common table expression of each reference; null for the self-reference of a recursive one. */
type Expressions = ReadonlyMap<Node, Node | null>;

/** The common table expressions in scope, innermost first. */
type Scope = {
  readonly name: string;
  readonly expression: Node | null;
  /** Whether it is recursive and has a key, so that `recurring.name` refers to all of its rows so far. */
  readonly isKeyed: boolean;
  readonly above: Scope;
} | null;

interface Step {
  readonly value: unknown;
  readonly scope: Scope;
}

/**
 * Returns every node of DuckDB's tree that refers to a common table expression, with that expression. All other names
 * refer to tables.
 */
export function expressionsIn(root: unknown): Expressions {
  const found = new Map<Node, Node | null>();
  // An explicit stack, because SQL may be nested deeper than JavaScript can recurse.
  const todo: Step[] = [{ value: root, scope: null }];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const { value, scope } = next;
    if (Array.isArray(value)) for (const item of value as unknown[]) todo.push({ value: item, scope });
    if (value === null || typeof value !== "object" || Array.isArray(value)) continue;
    const node = value as Node;
    const named = node["type"] === "BASE_TABLE" ? expressionNamed(node, scope) : undefined;
    if (named !== undefined) found.set(node, named);
    const inner = withExpressions(todo, node, scope);
    for (const [key, child] of Object.entries(node)) {
      if (key !== "cte_map" && child !== null && typeof child === "object")
        todo.push({ value: child, scope: scopeOf(node, key, inner) });
    }
  }
  return found;
}

/** Adds the expressions of a WITH; each can use those before it. */
function withExpressions(todo: Step[], node: Node, scope: Scope): Scope {
  const map = (node["cte_map"] as { readonly map?: readonly Node[] } | undefined)?.map ?? [];
  let inner = scope;
  for (const { key, value } of map) {
    todo.push({ value, scope: inner });
    inner = { name: fold(text(key)), expression: value as Node, isKeyed: false, above: inner };
  }
  return inner;
}

/** A recursive expression can refer to itself only after its UNION; before that, the name has its outer meaning. */
function scopeOf(node: Node, key: string, scope: Scope): Scope {
  if (node["type"] !== "RECURSIVE_CTE_NODE" || key !== "right") return scope;
  const isKeyed = ((node["key_targets"] as readonly unknown[] | undefined) ?? []).length > 0;
  return { name: fold(text(node["cte_name"])), expression: null, isKeyed, above: scope };
}

function expressionNamed(table: Node, scope: Scope): Node | null | undefined {
  const schema = fold(text(table["schema_name"]));
  const isRecurring = schema === "recurring";
  if (text(table["catalog_name"]) !== "" || (schema !== "" && !isRecurring)) return undefined;
  const name = fold(text(table["table_name"]));
  for (let at = scope; at !== null; at = at.above) {
    if (at.name === name && (!isRecurring || at.isKeyed)) return at.expression;
  }
  return undefined;
}

/** Folds a name like DuckDB, which ignores the case of ASCII letters only. */
export function fold(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
