import type { Connection } from "../duckdb/mod.ts";

const EXPLAIN = /^((?:\s|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)*)explain\b(?!\s*analy[sz]e\b)/i;

/** What a text asks the plan of; null when it does not begin with EXPLAIN. The spaces keep positions as they are. */
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
 * The plan of a SELECT as text, one operator per line, what it reads below it.
 *
 * DuckDB's own text names the files of a table and the databases of Agnes, cut at any place; so it is made of the plan
 * as data. Columns and conditions are those of the view's definition too, and so are told only when nothing in it is
 * hidden from who asks.
 */
export async function planOf(
  connection: Connection,
  sql: string,
  options: { readonly hasDetails: boolean; readonly signal: AbortSignal },
): Promise<string> {
  const [row] = await connection.rows<{ explain_value: string }>(`EXPLAIN (FORMAT json) ${sql}`, options);
  const lines: string[] = [];
  // An explicit stack: how deep a plan is depends on the SQL.
  const todo = (JSON.parse(row!.explain_value) as readonly PlanNode[]).map((node) => ({ node, depth: 0 }));
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const { node, depth } = next;
    const indent = "  ".repeat(depth);
    const name = node.name.trim();
    lines.push(indent + (PUBLIC_NAMES.get(name) ?? name));
    if (options.hasDetails) {
      for (const [key, value] of Object.entries(node.extra_info)) {
        if (SHOWN_INFO.has(key)) lines.push(`${indent}  | ${key}: ${[value].flat().join(", ")}`);
      }
    }
    for (const child of node.children.toReversed()) todo.push({ node: child, depth: depth + 1 });
  }
  return lines.join("\n");
}

/** What the scan of a live table is called to who asks. */
const PUBLIC_NAMES: ReadonlyMap<string, string> = new Map([["AGNES_SCAN", "LIVE_SCAN"]]);

/** Of what DuckDB says of an operator; the names of files and databases are not among it. */
const SHOWN_INFO = new Set([
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
