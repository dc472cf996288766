import {
  arrow,
  arrowColumn,
  bool,
  date,
  decimal,
  float64,
  int64,
  timestamp,
  timestampWithZone,
  utf8,
  type Column,
  type ColumnOptions,
} from "agnes/kit";

import type { DescribedType } from "./metadata-providers.ts";

/** The type of a column as DuckDB names it. */
export type ColumnType =
  | "VARCHAR"
  | "BIGINT"
  | "DOUBLE"
  | "BOOLEAN"
  | "DATE"
  | "TIME"
  | "TIMESTAMP"
  | "TIMESTAMP WITH TIME ZONE"
  | `DECIMAL(${number},${number})`;

/** The backend of a table. */
export type Backend = "snowflake" | "bigquery" | "other";

/** The most digits of which every number is an int64. */
const INT64_DIGITS = 18;
const DECIMAL_DIGITS = 38;

/** Returns the backend of that name. */
export function backendOf(name: string | null | undefined): Backend {
  return name === "snowflake" || name === "bigquery" ? name : "other";
}

/**
 * Returns the type for a native type of a typed table. Types whose values a column could not keep exactly are text:
 * semi-structured values, binary data, and numbers of more than 38 digits.
 */
export function nativeType(
  { type, length }: { readonly type: string; readonly length?: string | number | null | undefined },
  backend: Backend,
): ColumnType {
  const name = type.trim().toUpperCase();
  const size = length === null || length === undefined ? undefined : String(length);
  switch (name.replace(/\(.*$/, "").trim()) {
    case "INT64":
      return "BIGINT";
    case "INT":
    case "INTEGER":
    case "BIGINT":
    case "SMALLINT":
    case "TINYINT":
    case "BYTEINT":
      // Snowflake stores all of them as NUMBER(38,0).
      return backend === "bigquery" ? "BIGINT" : decimalOf(size ?? "38,0");
    case "NUMBER":
    case "NUMERIC":
    case "DECIMAL":
    case "DEC":
      return decimalOf(size ?? /\((.*)\)/.exec(name)?.[1] ?? "38,9");
    case "FLOAT":
    case "FLOAT4":
    case "FLOAT8":
    case "FLOAT64":
    case "DOUBLE":
    case "DOUBLE PRECISION":
    case "REAL":
      return "DOUBLE";
    case "BOOLEAN":
    case "BOOL":
      return "BOOLEAN";
    case "DATE":
      return "DATE";
    case "TIME":
      return "TIME";
    case "TIMESTAMP":
      // An instant in BigQuery, a time without a zone in Snowflake.
      return backend === "bigquery" ? "TIMESTAMP WITH TIME ZONE" : "TIMESTAMP";
    case "DATETIME":
    case "TIMESTAMP_NTZ":
    case "TIMESTAMPNTZ":
    case "TIMESTAMP WITHOUT TIME ZONE":
      return "TIMESTAMP";
    case "TIMESTAMP_TZ":
    case "TIMESTAMPTZ":
    case "TIMESTAMP_LTZ":
    case "TIMESTAMPLTZ":
    case "TIMESTAMP WITH TIME ZONE":
    case "TIMESTAMP WITH LOCAL TIME ZONE":
      return "TIMESTAMP WITH TIME ZONE";
    default:
      return "VARCHAR";
  }
}

/**
 * Returns the type for the description of an untyped column. The portable type decides; the type of the system that the
 * data came from only if there is none, or to determine whether a timestamp has a zone.
 */
export function describedColumnType({ basetype, type, length }: DescribedType): ColumnType {
  const base = (basetype ?? type ?? "").trim().toUpperCase();
  switch (base.replace(/\(.*$/, "").trim()) {
    case "INTEGER":
    case "BIGINT":
    case "INT":
    case "INT64":
    case "SMALLINT":
    case "TINYINT":
    case "MEDIUMINT":
      // Lengths of integers are widths of display in many systems.
      return "BIGINT";
    case "TIMESTAMP": {
      const native = (type ?? "").trim().toUpperCase();
      return /TZ$|WITH.*TIME ZONE|DATETIMEOFFSET/.test(native) && !/NTZ$|WITHOUT/.test(native)
        ? "TIMESTAMP WITH TIME ZONE"
        : "TIMESTAMP";
    }
    case "DATETIMEOFFSET":
      return "TIMESTAMP WITH TIME ZONE";
    case "DATETIME2":
      return "TIMESTAMP";
    // Only the portable type TIMESTAMP may contain times of day; TIME of other systems may be a duration.
    case "TIME":
      return "VARCHAR";
    default:
      return nativeType({ type: base, ...(length === undefined ? {} : { length }) }, "other");
  }
}

/** The type for a length such as `12,2`, `10` or `38,0`; text if no decimal has these digits. */
function decimalOf(length: string): ColumnType {
  const [, digits, fraction = "0"] = /^\s*(\d+)\s*(?:,\s*(\d+)\s*)?$/.exec(length) ?? [];
  if (digits === undefined) return "DECIMAL(38,9)";
  const [precision, scale] = [Number(digits), Number(fraction)];
  if (precision < 1 || precision > DECIMAL_DIGITS || scale > precision) return "VARCHAR";
  return scale === 0 && precision <= INT64_DIGITS ? "BIGINT" : `DECIMAL(${precision},${scale})`;
}

/** Returns the column of a type. */
export function columnOfType(type: ColumnType, options: ColumnOptions): Column {
  switch (type) {
    case "VARCHAR":
      return utf8(options);
    case "BIGINT":
      return int64(options);
    case "DOUBLE":
      return float64(options);
    case "BOOLEAN":
      return bool(options);
    case "DATE":
      return date(options);
    case "TIME":
      return arrowColumn(new arrow.TimeMicrosecond(), options);
    case "TIMESTAMP":
      return timestamp(options);
    case "TIMESTAMP WITH TIME ZONE":
      return timestampWithZone(options);
    default: {
      const [precision, scale] = type.slice("DECIMAL(".length, -1).split(",").map(Number);
      return decimal(precision!, scale!, options);
    }
  }
}

/** Returns the type of a column that `columnOfType` made. */
export function typeOfField({ type }: arrow.Field): ColumnType {
  if (arrow.DataType.isInt(type)) return "BIGINT";
  if (arrow.DataType.isFloat(type)) return "DOUBLE";
  if (arrow.DataType.isBool(type)) return "BOOLEAN";
  if (arrow.DataType.isDate(type)) return "DATE";
  if (arrow.DataType.isTime(type)) return "TIME";
  if (arrow.DataType.isDecimal(type)) return `DECIMAL(${type.precision},${type.scale})`;
  if (arrow.DataType.isTimestamp(type))
    return (type as arrow.Timestamp).timezone ? "TIMESTAMP WITH TIME ZONE" : "TIMESTAMP";
  return "VARCHAR";
}
