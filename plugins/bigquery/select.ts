import { arrow, quoteIdentifier, quoteLiteral, type Cursor, type Filter, type FilterValue } from "agnes/kit";

import { errors } from "./errors.ts";
import type { TablePath } from "./names.ts";
import { parameterOf, type NamedParameter } from "./parameters.ts";
import { TYPE_KEY } from "./types.ts";

const DAY = /^\d{4}-\d\d-\d\d$/;
const MOMENT = /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d:\d\d(?:\.\d{1,6})?))?$/;
const INSTANT = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d(?:\.\d{1,6})?)(Z|[+-]\d\d(?::\d\d)?)$/;
const NUMERAL = /^-?\d{1,38}(?:\.\d{1,38})?$/;
export const SIGNS = { gt: ">", ge: ">=", lt: "<", le: "<=" } as const;
/** The bytes of all conditions: BigQuery accepts 1 MB of SQL, and a query may have thousands of keys. */
const CONDITIONS_BYTES_MAX = 800_000;
/** The name of the parameter that holds the value of a cursor. */
const CURSOR = "agnes_cursor";
/** The name of the parameter that holds the time of a snapshot. */
const SNAPSHOT = "agnes_snapshot";
/** The alias of the column that names the partition or shard of a row. */
export const ORDER_ALIAS = "agnes_partition";

/** A SELECT and its parameters. */
export interface Select {
  readonly sql: string;
  readonly parameters: readonly NamedParameter[];
  /** The columns that have a condition. */
  readonly conditionColumns: ReadonlySet<string>;
  /** The condition of the rows for a read session, which has no parameters; null: the cursor has no literal. */
  readonly restriction: string | null;
  /** Whether the condition contains the whole filter. */
  readonly isWhole: boolean;
}

/** The rows and columns to select. */
export interface SelectOptions {
  readonly columns: readonly string[];
  readonly filter?: readonly Filter[] | undefined;
  readonly limit?: number | undefined;
  readonly cursor?: Cursor | undefined;
  /** A further condition, exact, and its column. */
  readonly condition?: { readonly sql: string; readonly column: string } | undefined;
  /** The relation to select from. Default: the table. */
  readonly from?: string | undefined;
  /** The time at which the table is read, as ISO 8601 text. Default: now. */
  readonly snapshot?: string | undefined;
  /** A column to select as `agnes_partition`, and whether to order the rows by it, nulls last. Default: none. */
  readonly slice?: { readonly column: string; readonly isOrdered: boolean } | undefined;
  /** The name of the table, for errors. */
  readonly name: string;
}

/**
 * Returns the SELECT of rows of a table. It may return rows that do not match the filter, because it has only conditions that
 * BigQuery evaluates as DuckDB does; the condition of a cursor is exact.
 * @throws `bigquery/cursor_refused`
 */
export function selectOf(path: TablePath, schema: arrow.Schema, options: SelectOptions): Select {
  const { columns, filter = [], limit, cursor, condition: further, snapshot, slice, name } = options;
  const fieldOf = new Map(schema.fields.map((field) => [String(field.name), field]));
  let leftBytes = CONDITIONS_BYTES_MAX;
  const pushed = filter.flatMap((one) => {
    const field = fieldOf.get(one.column);
    const condition = field === undefined ? null : conditionOf(one, field);
    if (condition === null || Buffer.byteLength(condition) > leftBytes) return [];
    leftBytes -= Buffer.byteLength(condition);
    return [{ column: one.column, condition }];
  });
  const position = cursor === undefined ? null : cursorOf(cursor, fieldOf.get(cursor.column), name);
  const conditions = [
    ...pushed.map(({ condition }) => condition),
    ...(position === null ? [] : [position.sql]),
    ...(further === undefined ? [] : [further.sql]),
  ];
  const restricted = [
    ...pushed.map(({ condition }) => condition),
    ...(position?.restriction ?? []),
    ...(further === undefined ? [] : [further.sql]),
  ];
  const where = conditions.length === 0 ? "" : ` WHERE ${conditions.join(" AND ")}`;
  // A limit counts only rows that match the whole filter.
  const isWhole = pushed.length === filter.length;
  const rows = limit === undefined || !isWhole ? "" : ` LIMIT ${limit}`;
  const from = options.from ?? qualified(path);
  const at = snapshot === undefined ? "" : ` FOR SYSTEM_TIME AS OF @${SNAPSHOT}`;
  const list = [
    ...columns.map(quoted),
    ...(slice === undefined ? [] : [`${quoted(slice.column)} AS ${quoted(ORDER_ALIAS)}`]),
  ];
  const ordered = slice?.isOrdered !== true ? "" : ` ORDER BY ${quoted(ORDER_ALIAS)} NULLS LAST`;
  return {
    sql: `SELECT ${list.join(", ")} FROM ${from}${at}${where}${ordered}${rows}`,
    parameters: [
      ...(position === null ? [] : [position.parameter]),
      ...(snapshot === undefined ? [] : [parameterOf(SNAPSHOT, "TIMESTAMP", snapshot)]),
    ],
    restriction: position?.restriction === null ? null : restricted.join(" AND "),
    isWhole,
    conditionColumns: new Set([
      ...pushed.map(({ column }) => column),
      ...(cursor === undefined ? [] : [cursor.column]),
      ...(further === undefined ? [] : [further.column]),
    ]),
  };
}

