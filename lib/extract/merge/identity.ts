import { bigintAsText } from "../../base/mod.ts";
import { arrow, type Row } from "../../kit/mod.ts";

/**
 * Returns a function that formats the values of columns as one text. Values that are stored as equal have equal texts:
 * 5, 5n and "5", or a `Date` and its ISO 8601 text.
 */
export function identityOf(schema: arrow.Schema, columns: readonly string[]): (row: Row) => string {
  const texts = columns.map((column) => {
    const type: unknown = schema.fields.find((field) => field.name === column)?.type;
    return arrow.DataType.isTimestamp(type) || arrow.DataType.isDate(type) ? momentText : valueText;
  });
  return (row) => JSON.stringify(columns.map((column, at) => texts[at]!(row[column])));
}

function valueText(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (value instanceof Date) return value.toISOString();
  if (typeof value === "bigint" || typeof value === "number" || typeof value === "boolean") return `${value}`;
  return typeof value === "string" ? value : JSON.stringify(value, bigintAsText);
}

/** Text without a time zone is UTC. Text with a finer resolution than milliseconds is unchanged. */
function momentText(value: unknown): string | null {
  if (typeof value !== "string") return valueText(value);
  const [, date, time = "00:00", fraction = "", zone = "Z"] = MOMENT.exec(value) ?? [];
  const moment = new Date(`${date}T${time}${fraction}${zone.toUpperCase()}`);
  return date === undefined || Number.isNaN(moment.getTime()) ? value : moment.toISOString();
}

const MOMENT = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(\.\d{1,3}0*)?\s?(Z|[+-]\d\d:\d\d)?)?$/i;
