import * as arrow from "apache-arrow";

import { AgnesError, counted } from "../../base/mod.ts";
import { describeQuery, tokensOf, type Connection } from "../../duckdb/mod.ts";
import type { QueryArray } from "../../kit/mod.ts";
import type { Alias } from "./types.ts";

/** The maximum number of keys of an alias. */
export const KEYS_MAX = 10_000;

/**
 * Reads the keys of an alias: the distinct values of one column without NULL, in their order.
 *
 * @param sql a checked SELECT
 * @throws `alias_refused` if it has another number of columns or a type without keys, `alias_limit_exceeded`
 */
export async function readKeys(
  connection: Connection,
  sql: string,
  alias: Alias,
  signal: AbortSignal,
): Promise<QueryArray> {
  const select = withoutSemicolon(sql);
  const { fields } = await describeQuery(connection, select, { signal });
  const refuse = (reason: string, advice: string) =>
    new AgnesError("alias_refused", { alias: alias.name, reason, advice });
  const [field] = fields;
  if (field === undefined || fields.length !== 1)
    throw refuse(`its keys have ${counted(fields.length, "column")}`, "Select exactly one column.");
  const kind = kindOf(field);
  if (kind === null) {
    const type = field.metadata.get("duckdb.type") ?? String(field);
    throw refuse(
      `its keys have a type that is no key: ${type}`,
      "Cast them to VARCHAR, or to the type of the compared column: a number, a date or a timestamp in microseconds.",
    );
  }
  const rows = await connection.rows<{ value: string | number | boolean }>(
    `SELECT ${kind.cast} AS value FROM (
       SELECT DISTINCT value FROM (${select}\n) AS keys(value) WHERE value IS NOT NULL
       ORDER BY value LIMIT ${KEYS_MAX + 1})`,
    { signal },
  );
  if (rows.length > KEYS_MAX) {
    const { name, source } = alias;
    throw new AgnesError("alias_limit_exceeded", { alias: name, source, limit: "keys", max: KEYS_MAX });
  }
  // Engines differ in whether NaN equals NaN, so its rows would be lost in some.
  if (rows.some(({ value }) => Number.isNaN(value)))
    throw refuse("its keys contain NaN", "Exclude NaN: `WHERE NOT isnan(column)`.");
  return { type: kind.type, values: rows.map(({ value }) => (kind.isWhole ? BigInt(value) : value)) };
}

interface Kind {
  readonly type: arrow.DataType;
  /** The SQL of a value. */
  readonly cast: string;
  readonly isWhole: boolean;
}

/** Types of DuckDB that are text in Arrow and whose values have no other text. */
const TEXT_TYPES = /^(UUID|ENUM)/;

/** Returns how the values of a column are keys; null for types without keys. */
function kindOf(field: arrow.Field): Kind | null {
  const { DataType, TimeUnit } = arrow;
  const type = field.type as arrow.DataType;
  const own = field.metadata.get("duckdb.type");
  const asText = { type, cast: "CAST(value AS VARCHAR)", isWhole: false };
  if (own !== undefined && !TEXT_TYPES.test(own)) return null;
  if (DataType.isBool(type)) return { ...asText, cast: "value" };
  if (DataType.isFloat(type))
    return { type: new arrow.Float64(), cast: "CAST(value AS DOUBLE)", isWhole: false };
  if (DataType.isInt(type)) return { ...asText, isWhole: true };
  if (DataType.isTimestamp(type)) {
    const { timezone, unit } = type as arrow.Timestamp;
    return unit === TimeUnit.NANOSECOND
      ? null
      : { ...asText, type: new arrow.TimestampMicrosecond(timezone) };
  }
  return DataType.isUtf8(type) || DataType.isDecimal(type) || DataType.isDate(type) ? asText : null;
}

/** Removes the `;` at the end, so that the SELECT can be a subquery. */
function withoutSemicolon(sql: string): string {
  const last = tokensOf(sql).at(-1);
  return last?.text === ";" ? sql.slice(0, last.start) : sql;
}
