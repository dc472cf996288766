import {
  arrow,
  quoteIdentifier,
  quoteLiteral,
  table as tableInfo,
  type EntityType,
  type Filter,
  type TableInfo,
  type TableMetadata,
} from "agnes/kit";

import { NOT_ATTACHED } from "./attach.ts";
import { columnsOf, countsOf } from "./describe.ts";
import { errors } from "./errors.ts";
import { tableNameOf, type ListedTable, type TablePath } from "./names.ts";
import type { BigQueryTable, Field } from "./schemas.ts";
import { qualified } from "./select.ts";
import { kindOf, schemaOf, typeName, TYPE_KEY } from "./types.ts";

const SHARD = /^(.*_)(2\d{7})$/s;
const NAME = /^(.*_)YYYYMMDD$/s;
/** The column with the date of the shard, unless the table has one with this name. */
export const SHARD_COLUMN = "shard_date";
/** The pseudo column with the part of a shard's name that the wildcard stands for. */
export const SHARD_SUFFIX = "_TABLE_SUFFIX";

/** The tables `events_20260101`, `events_20260102` … as one table `events_YYYYMMDD`. */
export interface ShardGroup {
  /** The group, whose table is `events_YYYYMMDD`. */
  readonly path: TablePath;
  /** Sorted by name, that is by date. */
  readonly shards: readonly TablePath[];
}

/** Whether a table has the name of a shard. */
export function isShardName(table: string): boolean {
  const date = SHARD.exec(table)?.[2];
  return date !== undefined && isDate(date);
}

/** The prefix of the shards that a name stands for: `events_` for `events_YYYYMMDD`; null if it is the name of one table. */
export function shardPrefixOf({ table }: Pick<TablePath, "table">): string | null {
  return NAME.exec(table)?.[1] ?? null;
}

/**
 * The name by which BigQuery reads a group: `events_2*` for `events_YYYYMMDD`. With the first digit of the year it matches no
 * `events_intraday_20260101` and few views, which BigQuery does not read by a prefix.
 */
export const wildcardOf = (path: Pick<TablePath, "table">): string => `${shardPrefixOf(path)}2*`;

/**
 * The shards of a group as a relation with the column `shard_date`.
 *
 * @param ids the dates of the shards as `yyyymmdd`. Default: all, for SQL that is written before they are known
 */
export function shardRelation(path: TablePath, ids?: readonly string[]): string {
  const date = "SAFE.PARSE_DATE('%Y%m%d', CONCAT('2', `_TABLE_SUFFIX`))";
  const table = qualified({ ...path, table: wildcardOf(path) });
  const isDay = `REGEXP_CONTAINS(\`_TABLE_SUFFIX\`, r'^[0-9]{7}$') AND ${date} IS NOT NULL`;
  const condition = ids === undefined ? isDay : suffixCondition(ids);
  return `(SELECT *, ${date} AS \`${SHARD_COLUMN}\` FROM ${table} WHERE ${condition})`;
}

/** The condition that selects the shards with some dates as `yyyymmdd`. */
export function suffixCondition(ids: readonly string[]): string {
  const list = ids.map((id) => quoteLiteral(id.slice(1), "bigquery")).join(", ");
  return `${quoteIdentifier(SHARD_SUFFIX, "bigquery")} IN (${list})`;
}

/** The date of a shard as `yyyymmdd`. */
export const shardIdOf = ({ table }: Pick<TablePath, "table">): string => SHARD.exec(table)![2]!;

/** The date of a shard as `yyyy-mm-dd`. */
export const shardDateOf = (id: string): string => `${id.slice(0, 4)}-${id.slice(4, 6)}-${id.slice(6)}`;

/** Splits the tables of a dataset into shards by date and all others. Only tables can be read together by their prefix. */
export function groupShards(listed: readonly ListedTable[]): {
  readonly tables: readonly TablePath[];
  readonly groups: readonly ShardGroup[];
} {
  const byPrefix = new Map<string, TablePath[]>();
  const tables = listed.filter(({ type, ...path }) => {
    const [, prefix, date] = SHARD.exec(path.table) ?? [];
    if (type !== "TABLE" || prefix === undefined || !isDate(date!)) return true;
    byPrefix.set(prefix, [...(byPrefix.get(prefix) ?? []), path]);
    return false;
  });
  const groups = [...byPrefix].map(([prefix, shards]): ShardGroup => {
    const path = { ...shards[0]!, table: `${prefix}YYYYMMDD` };
    return { path, shards: shards.toSorted((a, b) => (a.table < b.table ? -1 : 1)) };
  });
  return { tables, groups };
}

function isDate(text: string): boolean {
  const date = shardDateOf(text);
  const time = new Date(`${date}T00:00:00Z`);
  return !Number.isNaN(time.getTime()) && time.toISOString().startsWith(date);
}

/**
 * Describes shards as one table. Its columns are those of the shard that was created last, because BigQuery reads all shards
 * with them.
 * @throws `bigquery/shards_differ`, `bigquery/type_unsupported`, `bigquery/table_invalid`
 */
export function describeShards(
  path: TablePath,
  shards: readonly BigQueryTable[],
  project: string,
): TableInfo {
  const name = tableNameOf(path, project);
  const { fields, omitted } = shardFields(shards, name);
  const rows = sumOf(shards, "rows");
  const newest = newestOf(shards);
  const { description = "", location } = newest;
  return tableInfo(name, shardSchema(fields, name), {
    identity: path.project,
    remotePath: [path.project, path.dataset, path.table],
    ...NOT_ATTACHED,
    sourceMetadata: {
      kind: "table",
      dataset: path.dataset,
      ...(location === undefined ? {} : { location }),
      shardedBy: "date",
    },
    ...(description === "" ? {} : { description }),
    ...(rows === undefined ? {} : { estimatedRows: rows }),
    ...(omitted.length === 0
      ? {}
      : { notes: [`columns that only older shards have are not read: ${omitted.join(", ")}`] }),
  });
}

