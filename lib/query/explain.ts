import type { Connection } from "../duckdb/mod.ts";

const EXPLAIN = /^((?:\s|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)*)explain\b(?!\s*analy[sz]e\b)/i;

/** Replaces EXPLAIN at the start of SQL by spaces, which preserves positions; null if there is none. */
export function explained(sql: string): string | null {
  const [found] = EXPLAIN.exec(sql) ?? [];
  return found === undefined ? null : " ".repeat(found.length) + sql.slice(found.length);
}

interface PlanNode {
  readonly name: string;
  readonly children: readonly PlanNode[];
  readonly extra_info: Readonly<Record<string, unknown>>;
}

/**
 * Formats the plan of a SELECT, one operator per line, with its inputs below it.
 *
 * DuckDB's own format contains file names and internal database names, truncated at any position, so the text is
 * generated from the plan in JSON. Its columns and conditions may come from the definition of a view; they are
 * included only if the caller may see that definition.
 */
export async function planOf(
  connection: Connection,
  sql: string,
  options: { readonly hasDetails: boolean; readonly signal: AbortSignal },
): Promise<string> {
  const [row] = await connection.rows<{ explain_value: string }>(`EXPLAIN (FORMAT json) ${sql}`, options);
  const lines: string[] = [];
  // An explicit stack, because the depth of the plan depends on the SQL.
  const todo = (JSON.parse(row!.explain_value) as readonly PlanNode[]).map((node) => ({ node, depth: 0 }));
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const { node, depth } = next;
    const indent = "  ".repeat(depth);
    const name = node.name.trim();
    lines.push(indent + (PUBLIC_NAMES.get(name) ?? name));
    if (options.hasDetails) {
      for (const [key, value] of Object.entries(node.extra_info)) {
        if (PUBLIC_INFO.has(key)) lines.push(`${indent}  | ${key}: ${[value].flat().join(", ")}`);
      }
    }
    for (const child of node.children.toReversed()) todo.push({ node: child, depth: depth + 1 });
  }
  return lines.join("\n");
}

/** Adds the statement that the source of the tables runs to the plan of the local statement over its rows. */
export function shippedPlan(sql: string, local: string, hasDetails: boolean): string {
  return [local, "SHIPPED_QUERY", ...(hasDetails ? [`  | SQL: ${sql}`] : [])].join("\n");
}

/** The public names of internal operators. */
const PUBLIC_NAMES: ReadonlyMap<string, string> = new Map([["AGNES_SCAN", "LIVE_SCAN"]]);

/** The properties of operators that contain no names of files and databases. */
const PUBLIC_INFO = new Set([
  "Aggregates",
  "Condition",
  "Conditions",
  "CTE Name",
  "Estimated Cardinality",
  "Expression",
  "Expressions",
  "Filters",
  "Groups",
  "Join Type",
  "Order By",
  "Projections",
  "Top",
]);
