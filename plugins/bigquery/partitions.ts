import { quoteIdentifier } from "agnes/kit";

import type { BigQueryTable } from "./schemas.ts";
import { isRepeated, kindOf } from "./types.ts";

/** The digits of the id of a partition, by the unit of the partitions. */
const DIGITS = { YEAR: 4, MONTH: 6, DAY: 8, HOUR: 10 } as const;
const TIME_TYPES = new Set(["DATE", "DATETIME", "TIMESTAMP"]);
const YEAR_MAX = 9999;
/** The id of the partition of rows whose partition column is null. */
const NULL_PARTITION = "__NULL__";

/** How a table is partitioned by time. */
export interface TimePartitioning {
  /** The column, or the pseudo column of a table that is partitioned by the time of loading. */
  readonly column: string;
  readonly type: string;
  readonly unit: keyof typeof DIGITS;
}

/** Returns how a table is partitioned by time; null if it is not, or in a way that is not known. */
export function timePartitioningOf({ timePartitioning, schema }: BigQueryTable): TimePartitioning | null {
  if (timePartitioning === undefined) return null;
  const unit = timePartitioning.type?.toUpperCase() ?? "DAY";
  if (!isUnit(unit)) return null;
  const { field: column } = timePartitioning;
  if (column === undefined) return { column: "_PARTITIONTIME", type: "TIMESTAMP", unit };
  const field = schema.fields.find(({ name }) => name.toLowerCase() === column.toLowerCase());
  if (field === undefined || isRepeated(field) || !TIME_TYPES.has(kindOf(field))) return null;
  return { column: field.name, type: kindOf(field), unit };
}

const isUnit = (unit: string): unit is TimePartitioning["unit"] => unit in DIGITS;

/** Whether an id names a partition with rows that a condition on the partition column selects. */
export function isSelectable(id: string, { unit }: TimePartitioning): boolean {
  return id === NULL_PARTITION || (/^\d+$/.test(id) && id.length === DIGITS[unit]);
}

/** The id of the partition of a value, which is text as rows have it. */
export function partitionOf(value: unknown, { unit }: TimePartitioning): string {
  if (typeof value !== "string") return NULL_PARTITION;
  return value.replaceAll(/\D/g, "").slice(0, DIGITS[unit]);
}

/** Returns the condition that selects the rows of some partitions, by ranges of the column, so that no other is read. */
export function partitionCondition(ids: readonly string[], partitioning: TimePartitioning): string {
  const name = quoteIdentifier(partitioning.column, "bigquery");
  const literal = (time: Date) => literalOf(time, partitioning.type);
  const ranges: { from: Date; to: Date }[] = [];
  for (const id of ids.filter((one) => one !== NULL_PARTITION).sort()) {
    const [from, to] = [startOf(id), endOf(id, partitioning)];
    const last = ranges.at(-1);
    if (last?.to.getTime() === from.getTime()) last.to = to;
    else ranges.push({ from, to });
  }
  const conditions = ranges.map(({ from, to }) => {
    const start = `${name} >= ${literal(from)}`;
    return to.getUTCFullYear() > YEAR_MAX ? `(${start})` : `(${start} AND ${name} < ${literal(to)})`;
  });
  if (ids.includes(NULL_PARTITION)) conditions.push(`${name} IS NULL`);
  return `(${conditions.join(" OR ")})`;
}

/** Returns a condition on the partition column that all rows match, for tables that require one. */
export function wholeCondition({ column, type }: TimePartitioning): string {
  const name = quoteIdentifier(column, "bigquery");
  return `(${name} >= ${literalOf(new Date("0001-01-01"), type)} OR ${name} IS NULL)`;
}

function startOf(id: string): Date {
  const [year, month = "01", day = "01", hour = "00"] = [
    id.slice(0, 4),
    ...(id.match(/(?<=^\d{4}(?:\d\d)*)\d\d/g) ?? []),
  ];
  return new Date(`${year}-${month}-${day}T${hour}:00:00Z`);
}

function endOf(id: string, { unit }: TimePartitioning): Date {
  const end = startOf(id);
  if (unit === "YEAR") end.setUTCFullYear(end.getUTCFullYear() + 1);
  if (unit === "MONTH") end.setUTCMonth(end.getUTCMonth() + 1);
  if (unit === "DAY") end.setUTCDate(end.getUTCDate() + 1);
  if (unit === "HOUR") end.setUTCHours(end.getUTCHours() + 1);
  return end;
}

function literalOf(time: Date, type: string): string {
  const [day, hours] = [time.toISOString().slice(0, 10), time.toISOString().slice(11, 19)];
  if (type === "DATE") return `DATE '${day}'`;
  return type === "DATETIME" ? `DATETIME '${day} ${hours}'` : `TIMESTAMP '${day} ${hours}+00:00'`;
}
