import { AgnesError } from "../base/mod.ts";
import { parseSql, renderSql } from "../analytics/mod.ts";
import type { Connection } from "../duckdb/mod.ts";
import { fillPivots, type MarkedSql } from "./pivot-text.ts";

/** A PIVOT of which the data are to tell the columns. */
export interface Pivot {
  /** The SELECT of its values, in the order of the columns. */
  readonly values: unknown;
}

type Node = Record<string, unknown>;

interface PivotColumn {
  readonly pivot_expressions: readonly unknown[];
  readonly entries: readonly { readonly values: readonly { readonly value: unknown }[] }[];
}

/**
 * The SELECT of the values of each marker, made of the parts of the tree that the marker stands in.
 * @throws `sql_not_allowed` when a marker is not where values of a PIVOT are
 */
export async function pivotsOf(
  connection: Connection,
  tree: unknown,
  { markers }: MarkedSql,
): Promise<readonly Pivot[]> {
  const found = new Map<string, Pivot>();
  const todo: { readonly value: unknown; readonly maps: readonly unknown[] }[] = [{ value: tree, maps: [] }];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const { value } = next;
    if (value === null || typeof value !== "object") continue;
    const node = value as Node;
    const own = (node["cte_map"] as { readonly map: readonly unknown[] } | undefined)?.map ?? [];
    // Each common table expression sees those before it.
    for (const [at, expression] of own.entries()) {
      todo.push({ value: expression, maps: [...next.maps, ...own.slice(0, at)] });
    }
    const maps = [...next.maps, ...own];
    if (node["type"] === "PIVOT") {
      for (const column of node["pivots"] as readonly PivotColumn[]) {
        const marker = markers.find((text) => column.entries[0]?.values[0]?.value === text);
        if (marker === undefined) continue;
        found.set(marker, { values: await valuesSelect(connection, column, node["source"], maps) });
      }
    }
    for (const [key, child] of Object.entries(node)) {
      if (key !== "cte_map") todo.push({ value: child, maps });
    }
  }
  return markers.map((marker) => {
    const pivot = found.get(marker);
    const isNested = pivot !== undefined && JSON.stringify(pivot.values).includes(markers[0]!.slice(0, -1));
    return pivot === undefined || isNested ? refuse("the values of its PIVOT cannot be told from it") : pivot;
  });
}

/** As DuckDB does it: the values as texts, in their order, without NULL. */
async function valuesSelect(
  connection: Connection,
  { pivot_expressions }: PivotColumn,
  source: unknown,
  maps: readonly unknown[],
): Promise<unknown> {
  if (pivot_expressions.length !== 1) return refuse("its PIVOT takes several columns as one");
  const parsed = await parseSql(connection, VALUES_SELECT);
  if (parsed.kind !== "select") throw new Error(`DuckDB does not read ${VALUES_SELECT}`);
  const text = JSON.stringify(parsed.tree, (_key, value: unknown) => {
    const node = value as Node | null;
    if (node?.["class"] === "COLUMN_REF" && String(node["column_names"]) === "pivoted")
      return pivot_expressions[0];
    if (node?.["type"] === "BASE_TABLE" && node["table_name"] === "pivoted") return source;
    return value;
  });
  const tree = JSON.parse(text) as { readonly statements: readonly [{ readonly node: Node }] };
  tree.statements[0].node["cte_map"] = { map: maps };
  return tree;
}

const VALUES_SELECT =
  "SELECT DISTINCT CAST(pivoted AS VARCHAR) AS v FROM pivoted WHERE CAST(pivoted AS VARCHAR) IS NOT NULL ORDER BY v";

/**
 * Asks for the values of each PIVOT, and writes them into the SQL.
 * @throws `sql_not_allowed` when there is none
 */
export async function askForPivots(
  connection: Connection,
  marked: MarkedSql,
  pivots: readonly Pivot[],
  signal: AbortSignal,
): Promise<string> {
  const values: (readonly string[])[] = [];
  for (const pivot of pivots) {
    const rows = await connection.rows<{ v: string }>(await renderSql(connection, pivot.values), { signal });
    if (rows.length === 0) refuse("its PIVOT finds no value, so there is no column");
    values.push(rows.map(({ v }) => v));
  }
  return fillPivots(marked, values);
}

function refuse(reason: string): never {
  throw new AgnesError("sql_not_allowed", {
    reason,
    advice: "List the values: PIVOT table ON column IN ('a', 'b').",
  });
}
