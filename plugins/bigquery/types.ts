import {
  arrow,
  arrowColumn,
  binary,
  bool,
  date,
  decimal,
  float64,
  int64,
  json,
  list,
  struct,
  timestamp,
  timestampWithZone,
  utf8,
  type Column,
  type ColumnOptions,
} from "agnes/kit";

import { errors } from "./errors.ts";
import type { Field } from "./schemas.ts";

const DECIMAL_DIGITS = 38;
/** Digits of a second that a timestamp of DuckDB keeps. */
const SECOND_DIGITS = 6;
/** The key under which a field of a schema has its type in BigQuery. */
export const TYPE_KEY = "bigquery.type";

/** The types by the names of legacy SQL, which schemas of BigQuery have. */
const NAMES: Readonly<Record<string, string>> = {
  INTEGER: "INT64",
  FLOAT: "FLOAT64",
  BOOLEAN: "BOOL",
  RECORD: "STRUCT",
  DECIMAL: "NUMERIC",
  BIGDECIMAL: "BIGNUMERIC",
};

/** The type of a field without parameters, as GoogleSQL names it. */
export function kindOf({ type }: Pick<Field, "type">): string {
  const name = type.toUpperCase();
  return NAMES[name] ?? name;
}

export const isRepeated = ({ mode }: Pick<Field, "mode">): boolean => mode?.toUpperCase() === "REPEATED";

/** Whether a field has more digits of a second than a timestamp of DuckDB. */
export const isPrecise = ({ timestampPrecision }: Field): boolean =>
  (timestampPrecision ?? SECOND_DIGITS) > SECOND_DIGITS;

/** The type of a field in GoogleSQL: `NUMERIC(10,2)`, `ARRAY<STRUCT<a INT64>>`. */
export function typeName(field: Field): string {
  const kind = kindOf(field);
  const item = kind === "STRUCT" ? `STRUCT<${fieldsOf(field)}>` : `${kind}${parametersOf(field, kind)}`;
  return isRepeated(field) ? `ARRAY<${item}>` : item;
}

const fieldsOf = ({ fields = [] }: Field): string =>
  fields.map((one) => `${one.name} ${typeName(one)}`).join(", ");

function parametersOf(field: Field, kind: string): string {
  const { precision, scale, maxLength, timestampPrecision, rangeElementType } = field;
  if (kind === "RANGE" && rangeElementType !== undefined) return `<${kindOf(rangeElementType)}>`;
  if (precision !== undefined) return scale === undefined ? `(${precision})` : `(${precision},${scale})`;
  if (maxLength !== undefined) return `(${maxLength})`;
  return isPrecise(field) ? `(${timestampPrecision})` : "";
}

/**
 * Returns the schema of the columns of a table or result.
 * @param where the table or query, for errors
 * @throws `bigquery/type_unsupported`
 */
export function schemaOf(fields: readonly Field[], where: string): arrow.Schema {
  return new arrow.Schema(
    fields.map((field) => {
      // A row object cannot have it.
      if (field.name === "__proto__")
        throw errors.type_unsupported({ table: where, column: field.name, type: typeName(field) });
      const { type, nullable, description } = columnOf(field, where, field.name);
      const { collation = "" } = field;
      const collated = collation === "" ? "" : ` COLLATE '${collation}'`;
      const metadata = new Map([[TYPE_KEY, `${typeName(field)}${collated}`]]);
      if (description !== undefined) metadata.set("description", description);
      return new arrow.Field(field.name, type, nullable, metadata);
    }),
  );
}

/** The description of a field with its policy tags, which limit who can read it; undefined if it has neither. */
export function descriptionOf({ description = "", policyTags }: Field): string | undefined {
  const tags = policyTags?.names ?? [];
  const note = tags.length === 0 ? "" : `Policy tags: ${tags.join(", ")}`;
  const text = [description, note].filter((part) => part !== "").join("\n");
  return text === "" ? undefined : text;
}

/** Returns the column of a field; `path` locates it in errors. */
function columnOf(field: Field, where: string, path: string): Column {
  const { mode } = field;
  const description = descriptionOf(field);
  const options: ColumnOptions = {
    nullable: mode?.toUpperCase() !== "REQUIRED",
    ...(description === undefined ? {} : { description }),
  };
  if (!isRepeated(field)) return scalarOf(field, where, path, options);
  return list(scalarOf(field, where, path, {}), options);
}

/** Types whose values a column of DuckDB does not keep exactly are text. */
function scalarOf(field: Field, where: string, path: string, options: ColumnOptions): Column {
  switch (kindOf(field)) {
    case "INT64":
      return int64(options);
    case "FLOAT64":
      return float64(options);
    case "BOOL":
      return bool(options);
    case "NUMERIC":
      return decimalOf(field, options) ?? decimal(DECIMAL_DIGITS, 9, options);
    case "BIGNUMERIC":
      return decimalOf(field, options) ?? utf8(options);
    case "STRING":
    case "GEOGRAPHY":
    case "INTERVAL":
    case "RANGE":
      return utf8(options);
    case "JSON":
      return json(options);
    case "BYTES":
      return binary(options);
    case "DATE":
      return date(options);
    case "TIME":
      return arrowColumn(new arrow.TimeMicrosecond(), options);
    case "DATETIME":
      return timestamp(options);
    case "TIMESTAMP":
      return isPrecise(field) ? utf8(options) : timestampWithZone(options);
    case "STRUCT":
      return structOf(field, where, path, options);
    default:
      throw errors.type_unsupported({ table: where, column: path, type: typeName(field) });
  }
}

/** The decimal of a column with its own digits; undefined if it has none or too many. */
function decimalOf({ precision, scale = 0 }: Field, options: ColumnOptions): Column | undefined {
  if (precision === undefined || precision < 1 || precision > DECIMAL_DIGITS) return undefined;
  return scale > precision ? undefined : decimal(precision, scale, options);
}

function structOf(field: Field, where: string, path: string, options: ColumnOptions): Column {
  const { fields = [] } = field;
  const names = new Set(fields.map(({ name }) => name.toLowerCase()));
  // DuckDB has no record without fields, and none whose fields differ only in case.
  if (fields.length === 0 || names.size < fields.length || names.has("") || names.has("__proto__"))
    throw errors.type_unsupported({ table: where, column: path, type: typeName(field) });
  return struct(
    Object.fromEntries(fields.map((one) => [one.name, columnOf(one, where, `${path}.${one.name}`)])),
    options,
  );
}
