import { arrow } from "agnes/kit";

import { decimalText, intervalText, toDecimal128, type DecimalData } from "./values.ts";
import { StorageUnusable } from "./unusable.ts";

/** Converts the values of a column. */
export type Convert = (data: arrow.Data) => arrow.Data;

/**
 * Returns how to convert the values of a column exactly; null if they have the wanted type.
 * @param path the column, for the reason
 * @throws StorageUnusable
 */
export function converterOf(from: arrow.DataType, to: arrow.DataType, path: string): Convert | null {
  const { DataType } = arrow;
  if (DataType.isList(from) && DataType.isList(to)) return listOf(from, to, path);
  if (DataType.isStruct(from) && DataType.isStruct(to)) return structOf(from, to, path);
  if (typeText(from) === typeText(to) && isSameWidth(from, to)) return null;
  if (DataType.isDecimal(from) && DataType.isDecimal(to) && to.bitWidth === 128)
    return (data) => toDecimal128(data as DecimalData, to, path);
  if (DataType.isUtf8(to)) {
    if (DataType.isDecimal(from)) return textOf((data) => decimalText(data as DecimalData));
    const isInterval = DataType.isInterval(from) && from.unit === arrow.IntervalUnit.MONTH_DAY_NANO;
    if (isInterval) return textOf(intervalText);
  }
  throw new StorageUnusable(`column ${path} is ${typeText(from)} in Arrow`);
}

/** The name of a type, such as `Timestamp<MICROSECOND, UTC>`. */
const typeText = (type: arrow.DataType): string => new arrow.Field("", type).toString().slice(2);

function isSameWidth(from: arrow.DataType, to: arrow.DataType): boolean {
  const { DataType } = arrow;
  return !DataType.isDecimal(from) || !DataType.isDecimal(to) || from.bitWidth === to.bitWidth;
}

/** A list, whose item may have another name. */
function listOf(from: arrow.List, to: arrow.List, path: string): Convert {
  const convert = converterOf(from.children[0]!.type, to.children[0]!.type, `${path}[]`);
  return (data) => rebuilt(data, to, [childOf(data, 0, convert)]);
}

function structOf(from: arrow.Struct, to: arrow.Struct, path: string): Convert {
  const children = to.children.map(({ name, type }) => {
    const at = from.children.findIndex((child) => child.name === name);
    if (at < 0) throw new StorageUnusable(`column ${path} has no field ${name} in Arrow`);
    return { at, convert: converterOf(from.children[at]!.type, type, `${path}.${name}`) };
  });
  if (children.length !== from.children.length)
    throw new StorageUnusable(`column ${path} has other fields in Arrow`);
  return (data) =>
    rebuilt(
      data,
      to,
      children.map(({ at, convert }) => childOf(data, at, convert)),
    );
}

function childOf(data: arrow.Data, at: number, convert: Convert | null): arrow.Data {
  const child = data.children[at]!;
  return convert === null ? child : convert(child);
}

/** The data with another type and other children. */
function rebuilt(data: arrow.Data, type: arrow.DataType, children: arrow.Data[]): arrow.Data {
  const { offset, length, nullCount, buffers } = data;
  return new arrow.Data(type, offset, length, nullCount, buffers, children);
}

/** Converts each value into text. */
function textOf(reader: (data: arrow.Data) => (row: number) => string): Convert {
  return (data) => {
    const textAt = reader(data);
    const builder = arrow.makeBuilder({ type: new arrow.Utf8(), nullValues: [null] });
    for (let row = 0; row < data.length; row += 1) builder.append(data.getValid(row) ? textAt(row) : null);
    return builder.finish().flush();
  };
}
