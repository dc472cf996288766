import { quoteIdentifier, quoteLiteral, storedExpression, storedType } from "../../duckdb/mod.ts";
import { filterToSql, type Filter } from "../../kit/mod.ts";
import type { Granularity } from "../../tables/mod.ts";
import type { PublishedColumn } from "../format/extract-state.ts";
import { byFoldedName, folded } from "./folded.ts";

/** Returns the select list of `columns` from a relation with the columns `present`, ignoring the case of names. */
export function selectList(
  columns: readonly PublishedColumn[],
  present: readonly Pick<PublishedColumn, "name" | "type">[],
): string {
  const columnsPresent = byFoldedName(present);
  return columns
    .map(({ name, type }) => {
      const has = columnsPresent.get(folded(name));
      const quoted = quoteIdentifier(name);
      if (has === undefined) return `CAST(NULL AS ${type}) AS ${quoted}`;
      if (has.type === type && has.name === name) return quoted;
      const value = storedExpression(quoteIdentifier(has.name), has.type);
      return storedType(has.type) === type
        ? `${value} AS ${quoted}`
        : `CAST(${value} AS ${type}) AS ${quoted}`;
    })
    .join(", ");
}

/** Returns a `read_parquet` call over absolute paths. */
export function readParquet(paths: readonly string[], options = ""): string {
  return `read_parquet([${paths.map(quoteLiteral).join(", ")}]${options})`;
}

/** Returns the SQL condition of filters and a cursor; null if there is none. */
export function filterCondition(
  filters: readonly Filter[],
  cursor: {
    readonly column: string;
    readonly type: string;
    readonly value: string;
    readonly inclusive: boolean;
  } | null,
): string | null {
  const conditions = filters.map((filter) => filterToSql([filter]));
  if (cursor !== null) {
    const column = quoteIdentifier(cursor.column);
    const value = `CAST(${quoteLiteral(cursor.value)} AS ${cursor.type})`;
    // With a key, rows with an equal or null cursor can be merged again, so that none are missed.
    conditions.push(
      cursor.inclusive ? `(${column} >= ${value} OR ${column} IS NULL)` : `${column} > ${value}`,
    );
  }
  return conditions.length === 0 ? null : conditions.join(" AND ");
}

/** Returns the SQL of a row's partition: `2026-01-31`, `2026-01`, `2026` or `unknown`. */
export function partitionExpression(column: string, granularity: Granularity): string {
  const text = `CAST(${quoteIdentifier(column)} AS VARCHAR)`;
  // TIMESTAMP would ignore an offset. Without an offset, TIMESTAMPTZ uses the time zone of the database, UTC.
  const moment = `(TRY_CAST(${text} AS TIMESTAMPTZ) AT TIME ZONE 'UTC')`;
  const pattern = { day: "%Y-%m-%d", month: "%Y-%m", year: "%Y" }[granularity];
  return (
    `CASE WHEN isfinite(${moment}) AND year(${moment}) BETWEEN 1 AND 9999 ` +
    `THEN strftime(${moment}, '${pattern}') ELSE 'unknown' END`
  );
}

/** Returns the join condition on a key. Null keys match nothing. */
export function keysMatch(key: readonly string[], left: string, right: string): string {
  return key
    .map((column) => `${left}.${quoteIdentifier(column)} = ${right}.${quoteIdentifier(column)}`)
    .join(" AND ");
}
