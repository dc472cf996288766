import type * as v from "valibot";

import { quoteIdentifier } from "../../duckdb/mod.ts";
import { rejected, type Condition, type DocumentedTable } from "../../query/mod.ts";
import type { scanRequest } from "./schemas.ts";

type ScanRequest = v.InferOutput<typeof scanRequest>;

/** The SQL of a scan, and the number of its columns. */
export interface ScanSql {
  readonly sql: string;
  readonly columns: number;
}

/** Returns the SQL of a scan. @param withCondition as that of the workspace @throws `validator_rejected` */
export async function scanSql(
  table: DocumentedTable,
  { select = [], where, order_by: orderBy = [], limit }: ScanRequest,
  withCondition: (condition: Condition) => Promise<string>,
): Promise<ScanSql> {
  const columns = new Map(table.schema.map(({ name }) => [name.toLowerCase(), name]));
  const selected = selectedColumns(select, columns);
  const orders = orderBy.map((item) => orderItem(item, columns));
  const [source, name] = partsOf(table.id);
  const text = [
    `SELECT ${(selected.length > 0 ? selected : [...columns.values()]).map(quoteIdentifier).join(", ")}`,
    `FROM ${quoteIdentifier(source)}.${quoteIdentifier(name)} AS agnes_scan`,
    ...(where === undefined ? [] : ["WHERE true"]),
    ...(orders.length > 0 ? [`ORDER BY ${orders.join(", ")}`] : []),
    ...(limit === undefined ? [] : [`LIMIT ${limit}`]),
  ].join(" ");
  const count = selected.length || columns.size;
  if (where === undefined) return { sql: text, columns: count };
  const [lowerSource, lowerName] = partsOf(table.id.toLowerCase());
  const qualifiers = [[lowerSource, lowerName], [lowerName], [table.name.toLowerCase()]];
  const sql = await withCondition({ sql: text, where, columns: [...columns.keys()], qualifiers });
  return { sql, columns: count };
}

function selectedColumns(select: readonly string[], columns: ReadonlyMap<string, string>): readonly string[] {
  const selected = select.map((name) => columns.get(name.toLowerCase()));
  if (new Set(selected).size < selected.length && !selected.includes(undefined))
    throw rejected("select", "duplicate_column");
  return selected.map((name) => name ?? unknownColumn("select"));
}

/** The SQL of one `<column>[ ASC|DESC]`. */
function orderItem(item: string, columns: ReadonlyMap<string, string>): string {
  const whole = columns.get(item.toLowerCase());
  if (whole !== undefined) return quoteIdentifier(whole);
  const [, name = "", direction = ""] = /^(.*\S)\s+(asc|desc)\s*$/i.exec(item) ?? [];
  return `${quoteIdentifier(columns.get(name.toLowerCase()) ?? unknownColumn("order_by"))} ${direction}`;
}

function unknownColumn(part: "select" | "order_by"): never {
  throw rejected(part, "unknown_column");
}

/** The source and the name of an id. */
function partsOf(id: string): readonly [string, string] {
  const dot = id.indexOf(".");
  return [id.slice(0, dot), id.slice(dot + 1)];
}
