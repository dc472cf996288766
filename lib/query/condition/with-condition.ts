import type { Connection } from "../../duckdb/mod.ts";
import { parseSql, renderSql } from "../../sql/mod.ts";
import { checkCondition } from "./check-condition.ts";
import { rejected } from "./rejected.ts";

/** A condition from outside on the rows of one table. */
export interface Condition {
  /** The SQL that it becomes part of: one SELECT that has `WHERE true`. */
  readonly sql: string;
  readonly where: string;
  /** The columns of the table, in lower case. */
  readonly columns: readonly string[];
  /** The names that may stand before a column, in lower case: the table, and its source and table. */
  readonly qualifiers: readonly (readonly string[])[];
}

/** Returns the SQL with its condition, which is rendered from its tree. @throws `validator_rejected` */
export async function withCondition(
  connection: Connection,
  { sql, where, columns, qualifiers }: Condition,
): Promise<string> {
  const condition = await checkCondition(connection, where, { columns: new Set(columns), qualifiers });
  const parsed = await parseSql(connection, sql);
  if (parsed.kind !== "select") throw rejected("select", "parse_error");
  const { statements } = parsed.tree as { readonly statements: readonly { node: Record<string, unknown> }[] };
  statements[0]!.node["where_clause"] = condition;
  return renderSql(connection, parsed.tree);
}