/** The schema of a group: the columns of its shards and the date. */
export function shardSchema(fields: readonly Field[], name: string): arrow.Schema {
  const schema = schemaOf(fields, name);
  if (fields.some((field) => field.name.toLowerCase() === SHARD_COLUMN)) return schema;
  const metadata = new Map([
    [TYPE_KEY, "DATE"],
    ["description", "The date of the shard, from its name"],
  ]);
  const date = new arrow.Field(SHARD_COLUMN, new arrow.DateDay(), false, metadata);
  return new arrow.Schema([...schema.fields, date]);
}

/** The columns of a group, and those that only older shards have. */
export function shardFields(
  shards: readonly BigQueryTable[],
  name: string,
): { readonly fields: readonly Field[]; readonly omitted: readonly string[] } {
  const newest = newestOf(shards);
  if (newest.schema.fields.length === 0)
    throw errors.table_invalid({ table: name, reason: "it has no columns" });
  const columns = new Map(newest.schema.fields.map((field) => [field.name.toLowerCase(), field]));
  const omitted = new Set<string>();
  for (const shard of shards) {
    const own = new Map(shard.schema.fields.map((field) => [field.name.toLowerCase(), field]));
    for (const [key, field] of columns) {
      const other = own.get(key);
      if (other !== undefined && !isAlike(field, other)) {
        throw errors.shards_differ({
          table: name,
          column: field.name,
          type: typeName(field),
          shard: newest.tableReference.tableId,
          otherType: typeName(other),
          otherShard: shard.tableReference.tableId,
        });
      }
      // Rows of a shard without the column have null.
      const isNullable = other?.mode?.toUpperCase() !== "REQUIRED";
      if (isNullable && field.mode?.toUpperCase() === "REQUIRED")
        columns.set(key, { ...field, mode: "NULLABLE" });
    }
    for (const [key, field] of own) if (!columns.has(key)) omitted.add(field.name);
  }
  return { fields: [...columns.values()], omitted: [...omitted].sort() };
}

/** Whether a shard has a column of the same type. A record may lack fields. */
function isAlike(field: Field, other: Field): boolean {
  if (kindOf(field) !== "STRUCT" || kindOf(other) !== "STRUCT") return typeName(field) === typeName(other);
  if (field.mode?.toUpperCase() !== other.mode?.toUpperCase() && [field, other].some(isRepeated))
    return false;
  const own = new Map((other.fields ?? []).map((one) => [one.name.toLowerCase(), one]));
  return (field.fields ?? []).every((one) => {
    const found = own.get(one.name.toLowerCase());
    return found === undefined || isAlike(one, found);
  });
}

const isRepeated = ({ mode }: Field): boolean => mode?.toUpperCase() === "REPEATED";

function newestOf(shards: readonly BigQueryTable[]): BigQueryTable {
  return shards.reduce((a, b) => ((b.creationTime ?? 0) >= (a.creationTime ?? 0) ? b : a));
}

/** The rows or bytes of all shards; undefined if those of one are unknown. */
function sumOf(shards: readonly BigQueryTable[], figure: "rows" | "sizeBytes"): number | undefined {
  let sum = 0;
  for (const shard of shards) {
    const { [figure]: count } = countsOf(shard);
    if (count === undefined) return undefined;
    sum += count;
  }
  return sum;
}

/** Returns what BigQuery knows of shards without a query. */
export function shardMetadata(name: string, shards: readonly BigQueryTable[]): TableMetadata {
  const { fields } = shardFields(shards, name);
  const [rows, sizeBytes] = [sumOf(shards, "rows"), sumOf(shards, "sizeBytes")];
  const times = shards.map(({ lastModifiedTime }) => lastModifiedTime);
  const isTimed = times.every((time) => time !== undefined);
  const own = columnsOf(fields);
  const hasDate = fields.some((field) => field.name.toLowerCase() === SHARD_COLUMN);
  return {
    name,
    entityType: "table" satisfies EntityType,
    ...(rows === undefined ? {} : { rows }),
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
    ...(isTimed ? { modifiedAt: new Date(Math.max(...(times as number[]))) } : {}),
    partitionedBy: hasDate ? [] : [SHARD_COLUMN],
    columns: hasDate ? own : [...own, { name: SHARD_COLUMN, type: "DATE", nullable: false }],
  };
}

/** The shards whose date may match the conditions on it. */
export function matchingShards(
  shards: readonly BigQueryTable[],
  filter: readonly Filter[],
): readonly BigQueryTable[] {
  const own = filter.filter(({ column }) => column === SHARD_COLUMN);
  return shards.filter(({ tableReference }) => {
    const date = shardDateOf(shardIdOf({ table: tableReference.tableId }));
    return own.every((one) => mayMatch(date, one));
  });
}

function mayMatch(date: string, { operator, values }: Filter): boolean {
  if (operator === "is_null") return false;
  if (operator === "is_not_null") return true;
  const texts = values.map((value) =>
    value instanceof Date ? value.toISOString().slice(0, 10) : String(value).slice(0, 10),
  );
  if (texts.some((text) => !/^\d{4}-\d\d-\d\d$/.test(text))) return true;
  if (operator === "eq") return texts.includes(date);
  // The time of a value is cut off, so the day itself may match.
  if (operator === "gt" || operator === "ge") return texts.every((text) => date >= text);
  if (operator === "lt" || operator === "le") return texts.every((text) => date <= text);
  return true;
}
