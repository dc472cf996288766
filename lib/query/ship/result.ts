import type { Schema } from "apache-arrow";

import { quoteIdentifier } from "../../duckdb/mod.ts";
import {
  bool,
  date,
  float64,
  int64,
  timestamp,
  timestampWithZone,
  toSchema,
  utf8,
  type Column,
  type SourceOrder,
} from "../../kit/mod.ts";

/** The columns of a shipped statement by their DuckDB types, as its source returns them. All other types are returned as text. */
const COLUMNS: Readonly<Record<string, () => Column>> = {
  INTEGER: int64,
  BIGINT: int64,
  VARCHAR: utf8,
  BOOLEAN: bool,
  DATE: date,
  TIMESTAMP: timestamp,
  "TIMESTAMP WITH TIME ZONE": timestampWithZone,
  DOUBLE: float64,
};

/** Whether a source returns a type as text, because it has no column type that holds all its values. */
export function isReturnedAsText(type: string): boolean {
  return !Object.hasOwn(COLUMNS, type);
}

/** Returns the schema of the rows of a source: `c0`, `c1` and so on. */
export function resultSchema(types: readonly string[]): Schema {
  const columns = types.map((type, at) => [`c${at}`, (COLUMNS[type] ?? utf8)()] as const);
  return toSchema(Object.fromEntries(columns));
}

/** Returns the local statement over the rows of a source, which has the columns and the order of the original one. */
export function localSql(
  relation: string,
  columns: readonly { readonly name: string; readonly type: string }[],
  order: readonly (SourceOrder & { readonly type: string })[],
): string {
  const value = (at: number, type: string) => `CAST(shipped.c${at} AS ${type})`;
  const list = columns.map(({ name, type }, at) => `${value(at, type)} AS ${quoteIdentifier(name)}`);
  const keys = order.map(
    ({ column, type, isDescending, nullsFirst }) =>
      `${value(column, type)} ${isDescending ? "DESC" : "ASC"} NULLS ${nullsFirst ? "FIRST" : "LAST"}`,
  );
  const ordered = keys.length === 0 ? "" : ` ORDER BY ${keys.join(", ")}`;
  return `SELECT ${list.join(", ")} FROM ${relation} AS shipped${ordered}`;
}
