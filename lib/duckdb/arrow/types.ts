import * as duckdb from "@duckdb/node-api";
import * as arrow from "apache-arrow";

import { AgnesError } from "../../base/mod.ts";

const INTEGERS: Readonly<Record<number, readonly [duckdb.DuckDBType, duckdb.DuckDBType]>> = {
  8: [duckdb.TINYINT, duckdb.UTINYINT],
  16: [duckdb.SMALLINT, duckdb.USMALLINT],
  32: [duckdb.INTEGER, duckdb.UINTEGER],
  64: [duckdb.BIGINT, duckdb.UBIGINT],
};

/**
 * Returns the DuckDB type for all values of an Arrow type.
 *
 * The type of dictionaries is that of their values; of half floats, `FLOAT`; of the null type, `INTEGER`.
 * @throws `type_unsupported` for unions, run-end encoding and decimals of more than 38 digits
 */
export function toDuckdbType(column: string, type: arrow.DataType): duckdb.DuckDBType {
  const { DataType } = arrow;
  if (DataType.isNull(type)) return duckdb.INTEGER;
  if (DataType.isBool(type)) return duckdb.BOOLEAN;
  if (DataType.isInt(type)) return INTEGERS[type.bitWidth]![type.isSigned ? 0 : 1];
  if (DataType.isFloat(type)) return type.precision === arrow.Precision.DOUBLE ? duckdb.DOUBLE : duckdb.FLOAT;
  if (DataType.isUtf8(type) || DataType.isLargeUtf8(type) || DataType.isUtf8View(type)) return duckdb.VARCHAR;
  if (DataType.isBinary(type) || DataType.isLargeBinary(type) || DataType.isBinaryView(type)) {
    return duckdb.BLOB;
  }
  if (DataType.isFixedSizeBinary(type)) return duckdb.BLOB;
  if (DataType.isDecimal(type) && type.precision <= 38) return duckdb.DECIMAL(type.precision, type.scale);
  if (DataType.isDate(type)) return duckdb.DATE;
  if (DataType.isTime(type)) {
    return type.unit === arrow.TimeUnit.NANOSECOND ? duckdb.TIME_NS : duckdb.TIME;
  }
  if (DataType.isTimestamp(type)) return timestampType(type);
  if (DataType.isDuration(type) || DataType.isInterval(type)) return duckdb.INTERVAL;
  if (DataType.isDictionary(type)) return toDuckdbType(column, type.dictionary as arrow.DataType);
  return nestedType(column, type);
}

function timestampType(type: arrow.Timestamp): duckdb.DuckDBType {
  if (type.timezone != null && type.timezone !== "") return duckdb.TIMESTAMPTZ;
  switch (type.unit) {
    case arrow.TimeUnit.SECOND:
      return duckdb.TIMESTAMP_S;
    case arrow.TimeUnit.MILLISECOND:
      return duckdb.TIMESTAMP_MS;
    case arrow.TimeUnit.MICROSECOND:
      return duckdb.TIMESTAMP;
    case arrow.TimeUnit.NANOSECOND:
      return duckdb.TIMESTAMP_NS;
  }
}

function nestedType(column: string, type: arrow.DataType): duckdb.DuckDBType {
  const { DataType } = arrow;
  const child = (field: arrow.Field) => toDuckdbType(column, field.type as arrow.DataType);
  if (DataType.isList(type) || DataType.isFixedSizeList(type)) return duckdb.LIST(child(type.children[0]!));
  if (DataType.isStruct(type) && type.children.length > 0) {
    return new duckdb.DuckDBStructType(
      type.children.map((field) => field.name),
      type.children.map(child),
    );
  }
  if (DataType.isMap(type)) {
    const [key, value] = (type.children[0]!.type as arrow.Struct).children;
    return duckdb.MAP(child(key!), child(value!));
  }
  throw new AgnesError("type_unsupported", { column, type: typeText(type) });
}

/** The metadata key of a field for the DuckDB type of its values, if they are converted to text or bytes. */
export const SOURCE_TYPE = "duckdb.type";

/** Types whose stored text or bytes sort differently from the values. */
const OTHER_ORDER =
  /^(UHUGEINT|BIGNUM|BIT|ENUM|INTERVAL|TIME_TZ|TIME WITH TIME ZONE|UNION|VARIANT|GEOMETRY|STRUCT|MAP)\b|\]$/;

/** Returns the type of a field whose stored values sort differently, so that it cannot be a cursor; otherwise null. */
export function typeOfOtherOrder(field: arrow.Field): string | null {
  const type = resultTypeOf(field);
  return OTHER_ORDER.test(type) ? type : null;
}

