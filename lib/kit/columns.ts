import * as arrow from "apache-arrow";

/** One column of a table: its Arrow type, whether it is nullable, and its description. */
export interface Column<T extends arrow.DataType = arrow.DataType> {
  readonly type: T;
  readonly nullable: boolean;
  readonly description?: string;
}

/** Options of every column constructor. */
export interface ColumnOptions {
  /** Whether the column may contain null. Default: `true`. */
  readonly nullable?: boolean;
  /** The meaning of the column, in one sentence. */
  readonly description?: string;
}

const column = <T extends arrow.DataType>(type: T, options: ColumnOptions = {}): Column<T> => ({
  type,
  nullable: options.nullable ?? true,
  ...(options.description === undefined ? {} : { description: options.description }),
});

/**
 * A column of any Arrow type.
 *
 * @example
 * ```ts
 * import { arrow, arrowColumn, table } from "agnes/kit";
 * const readings = table("readings", { sensor: arrowColumn(new arrow.Uint16(), { nullable: false }) });
 * ```
 */
export const arrowColumn = column;
/** UTF-8 text; numbers, `bigint`s, booleans and `Date`s are converted to text. */
export const utf8 = (options?: ColumnOptions): Column<arrow.Utf8> => column(new arrow.Utf8(), options);
/** 64-bit signed integers; accepts a `number` that is a safe integer, a `bigint`, or a string of digits. */
export const int64 = (options?: ColumnOptions): Column<arrow.Int64> => column(new arrow.Int64(), options);
/** 32-bit signed integers; accepts the same values as `int64`. */
export const int32 = (options?: ColumnOptions): Column<arrow.Int32> => column(new arrow.Int32(), options);
/** 64-bit floating point; accepts a number, a `bigint` or a numeric string such as `-1.5e3`. */
export const float64 = (options?: ColumnOptions): Column<arrow.Float64> =>
  column(new arrow.Float64(), options);
/** Booleans; also accepts `1`, `0`, `"true"` and `"false"`. */
export const bool = (options?: ColumnOptions): Column<arrow.Bool> => column(new arrow.Bool(), options);
/** A calendar day; accepts `2026-01-31`, or a time that is midnight in UTC. */
export const date = (options?: ColumnOptions): Column<arrow.DateDay> => column(new arrow.DateDay(), options);
/** A UTC timestamp in microseconds; accepts a `Date`, ISO 8601 text (default: UTC), or milliseconds since 1970. */
export const timestamp = (options?: ColumnOptions): Column<arrow.TimestampMicrosecond> =>
  column(new arrow.TimestampMicrosecond(), options);
/** A timestamp with time zone, stored in UTC in microseconds; accepts the same values as `timestamp`. */
export const timestampWithZone = (options?: ColumnOptions): Column<arrow.TimestampMicrosecond> =>
  column(new arrow.TimestampMicrosecond("UTC"), options);
/**
 * Exact decimal numbers; `precision` up to 38 digits, `scale` of them after the point.
 *
 * Accepts a numeric string, a number or a `bigint`; values that would lose a digit are rejected.
 */
export const decimal = (precision: number, scale: number, options?: ColumnOptions): Column<arrow.Decimal> =>
  column(new arrow.Decimal(scale, precision, 128), options);
/** Bytes; accepts a `Uint8Array` or an `ArrayBuffer`. */
export const binary = (options?: ColumnOptions): Column<arrow.Binary> => column(new arrow.Binary(), options);
/** Any JSON value, stored as text. Accepts any value; values that are not strings are serialised. */
export const json = (options?: ColumnOptions): Column<arrow.Utf8> => column(new JsonText(), options);
/**
 * A list of `item`s; accepts arrays.
 *
 * @example
 * ```ts
 * import { int64, list, struct, table, utf8 } from "agnes/kit";
 * const orders = table("orders", { id: int64(), lines: list(struct({ sku: utf8(), count: int64() })) });
 * ```
 */
export const list = (item: Column, options?: ColumnOptions): Column<arrow.List> =>
  column(new arrow.List(new arrow.Field("item", item.type, item.nullable)), options);
/** A record of named columns; accepts objects. Keys that are not columns are ignored. */
export const struct = (
  columns: Readonly<Record<string, Column>>,
  options?: ColumnOptions,
): Column<arrow.Struct> => column(new arrow.Struct(toSchema(columns).fields), options);

/** A text column whose values are serialised as JSON; created by `json()`. */
export class JsonText extends arrow.Utf8 {
  readonly isJson = true;
}

/**
 * Returns the Arrow schema of named columns; descriptions are stored in field metadata under `description`.
 *
 * @example
 * ```ts
 * import { int64, toSchema, utf8 } from "agnes/kit";
 * const schema = toSchema({ id: int64({ nullable: false }), name: utf8({ description: "full name" }) });
 * schema.names; // ["id", "name"]
 * ```
 */
export function toSchema(columns: Readonly<Record<string, Column>>): arrow.Schema {
  return new arrow.Schema(
    Object.entries(columns).map(
      ([name, { type, nullable, description }]) =>
        new arrow.Field(
          name,
          type,
          nullable,
          new Map(description === undefined ? [] : [["description", description]]),
        ),
    ),
  );
}