/** The quoted name of a table. */
export const qualified = ({ project, dataset, table }: TablePath): string =>
  [project, dataset, table].map(quoted).join(".");

export const quoted = (name: string): string => quoteIdentifier(name, "bigquery");

/** The type of a column for conditions, without parameters; undefined if it is only known as text. */
export function conditionType(field: arrow.Field): string | undefined {
  const stored = field.metadata.get(TYPE_KEY)?.replace(/\(.*$/, "");
  const { type } = field;
  const { DataType } = arrow;
  if (DataType.isInt(type)) return "INT64";
  if (DataType.isBool(type)) return "BOOL";
  if (DataType.isDecimal(type)) return "BIGNUMERIC";
  if (DataType.isDate(type)) return "DATE";
  if (DataType.isTimestamp(type)) return (type as arrow.Timestamp).timezone ? "TIMESTAMP" : "DATETIME";
  // Text may also be a BIGNUMERIC, a GEOGRAPHY or a timestamp of picoseconds.
  return stored === "STRING" && DataType.isUtf8(type) ? "STRING" : undefined;
}

/** Returns the condition of a filter; null if BigQuery may evaluate it in another way. */
function conditionOf({ operator, values }: Filter, field: arrow.Field): string | null {
  const name = quoted(field.name);
  const isList = arrow.DataType.isList(field.type);
  if (operator === "is_null" || operator === "is_not_null")
    return isList ? null : `${name} IS ${operator === "is_null" ? "" : "NOT "}NULL`;
  const type = conditionType(field);
  if (type === undefined) return null;
  const literals = values.map((value) => literalOf(value, type));
  if (literals.some((literal) => literal === null)) return null;
  if (operator === "eq") return literals.length === 0 ? "false" : `${name} IN (${literals.join(", ")})`;
  if (literals.length === 0) return null;
  if (operator === "ne") return `${name} NOT IN (${literals.join(", ")})`;
  return `(${literals.map((literal) => `${name} ${SIGNS[operator]} ${literal}`).join(" AND ")})`;
}

/** Returns the literal of a value for a column of a type; null if it has no exact one. */
export function literalOf(value: FilterValue, type: string): string | null {
  switch (type) {
    case "BOOL":
      return typeof value === "boolean" ? String(value) : null;
    case "STRING":
      return typeof value === "string" && !value.includes("\0") ? quoteLiteral(value, "bigquery") : null;
    case "INT64":
    case "BIGNUMERIC": {
      if (typeof value === "number" && !Number.isSafeInteger(value)) return null;
      const text = typeof value === "boolean" || value instanceof Date ? "" : String(value);
      if (type === "INT64") return /^-?\d{1,18}$/.test(text) ? text : null;
      return NUMERAL.test(text) ? `BIGNUMERIC '${text}'` : null;
    }
    default: {
      const text = timeText(value, type);
      return text === null ? null : `${type} '${text}'`;
    }
  }
}

/** Returns a date or time as BigQuery reads it; null if the value is none of this type. */
function timeText(value: FilterValue, type: string): string | null {
  if (value instanceof Date) {
    const iso = Number.isNaN(value.getTime()) ? "" : value.toISOString();
    if (iso.length !== 24) return null;
    const [day, time] = [iso.slice(0, 10), iso.slice(11, -1)];
    if (type === "DATE") return time === "00:00:00.000" ? day : null;
    return type === "DATETIME" ? `${day} ${time}` : `${day} ${time}+00:00`;
  }
  if (typeof value !== "string") return null;
  if (type === "DATE") return DAY.test(value) ? value : null;
  if (type === "DATETIME") {
    const [, day, time = "00:00:00"] = MOMENT.exec(value) ?? [];
    return day === undefined ? null : `${day} ${time}`;
  }
  const [, day, time, zone] = INSTANT.exec(value) ?? [];
  if (day === undefined) return null;
  return `${day} ${time}${zone === "Z" ? "+00:00" : zone!.length === 3 ? `${zone}:00` : zone}`;
}

/** The condition of a cursor, whose value is a parameter, so that it keeps all its digits. */
interface Position {
  readonly sql: string;
  readonly parameter: NamedParameter;
  /** With a literal in place of the parameter; null if the value has none. */
  readonly restriction: readonly [string] | null;
}

function cursorOf(
  { column, value, inclusive }: Cursor,
  field: arrow.Field | undefined,
  table: string,
): Position {
  const type = field === undefined ? undefined : conditionType(field);
  const text = type === undefined || type === "BOOL" ? null : cursorText(value, type);
  if (text === null) {
    const stored = field?.metadata.get(TYPE_KEY) ?? String(field?.type ?? "unknown");
    throw errors.cursor_refused({ table, column, type: stored });
  }
  const name = quoted(column);
  const sqlWith = (operand: string) =>
    inclusive ? `(${name} >= ${operand} OR ${name} IS NULL)` : `${name} > ${operand}`;
  const literal = literalOf(text, type!);
  return {
    sql: sqlWith(`@${CURSOR}`),
    parameter: parameterOf(CURSOR, type!, text),
    restriction: literal === null ? null : [sqlWith(literal)],
  };
}

function cursorText(value: string, type: string): string | null {
  if (type === "STRING") return value;
  if (type === "INT64") return /^-?\d+$/.test(value) ? value : null;
  if (type === "BIGNUMERIC") return NUMERAL.test(value) ? value : null;
  return timeText(value, type);
}
