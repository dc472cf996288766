import * as arrow from "apache-arrow";

import type { JsonText } from "../columns.ts";
import type { ColumnBuilder } from "./column.ts";
import { decimalBuilder } from "./decimals.ts";
import { fixedListBuilder, listBuilder, mapBuilder, otherBuilder, structBuilder } from "./nested.ts";
import { boolBuilder, floatBuilder, int64Builder, intBuilder } from "./numbers.ts";
import { binaryBuilder, jsonBuilder, textBuilder } from "./text.ts";
import { dateBuilder, timeBuilder, timestampBuilder } from "./times.ts";

/** Returns the builder for a type. */
export function builderOf(type: arrow.DataType): ColumnBuilder {
  if (isJson(type)) return jsonBuilder(type);
  if (arrow.DataType.isUtf8(type) || arrow.DataType.isLargeUtf8(type)) return textBuilder(type);
  if (arrow.DataType.isInt(type)) {
    return type.bitWidth === 64 ? int64Builder(type as arrow.Int64) : intBuilder(type);
  }
  if (arrow.DataType.isFloat(type) && type.precision !== arrow.Precision.HALF) {
    return floatBuilder(type as arrow.Float64);
  }
  if (arrow.DataType.isBool(type)) return boolBuilder(type);
  if (arrow.DataType.isDecimal(type)) return decimalBuilder(type);
  if (arrow.DataType.isTimestamp(type)) return timestampBuilder(type);
  if (arrow.DataType.isDate(type)) return dateBuilder(type);
  if (arrow.DataType.isTime(type)) return timeBuilder(type);
  if (arrow.DataType.isBinary(type) || arrow.DataType.isFixedSizeBinary(type)) return binaryBuilder(type);
  if (arrow.DataType.isList(type)) return listBuilder(type, builderOf);
  if (arrow.DataType.isFixedSizeList(type)) return fixedListBuilder(type, builderOf);
  if (arrow.DataType.isStruct(type)) return structBuilder(type, builderOf);
  if (arrow.DataType.isMap(type)) return mapBuilder(type, builderOf);
  return otherBuilder(type);
}

/** Checks the marker instead of the class, because a plugin package may load its own copy of the kit. */
function isJson(type: arrow.DataType): type is JsonText {
  return (type as Partial<JsonText>).isJson === true;
}
