import type * as v from "valibot";

import type { Host } from "../../base/mod.ts";
import { openDatabase, quoteIdentifier } from "../../duckdb/mod.ts";
import type { DocumentedTable } from "../../query/mod.ts";
import { parseSql, renderSql } from "../../sql/mod.ts";
import { checkWhere } from "./check-where.ts";
import { rejected } from "./rejected.ts";
import type { scanRequest } from "./schemas.ts";

type ScanRequest = v.InferOutput<typeof scanRequest>;

/** The SQL of a scan, and the number of its columns. */
export interface ScanSql {
  readonly sql: string;
  readonly columns: number;
}

/** Returns the SQL of a scan. @throws `validator_rejected` */
export async function scanSql(
  host: Pick<Host, "files">,
  table: DocumentedTable,
  { select = [], where, order_by: orderBy = [], limit }: ScanRequest,
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
  const sql = where === undefined ? text : await withWhere(host, text, where, { table, columns });
  return { sql, columns: selected.length || columns.size };
}

async function withWhere(
  { files }: Pick<Host, "files">,
  text: string,
  where: string,
  { table, columns }: { readonly table: DocumentedTable; readonly columns: ReadonlyMap<string, string> },
): Promise<string> {
  // An instance for this one condition: it has no tables, and it ends with it.
  await using database = await openDatabase({ files, settings: { enable_external_access: "false" } });
  const connection = await database.connect();
  const [source, name] = partsOf(table.id.toLowerCase());
  const qualifiers = [[source, name], [name], [table.name.toLowerCase()]];
  const condition = await checkWhere(connection, where, { columns: new Set(columns.keys()), qualifiers });
  const parsed = await parseSql(connection, text);
  if (parsed.kind !== "select") throw rejected("select", "parse_error");
  const { statements } = parsed.tree as { readonly statements: readonly { node: Record<string, unknown> }[] };
  statements[0]!.node["where_clause"] = condition;
  return await renderSql(connection, parsed.tree);
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
