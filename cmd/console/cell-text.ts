import * as duckdb from "@duckdb/node-api";
import { DataType, TimeUnit, type Field, type RecordBatch, type Timestamp, type Vector } from "apache-arrow";

import type { Cell } from "./print-table.ts";

/** The rows of a batch, their values as DuckDB writes them. */
export function cellTexts(batch: RecordBatch): readonly (readonly Cell[])[] {
  const columns = batch.schema.fields.map((_, index) => batch.getChildAt(index)!);
  return Array.from({ length: batch.numRows }, (_, row) => columns.map((column) => textAt(column, row)));
}

/** Whether a column is read from the right. */
export function isNumeric({ type }: Field): boolean {
  return DataType.isInt(type) || DataType.isFloat(type) || DataType.isDecimal(type);
}

function textAt(vector: Vector, row: number): Cell {
  const value: unknown = vector.get(row);
  if (value === null) return null;
  const { type } = vector;
  // What Arrow makes of days and times are numbers and dates that have lost their last digits.
  if (DataType.isDate(type)) return String(new duckdb.DuckDBDateValue(rawNumber(vector, row)));
  if (DataType.isTime(type)) return timeText(type.unit, rawInteger(vector, row));
  if (DataType.isTimestamp(type)) return timestampText(type, rawInteger(vector, row));
  if (DataType.isDecimal(type)) return decimalText(value as Uint32Array, type.scale);
  if (DataType.isBinary(type)) return String(new duckdb.DuckDBBlobValue(value as Uint8Array));
  if (DataType.isList(type) || DataType.isFixedSizeList(type)) {
    const items = value as Vector;
    return `[${Array.from({ length: items.length }, (_, index) => nestedText(items, index)).join(", ")}]`;
  }
  if (DataType.isStruct(type)) {
    const entries = type.children.map(
      ({ name }, index) => `${name}: ${nestedText(vector.getChildAt(index)!, row)}`,
    );
    return `{${entries.join(", ")}}`;
  }
  return DataType.isMap(type) ? mapText(vector, row) : String(value as string | number | bigint | boolean);
}

function nestedText(vector: Vector, row: number): string {
  return textAt(vector, row) ?? "NULL";
}

function mapText(vector: Vector, row: number): string {
  const [from, to] = vector.data[0]!.valueOffsets.subarray(row, row + 2) as Int32Array;
  const [keys, values] = [0, 1].map((child) => vector.getChildAt(0)!.getChildAt(child)!);
  const entries: string[] = [];
  for (let at = from!; at < to!; at++) entries.push(`${nestedText(keys!, at)}: ${nestedText(values!, at)}`);
  return `{${entries.join(", ")}}`;
}

function rawInteger(vector: Vector, row: number): bigint {
  return (vector.data[0]!.values as BigInt64Array)[row]!;
}

function rawNumber(vector: Vector, row: number): number {
  return (vector.data[0]!.values as Int32Array)[row]!;
}

function timeText(unit: TimeUnit, value: bigint): string {
  return String(
    unit === TimeUnit.NANOSECOND ? new duckdb.DuckDBTimeNSValue(value) : new duckdb.DuckDBTimeValue(value),
  );
}

function timestampText({ unit, timezone }: Timestamp, value: bigint): string {
  const text = String(
    unit === TimeUnit.SECOND
      ? new duckdb.DuckDBTimestampSecondsValue(value)
      : unit === TimeUnit.MILLISECOND
        ? new duckdb.DuckDBTimestampMillisecondsValue(value)
        : unit === TimeUnit.NANOSECOND
          ? new duckdb.DuckDBTimestampNanosecondsValue(value)
          : new duckdb.DuckDBTimestampValue(value),
  );
  return timezone == null || text.endsWith("infinity") ? text : `${text}+00`;
}

function decimalText(words: Uint32Array, scale: number): string {
  const unsigned = words.reduceRight((sum, word) => (sum << 32n) | BigInt(word), 0n);
  const value = BigInt.asIntN(words.length * 32, unsigned);
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, "0");
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return value < 0n ? `-${text}` : text;
}
