import * as duckdb from "@duckdb/node-api";
import native from "@duckdb/node-bindings";
import * as arrow from "apache-arrow";

import { AgnesError, formatValue } from "../base/mod.ts";
import { typeText } from "./arrow/types.ts";
import { parseInstant, type QueryArray } from "../kit/mod.ts";

type ItemValue = (item: QueryArray["values"][number]) => native.Value | null;

/**
 * Returns a list for a parameter.
 * @param name the name of the parameter in errors
 * @throws `invalid_input` for a type that is no simple one, or a value that is not of the type
 */
export function listValue({ type, values }: QueryArray, name: string): native.Value {
  const invalid = (reason: string) =>
    new AgnesError("invalid_input", { what: `the parameter ${name}`, reason });
  const item = itemOf(type);
  if (item === null) throw invalid(`an array cannot have items of the type ${typeText(type)}`);
  const items = values.map((value) => {
    const found = item.valueOf(value);
    if (found === null) throw invalid(`${formatValue(value)} is not a ${String(item.type)}`);
    return found;
  });
  return native.create_list_value(item.type.toLogicalType().logical_type, items);
}

/** The type of DuckDB for the items of a list, and their values; null for a value of another type. */
function itemOf(
  type: arrow.DataType,
): { readonly type: duckdb.DuckDBType; readonly valueOf: ItemValue } | null {
  const { DataType } = arrow;
  if (DataType.isBool(type))
    return {
      type: duckdb.BOOLEAN,
      valueOf: (item) => (typeof item === "boolean" ? native.create_bool(item) : null),
    };
  if (DataType.isInt(type)) return integerItem(type);
  if (DataType.isFloat(type))
    return {
      type: duckdb.DOUBLE,
      valueOf: (item) => (typeof item === "number" ? native.create_double(item) : null),
    };
  if (DataType.isUtf8(type))
    return {
      type: duckdb.VARCHAR,
      valueOf: (item) =>
        typeof item === "string" && !/\p{Surrogate}/u.test(item) ? native.create_varchar(item) : null,
    };
  if (DataType.isDecimal(type) && type.precision <= 38) return decimalItem(type);
  if (DataType.isDate(type)) return { type: duckdb.DATE, valueOf: dateValue };
  if (!DataType.isTimestamp(type)) return null;
  const { timezone } = type as arrow.Timestamp;
  return timezone == null || timezone === ""
    ? { type: duckdb.TIMESTAMP, valueOf: (item) => momentValue(item, native.create_timestamp) }
    : { type: duckdb.TIMESTAMPTZ, valueOf: (item) => momentValue(item, native.create_timestamp_tz) };
}

function integerItem({ isSigned }: arrow.Int) {
  const [minimum, maximum] = isSigned ? [-(2n ** 63n), 2n ** 63n - 1n] : [0n, 2n ** 64n - 1n];
  const create = isSigned ? native.create_int64 : native.create_uint64;
  const valueOf: ItemValue = (item) => {
    const whole = typeof item === "number" && Number.isSafeInteger(item) ? BigInt(item) : item;
    return typeof whole === "bigint" && whole >= minimum && whole <= maximum ? create(whole) : null;
  };
  return { type: isSigned ? duckdb.BIGINT : duckdb.UBIGINT, valueOf };
}

function decimalItem({ precision, scale }: arrow.Decimal) {
  const valueOf: ItemValue = (item) => {
    const [, sign, whole, fraction = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(String(item)) ?? [];
    if (whole === undefined || /[^0]/.test(fraction.slice(scale))) return null;
    const value = BigInt(whole + fraction.slice(0, scale).padEnd(scale, "0"));
    if (value >= 10n ** BigInt(precision)) return null;
    return native.create_decimal({ width: precision, scale, value: sign === "-" ? -value : value });
  };
  return { type: duckdb.DECIMAL(precision, scale), valueOf };
}

const DAY_MS = 86_400_000;

const dateValue: ItemValue = (item) => {
  const instant = { ms: 0, nanos: 0 };
  if (typeof item !== "string" || !/^\d{4}-\d\d-\d\d$/.test(item) || !parseInstant(item, instant))
    return null;
  return native.create_date({ days: instant.ms / DAY_MS });
};

function momentValue(
  item: QueryArray["values"][number],
  create: (timestamp: native.Timestamp) => native.Value,
): native.Value | null {
  const instant = { ms: 0, nanos: 0 };
  const text = item instanceof Date && !Number.isNaN(item.getTime()) ? item.toISOString() : item;
  if (typeof text !== "string" || !parseInstant(text, instant) || instant.nanos % 1000 !== 0) return null;
  return create({ micros: BigInt(instant.ms) * 1000n + BigInt(instant.nanos / 1000) });
}
