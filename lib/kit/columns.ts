import * as arrow from "apache-arrow";

/**
 * One column of a table: its Arrow type, whether it is nullable, and its description.
 *
 * `utf8`, `int64` and the other column functions state the values that rows may have. A row with another value fails the
 * read with `value_invalid`, which names table, row, column and value; a table with quarantine rejects the row instead.
 */
export interface Column<T extends arrow.DataType = arrow.DataType> {
  readonly type: T;
  /** Whether the column may contain null. */
  readonly nullable: boolean;
  /** The meaning of the column, in one sentence. */
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
 * A column of any Arrow type, for types without a function of their own.
 *
 * @example
 * ```ts
 * import { arrow, arrowColumn, table } from "agnes/kit";
 * const readings = table("readings", { sensor: arrowColumn(new arrow.Uint16(), { nullable: false }) });
 * ```
 */
export const arrowColumn = column;

/**
 * A column of UTF-8 text. Accepts strings; numbers, `bigint`s, booleans and `Date`s are converted to text.
 *
 * @example
 * ```ts
 * import { table, utf8 } from "agnes/kit";
 * const people = table("people", { name: utf8({ description: "full name" }) });
 * ```
 */
export const utf8 = (options?: ColumnOptions): Column<arrow.Utf8> => column(new arrow.Utf8(), options);

/**
 * A column of 64-bit signed integers. Accepts a `number` that is a safe integer, a `bigint`, or a string of digits.
 *
 * @example
 * ```ts
 * import { int64, table } from "agnes/kit";
 * const orders = table("orders", { id: int64({ nullable: false }) }, { primaryKey: ["id"] });
 * ```
 */
export const int64 = (options?: ColumnOptions): Column<arrow.Int64> => column(new arrow.Int64(), options);

/**
 * A column of 32-bit signed integers. Accepts the same values as `int64`.
 *
 * @example
 * ```ts
 * import { int32, table } from "agnes/kit";
 * const orders = table("orders", { quantity: int32() });
 * ```
 */
export const int32 = (options?: ColumnOptions): Column<arrow.Int32> => column(new arrow.Int32(), options);

/**
 * A column of 64-bit floating point numbers. Accepts a number, a `bigint` or a numeric string such as `-1.5e3`.
 *
 * @example
 * ```ts
 * import { float64, table } from "agnes/kit";
 * const readings = table("readings", { temperature: float64({ description: "in °C" }) });
 * ```
 */
export const float64 = (options?: ColumnOptions): Column<arrow.Float64> =>
  column(new arrow.Float64(), options);

/**
 * A column of booleans. Accepts `true`, `false`, `1`, `0`, `"true"` and `"false"`.
 *
 * @example
 * ```ts
 * import { bool, table } from "agnes/kit";
 * const people = table("people", { active: bool() });
 * ```
 */
export const bool = (options?: ColumnOptions): Column<arrow.Bool> => column(new arrow.Bool(), options);

/**
 * A column of calendar days. Accepts `2026-01-31`, or a time that is midnight in UTC.
 *
 * @example
 * ```ts
 * import { date, table } from "agnes/kit";
 * const orders = table("orders", { ordered_on: date() });
 * ```
 */
export const date = (options?: ColumnOptions): Column<arrow.DateDay> => column(new arrow.DateDay(), options);

/**
 * A column of UTC timestamps in microseconds. Accepts a `Date`, ISO 8601 text (default: UTC), or milliseconds since 1970.
 *
 * @example
 * ```ts
 * import { table, timestamp } from "agnes/kit";
 * const orders = table("orders", { updated_at: timestamp() }, { cursor: "updated_at" });
 * ```
 */
export const timestamp = (options?: ColumnOptions): Column<arrow.TimestampMicrosecond> =>
  column(new arrow.TimestampMicrosecond(), options);

/**
 * A column of timestamps with time zone, stored in UTC in microseconds. Accepts the same values as `timestamp`.
 *
 * @example
 * ```ts
 * import { table, timestampWithZone } from "agnes/kit";
 * const calls = table("calls", { started_at: timestampWithZone() });
 * ```
 */
export const timestampWithZone = (options?: ColumnOptions): Column<arrow.TimestampMicrosecond> =>
  column(new arrow.TimestampMicrosecond("UTC"), options);

/**
 * A column of exact decimal numbers of `precision` digits (1 to 38), `scale` of them after the point.
 *
 * Accepts a numeric string, a number or a `bigint`; values that would lose a digit are rejected.
 *
 * @example
 * ```ts
 * import { decimal, table } from "agnes/kit";
 * const orders = table("orders", { amount: decimal(18, 2) }); // up to 9999999999999999.99
 * ```
 */
export const decimal = (precision: number, scale: number, options?: ColumnOptions): Column<arrow.Decimal> =>
  column(new arrow.Decimal(scale, precision, 128), options);

/**
 * A column of bytes. Accepts a `Uint8Array` or an `ArrayBuffer`.
 *
 * @example
 * ```ts
 * import { binary, table } from "agnes/kit";
 * const files = table("files", { content: binary() });
 * ```
 */
export const binary = (options?: ColumnOptions): Column<arrow.Binary> => column(new arrow.Binary(), options);

/**
 * A column of JSON values, stored as text. Accepts any value: strings are stored as they are, other values are serialised.
 *
 * @example
 * ```ts
 * import { json, table } from "agnes/kit";
 * const events = table("events", { payload: json() });
 * ```
 */
export const json = (options?: ColumnOptions): Column<arrow.Utf8> => column(new JsonText(), options);

/**
 * A column of lists of `item`s. Accepts arrays.
 *
 * @example
 * ```ts
 * import { int64, list, struct, table, utf8 } from "agnes/kit";
 * const orders = table("orders", { id: int64(), lines: list(struct({ sku: utf8(), count: int64() })) });
 * ```
 */
export const list = (item: Column, options?: ColumnOptions): Column<arrow.List> =>
  column(new arrow.List(new arrow.Field("item", item.type, item.nullable)), options);

/**
 * A column of records of named columns. Accepts objects; keys that are not columns are ignored.
 *
 * @example
 * ```ts
 * import { float64, struct, table } from "agnes/kit";
 * const places = table("places", { position: struct({ latitude: float64(), longitude: float64() }) });
 * ```
 */
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