/** Returns the DuckDB type of a result column, even if its values are converted to text or bytes. */
export function resultTypeOf(field: arrow.Field): string {
  const type = field.metadata.get(SOURCE_TYPE);
  if (type === undefined) return duckdbTypeOf(field);
  return type === "TIME_TZ" ? "TIME WITH TIME ZONE" : type;
}

/** Returns the DuckDB type of an Arrow field as SQL text, such as `DECIMAL(18,2)`; see `toDuckdbType`. */
export function duckdbTypeOf(field: arrow.Field): string {
  return toDuckdbType(field.name, field.type as arrow.DataType).toString();
}

/** Returns a readable name of an Arrow type, such as `Decimal[18e+2]`. */
export function typeText(type: arrow.DataType): string {
  return new arrow.Field("", type).toString().slice(2);
}

/** Returns the Arrow type of a result column of a DuckDB type. See `describeQuery` for queries. */
export function toArrowType(type: duckdb.DuckDBType): arrow.DataType {
  const simple = SIMPLE[type.typeId];
  if (simple !== undefined) return simple();
  if (type instanceof duckdb.DuckDBDecimalType) return new arrow.Decimal(type.scale, type.width, 128);
  if (type instanceof duckdb.DuckDBListType) {
    return new arrow.List(new arrow.Field("item", toArrowType(type.valueType), true));
  }
  if (type instanceof duckdb.DuckDBArrayType) {
    return new arrow.FixedSizeList(type.length, new arrow.Field("item", toArrowType(type.valueType), true));
  }
  if (type instanceof duckdb.DuckDBStructType && type.entryCount > 0) {
    return new arrow.Struct(
      type.entryNames.map((name, index) => new arrow.Field(name, toArrowType(type.entryTypes[index]!), true)),
    );
  }
  if (type instanceof duckdb.DuckDBMapType) {
    const entries = new arrow.Struct<{ key: arrow.DataType; value: arrow.DataType }>([
      new arrow.Field("key", toArrowType(type.keyType), false),
      new arrow.Field("value", toArrowType(type.valueType), true),
    ]);
    return new arrow.Map_(new arrow.Field("entries", entries, false));
  }
  // Enums, UUIDs, intervals, bits, times with zone and others are text, which is exact and portable. Unions and variants
  // are JSON text.
  return new arrow.Utf8();
}

const { DuckDBTypeId } = duckdb;
const SIMPLE: { readonly [id: number]: () => arrow.DataType } = {
  [DuckDBTypeId.BOOLEAN]: () => new arrow.Bool(),
  [DuckDBTypeId.TINYINT]: () => new arrow.Int8(),
  [DuckDBTypeId.SMALLINT]: () => new arrow.Int16(),
  [DuckDBTypeId.INTEGER]: () => new arrow.Int32(),
  [DuckDBTypeId.BIGINT]: () => new arrow.Int64(),
  [DuckDBTypeId.UTINYINT]: () => new arrow.Uint8(),
  [DuckDBTypeId.USMALLINT]: () => new arrow.Uint16(),
  [DuckDBTypeId.UINTEGER]: () => new arrow.Uint32(),
  [DuckDBTypeId.UBIGINT]: () => new arrow.Uint64(),
  [DuckDBTypeId.HUGEINT]: () => new arrow.Decimal(0, 38, 128),
  [DuckDBTypeId.FLOAT]: () => new arrow.Float32(),
  [DuckDBTypeId.DOUBLE]: () => new arrow.Float64(),
  [DuckDBTypeId.VARCHAR]: () => new arrow.Utf8(),
  [DuckDBTypeId.BLOB]: () => new arrow.Binary(),
  // DuckDB stores geometries as well-known binary.
  [DuckDBTypeId.GEOMETRY]: () => new arrow.Binary(),
  [DuckDBTypeId.DATE]: () => new arrow.DateDay(),
  [DuckDBTypeId.TIME]: () => new arrow.TimeMicrosecond(),
  [DuckDBTypeId.TIME_NS]: () => new arrow.TimeNanosecond(),
  [DuckDBTypeId.TIMESTAMP]: () => new arrow.TimestampMicrosecond(),
  [DuckDBTypeId.TIMESTAMP_S]: () => new arrow.TimestampSecond(),
  [DuckDBTypeId.TIMESTAMP_MS]: () => new arrow.TimestampMillisecond(),
  [DuckDBTypeId.TIMESTAMP_NS]: () => new arrow.TimestampNanosecond(),
  [DuckDBTypeId.TIMESTAMP_TZ]: () => new arrow.TimestampMicrosecond("UTC"),
};

/** Whether the number of a DuckDB type determines its Arrow type: it has no parameters such as digits or members. */
export function isSimpleType(typeId: number): boolean {
  return SIMPLE[typeId] !== undefined;
}
