import * as arrow from "apache-arrow";

/** One column of a table: an Arrow type, whether it may be null (yes unless said), and what it means. */
export interface Column<T extends arrow.DataType = arrow.DataType> {
  readonly type: T;
  readonly nullable: boolean;
  readonly description?: string;
}

/** Options of every column constructor. */
export interface ColumnOptions {
  /** Whether the column may hold null. Default `true`. */
  readonly nullable?: boolean;
  /** What the column means, one sentence. */
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
/** UTF-8 text; rows may also give a number, a `bigint`, a boolean or a `Date`, which are written out. */
export const utf8 = (options?: ColumnOptions): Column<arrow.Utf8> => column(new arrow.Utf8(), options);
/** 64-bit signed integers; rows may give a `number` that is a safe integer, a `bigint`, or digits. */
export const int64 = (options?: ColumnOptions): Column<arrow.Int64> => column(new arrow.Int64(), options);
/** 32-bit signed integers; rows give what `int64` takes. */
export const int32 = (options?: ColumnOptions): Column<arrow.Int32> => column(new arrow.Int32(), options);
/** 64-bit floating point; rows give a number, a `bigint` or a numeral such as `-1.5e3`. */
export const float64 = (options?: ColumnOptions): Column<arrow.Float64> =>
  column(new arrow.Float64(), options);
/** True or false; rows may also give `1`, `0`, `"true"` or `"false"`. */
export const bool = (options?: ColumnOptions): Column<arrow.Bool> => column(new arrow.Bool(), options);
/** A calendar day; rows give `2026-01-31`, or a moment that is midnight in UTC. */
export const date = (options?: ColumnOptions): Column<arrow.DateDay> => column(new arrow.DateDay(), options);
/** A moment in UTC to the microsecond; rows give a `Date`, ISO 8601 text (UTC unless it says), or milliseconds since 1970. */
export const timestamp = (options?: ColumnOptions): Column<arrow.TimestampMicrosecond> =>
  column(new arrow.TimestampMicrosecond(), options);
/** A moment with time zone, kept in UTC to the microsecond; rows give what `timestamp` takes. */
export const timestampWithZone = (options?: ColumnOptions): Column<arrow.TimestampMicrosecond> =>
  column(new arrow.TimestampMicrosecond("UTC"), options);
/**
 * Exact decimal numbers; `precision` up to 38 digits, `scale` of them after the point.
 *
 * Rows give a numeral, a number or a `bigint`; one that would lose a digit does not fit.
 */
export const decimal = (precision: number, scale: number, options?: ColumnOptions): Column<arrow.Decimal> =>
  column(new arrow.Decimal(scale, precision, 128), options);
/** Bytes; rows give a `Uint8Array` or an `ArrayBuffer`. */
export const binary = (options?: ColumnOptions): Column<arrow.Binary> => column(new arrow.Binary(), options);
/** Any JSON value, kept as its text. Rows may give any value; what is not text is serialised. */
export const json = (options?: ColumnOptions): Column<arrow.Utf8> => column(new JsonText(), options);
/**
 * A list of `item`s; rows give arrays.
 *
 * @example
 * ```ts
 * import { int64, list, struct, table, utf8 } from "agnes/kit";
 * const orders = table("orders", { id: int64(), lines: list(struct({ sku: utf8(), count: int64() })) });
 * ```
 */
export const list = (item: Column, options?: ColumnOptions): Column<arrow.List> =>
  column(new arrow.List(new arrow.Field("item", item.type, item.nullable)), options);
/** A record of named columns; rows give objects. Keys that are no column are left out. */
export const struct = (
  columns: Readonly<Record<string, Column>>,
  options?: ColumnOptions,
): Column<arrow.Struct> => column(new arrow.Struct(toSchema(columns).fields), options);

/**
 * Marks a text column whose row values are serialised as JSON; made by `json()`.
 *
 * @example
 * ```ts
 * import { arrow, createRowBuilder, JsonText } from "agnes/kit";
 * const schema = new arrow.Schema([new arrow.Field("payload", new JsonText())]);
 * createRowBuilder({ name: "events", schema }).append([{ payload: { any: ["value"] } }]);
 * ```
 */
export class JsonText extends arrow.Utf8 {
  readonly isJson = true;
}

/**
 * The Arrow schema of named columns; descriptions go into the fields' metadata under `description`.
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
