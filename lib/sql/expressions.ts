type Node = Readonly<Record<string, unknown>>;

/** What a name of a common table expression stands for; null where a recursive one names itself. */
type Expressions = ReadonlyMap<Node, Node | null>;

/** The common table expressions that can be named, innermost first. */
type Scope = {
  readonly name: string;
  readonly expression: Node | null;
  /** It is named inside itself and has a key, so that `recurring.name` is all of its rows so far. */
  readonly isKeyed: boolean;
  readonly above: Scope;
} | null;

interface Step {
  readonly value: unknown;
  readonly scope: Scope;
}

/**
 * Finds every node of DuckDB's tree that names a common table expression, with that expression. All other names are of
 * tables.
 */
export function expressionsIn(root: unknown): Expressions {
  const found = new Map<Node, Node | null>();
  // An explicit stack: how deep SQL nests is the author's choice, how deep JavaScript recurses is not.
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

/** Each expression of a WITH sees those before it. */
function withExpressions(todo: Step[], node: Node, scope: Scope): Scope {
  const map = (node["cte_map"] as { readonly map?: readonly Node[] } | undefined)?.map ?? [];
  let inner = scope;
  for (const { key, value } of map) {
    todo.push({ value, scope: inner });
    inner = { name: fold(text(key)), expression: value as Node, isKeyed: false, above: inner };
  }
  return inner;
}

/** Only after its UNION does a recursive expression name itself; before it, the name is that of what is outside. */
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

/** As DuckDB compares names: letters beyond ASCII differ, even those that JavaScript would make the same. */
export function fold(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
