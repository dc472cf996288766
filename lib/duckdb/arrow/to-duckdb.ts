import type * as duckdb from "@duckdb/node-api";
import type native from "@duckdb/node-bindings";
import * as arrow from "apache-arrow";

import { AgnesError } from "../../base/mod.ts";
import { Malformed, writeAllNull } from "./scratch.ts";
import { writeFixedBinary, writeStrings } from "./strings.ts";
import { toDuckdbType, typeText } from "./types.ts";
import {
  writeFixedList,
  writeList,
  writeRebuilt,
  writeStringDictionary,
  writeStruct,
} from "./write-nested.ts";
import {
  divideExactly,
  writeBool,
  writeDateMillisecond,
  writeDecimal,
  writeHalfFloat,
  writeInterval,
  writeMapped64,
  writeSame,
  type Write,
} from "./write-values.ts";

/** Copies Arrow columns of one schema into DuckDB vectors. */
export interface BatchWriter {
  readonly types: readonly duckdb.DuckDBType[];
  /**
   * Writes rows of a column to a vector.
   * @throws `batch_malformed` if the data does not match its type; never reads outside the data
   */
  write(vector: native.Vector, column: number, data: arrow.Data, from: number, count: number): void;
}

/**
 * Creates a writer for a schema.
 * @throws `type_unsupported`
 */
export function createBatchWriter(schema: arrow.Schema): BatchWriter {
  const types = schema.fields.map((field) => toDuckdbType(field.name, field.type as arrow.DataType));
  const writes = schema.fields.map((field) => writeOf(field.type as arrow.DataType));
  return {
    types,
    write(vector, column, data, from, count) {
      try {
        writes[column]!(vector, data, from, count);
      } catch (error) {
        if (!(error instanceof Malformed)) throw error;
        throw new AgnesError("batch_malformed", {
          column: schema.fields[column]!.name,
          reason: error.message,
          ...(error.advice === undefined ? {} : { advice: error.advice }),
        });
      }
    },
  };
}

function writeOf(type: arrow.DataType): Write {
  const { DataType } = arrow;
  if (DataType.isNull(type)) return (vector, _data, _from, count) => writeAllNull(vector, count);
  if (DataType.isBool(type)) return writeBool;
  if (DataType.isInt(type)) return writeSame(type.bitWidth / 8);
  if (DataType.isFloat(type)) {
    if (type.precision === arrow.Precision.HALF) return writeHalfFloat;
    return writeSame(type.precision === arrow.Precision.DOUBLE ? 8 : 4);
  }
  if (DataType.isDecimal(type)) return writeDecimal(type.precision, type.bitWidth);
  if (DataType.isDictionary(type)) return writeDictionary(type.dictionary as arrow.DataType);
  return writeOfBytes(type) ?? writeOfTime(type) ?? writeOfNested(type);
}

function writeOfBytes(type: arrow.DataType): Write | null {
  const { DataType } = arrow;
  if (DataType.isUtf8(type) || DataType.isLargeUtf8(type)) return writeText;
  if (DataType.isBinary(type) || DataType.isLargeBinary(type)) return writeBytes;
  if (DataType.isUtf8View(type)) return writeRebuilt(new arrow.Utf8(), writeText);
  if (DataType.isBinaryView(type)) return writeRebuilt(new arrow.Binary(), writeBytes);
  if (DataType.isFixedSizeBinary(type)) {
    const { byteWidth } = type;
    return (vector, data, from, count) => writeFixedBinary(vector, data, from, count, byteWidth);
  }
  return null;
}

const writeText: Write = (vector, data, from, count) => writeStrings(vector, data, from, count, true);
const writeBytes: Write = (vector, data, from, count) => writeStrings(vector, data, from, count, false);

function writeDictionary(type: arrow.DataType): Write {
  const otherwise = writeRebuilt(type, writeOf(type));
  if (arrow.DataType.isUtf8(type)) return writeStringDictionary(true, otherwise);
  if (arrow.DataType.isBinary(type)) return writeStringDictionary(false, otherwise);
  return otherwise;
}

const MICROS_PER: readonly bigint[] = [1_000_000n, 1_000n, 1n];

function writeOfTime(type: arrow.DataType): Write | null {
  const { DataType, TimeUnit } = arrow;
  if (DataType.isDate(type)) return type.unit === arrow.DateUnit.DAY ? writeSame(4) : writeDateMillisecond;
  if (DataType.isTime(type)) {
    if (type.unit === TimeUnit.MICROSECOND || type.unit === TimeUnit.NANOSECOND) return writeSame(8);
    const factor = MICROS_PER[type.unit]!;
    return writeMapped64<number>((value) => BigInt(value) * factor);
  }
  if (DataType.isTimestamp(type)) {
    const zoned = type.timezone != null && type.timezone !== "";
    if (!zoned || type.unit === TimeUnit.MICROSECOND) return writeSame(8);
    const factor = MICROS_PER[type.unit];
    return writeMapped64<bigint>((value) =>
      factor === undefined ? divideExactly(value, 1_000n) : value * factor,
    );
  }
  if (DataType.isDuration(type)) {
    const factor = MICROS_PER[type.unit];
    return writeInterval<BigInt64Array>((values, row) => [
      0,
      0,
      factor === undefined ? divideExactly(values[row]!, 1_000n) : values[row]! * factor,
    ]);
  }
  return DataType.isInterval(type) ? writeIntervalOf(type.unit) : null;
}

function writeIntervalOf(unit: arrow.IntervalUnit): Write {
  switch (unit) {
    case arrow.IntervalUnit.YEAR_MONTH:
      return writeInterval<Int32Array>((values, row) => [values[row]!, 0, 0n]);
    case arrow.IntervalUnit.DAY_TIME:
      return writeInterval<Int32Array>((values, row) => [
        0,
        values[row * 2]!,
        BigInt(values[row * 2 + 1]!) * 1_000n,
      ]);
    case arrow.IntervalUnit.MONTH_DAY_NANO:
      return writeInterval<Int32Array>((values, row) => [
        values[row * 4]!,
        values[row * 4 + 1]!,
        divideExactly((BigInt(values[row * 4 + 3]!) << 32n) | BigInt(values[row * 4 + 2]! >>> 0), 1_000n),
      ]);
  }
}

function writeOfNested(type: arrow.DataType): Write {
  const { DataType } = arrow;
  const child = (index: number) => writeOf(type.children![index]!.type as arrow.DataType);
  if (DataType.isList(type) || DataType.isMap(type)) return writeList(child(0));
  if (DataType.isFixedSizeList(type)) return writeFixedList(child(0), type.listSize);
  if (DataType.isStruct(type)) return writeStruct(type.children.map((_field, index) => child(index)));
  throw new AgnesError("type_unsupported", { column: "", type: typeText(type) });
}
