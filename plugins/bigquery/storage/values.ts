import { arrow } from "agnes/kit";

import { errors } from "../errors.ts";

/** The data of a column of decimals of 128 or 256 bits. */
export type DecimalData = arrow.Data<arrow.Decimal>;

const WORD_BITS = 64n;
const MONTHS = 12;
const SECOND_NANOS = 1_000_000_000n;

/** Returns the unscaled values of decimals, by row. */
function unscaledOf({ type, values }: DecimalData): (row: number) => bigint {
  const words = type.bitWidth / 64;
  const { buffer, byteOffset, byteLength } = values;
  const low = new BigUint64Array(buffer, byteOffset, byteLength / 8);
  const high = new BigInt64Array(buffer, byteOffset, byteLength / 8);
  return (row) => {
    const start = row * words;
    let value = high[start + words - 1]!;
    for (let at = words - 2; at >= 0; at -= 1) value = (value << WORD_BITS) | low[start + at]!;
    return value;
  };
}

/** Returns decimals as text, as the REST API returns them: without zeros at the end of a fraction. */
export function decimalText(data: DecimalData): (row: number) => string {
  const unscaled = unscaledOf(data);
  const { scale } = data.type;
  return (row) => {
    const value = unscaled(row);
    const digits = String(value < 0n ? -value : value).padStart(scale + 1, "0");
    const whole = digits.slice(0, digits.length - scale);
    const fraction = digits.slice(digits.length - scale).replace(/0+$/, "");
    return `${value < 0n ? "-" : ""}${whole}${fraction === "" ? "" : `.${fraction}`}`;
  };
}

/**
 * Converts decimals to another number of digits.
 * @throws `bigquery/value_unreadable` if a value does not fit
 */
export function toDecimal128(data: DecimalData, type: arrow.Decimal, path: string): arrow.Data {
  const unscaled = unscaledOf(data);
  const factor = 10n ** BigInt(Math.abs(type.scale - data.type.scale));
  const isFiner = type.scale >= data.type.scale;
  const limit = 10n ** BigInt(type.precision);
  const words = new BigInt64Array(data.length * 2);
  for (let row = 0; row < data.length; row += 1) {
    if (!data.getValid(row)) continue;
    const before = unscaled(row);
    const value = isFiner ? before * factor : before / factor;
    if ((!isFiner && value * factor !== before) || value >= limit || value <= -limit)
      throw errors.value_unreadable({
        table: "the table",
        column: path,
        value: decimalText(data)(row),
        reason: `it does not fit into DECIMAL(${type.precision},${type.scale})`,
      });
    words[row * 2] = BigInt.asIntN(64, value);
    words[row * 2 + 1] = value >> WORD_BITS;
  }
  return arrow.makeData({
    type,
    length: data.length,
    nullCount: data.nullCount,
    nullBitmap: data.nullBitmap,
    data: new Uint32Array(words.buffer),
  });
}

/** Returns intervals as BigQuery prints them: `1-2 3 4:5:6.789`, each part with its own sign. */
export function intervalText(data: arrow.Data): (row: number) => string {
  const values = data.values as Int32Array;
  const nanosOf = new BigInt64Array(values.buffer, values.byteOffset, values.byteLength / 8);
  return (row) => {
    const [months, days] = [values[row * 4]!, values[row * 4 + 1]!];
    const nanos = nanosOf[row * 2 + 1]!;
    const size = Math.abs(months);
    const date = `${months < 0 ? "-" : ""}${Math.floor(size / MONTHS)}-${size % MONTHS}`;
    return `${date} ${days} ${timeText(nanos)}`;
  };
}

function timeText(nanos: bigint): string {
  const size = nanos < 0n ? -nanos : nanos;
  const seconds = size / SECOND_NANOS;
  const [hours, minutes] = [seconds / 3600n, (seconds / 60n) % 60n];
  return `${nanos < 0n ? "-" : ""}${hours}:${minutes}:${seconds % 60n}${fractionText(size % SECOND_NANOS)}`;
}

/** A fraction of a second in groups of three digits. */
function fractionText(nanos: bigint): string {
  if (nanos === 0n) return "";
  return `.${String(nanos)
    .padStart(9, "0")
    .replace(/(?:000){1,2}$/, "")}`;
}
