import { counted } from "../../base/mod.ts";
import * as arrow from "apache-arrow";

import { isNot, Validity, type ColumnBuilder, type Reject } from "./column.ts";

/** Returns the builder of a type; a parameter, because nested types contain any other type. */
export type BuilderOf = (type: arrow.DataType) => ColumnBuilder;

/** Lists, from arrays. */
export function listBuilder(type: arrow.List, builderOf: BuilderOf): ColumnBuilder {
  const [field] = type.children;
  const buildItems = fieldBuilder(field!, builderOf);
  return (values, length, reject) => {
    const offsets = new Int32Array(length + 1);
    const validity = new Validity(length);
    const items: unknown[] = [];
    for (let i = 0; i < length; i += 1) {
      const value = values[i];
      if (Array.isArray(value)) for (const item of value as readonly unknown[]) items.push(item);
      else {
        if (value != null) reject(i, value, isNot("a list", value));
        validity.setNull(i);
      }
      offsets[i + 1] = items.length;
    }
    const child = buildItems(items, items.length, (index, value, reason, path = "") => {
      const row = rowOf(offsets, index);
      reject(row, value, reason, `[${index - offsets[row]!}]${path}`);
    });
    return arrow.makeData({ type, ...validity.parts(), valueOffsets: offsets, child } as never);
  };
}

/** Lists of one length, from arrays. */
export function fixedListBuilder(type: arrow.FixedSizeList, builderOf: BuilderOf): ColumnBuilder {
  const { listSize, children } = type;
  const buildItems = fieldBuilder(children[0]!, builderOf);
  return (values, length, reject) => {
    const validity = new Validity(length);
    const items = Array.from({ length: length * listSize }, (): unknown => null);
    const parents = Array.from(items);
    for (let i = 0; i < length; i += 1) {
      const value = values[i];
      if (Array.isArray(value) && value.length === listSize) {
        for (let item = 0; item < listSize; item += 1) {
          items[i * listSize + item] = value[item];
          parents[i * listSize + item] = value;
        }
      } else {
        if (value != null)
          reject(
            i,
            value,
            Array.isArray(value) ? `it does not have ${counted(listSize, "item")}` : isNot("a list", value),
          );
        validity.setNull(i);
      }
    }
    const child = buildItems(
      items,
      items.length,
      (index, value, reason, path = "") =>
        reject(Math.floor(index / listSize), value, reason, `[${index % listSize}]${path}`),
      parents,
    );
    return arrow.makeData({ type, ...validity.parts(), child } as never);
  };
}

/** Records, from objects. Keys that are not fields are ignored. */
export function structBuilder(type: arrow.Struct, builderOf: BuilderOf): ColumnBuilder {
  const fields = type.children.map((field) => ({ field, build: fieldBuilder(field, builderOf) }));
  return (values, length, reject) => {
    const validity = new Validity(length);
    const records: (Readonly<Record<string, unknown>> | null)[] = [];
    for (let i = 0; i < length; i += 1) {
      const value = values[i];
      const fits = typeof value === "object" && value !== null && !Array.isArray(value);
      records.push(fits ? (value as Record<string, unknown>) : null);
      if (fits) continue;
      if (value != null) reject(i, value, isNot("a record", value));
      validity.setNull(i);
    }
    const children = fields.map(({ field, build }) =>
      build(
        records.map((record) => record?.[field.name]),
        length,
        (index, value, reason, path = "") => reject(index, value, reason, `.${field.name}${path}`),
        records,
      ),
    );
    return arrow.makeData({ type, ...validity.parts(), children } as never);
  };
}

/** Maps, from `Map`s and objects. */
export function mapBuilder(type: arrow.Map_, builderOf: BuilderOf): ColumnBuilder {
  const entryType = type.children[0]!.type as arrow.Struct;
  const [key, value] = entryType.children.map((field) => fieldBuilder(field, builderOf));
  return (values, length, reject) => {
    const offsets = new Int32Array(length + 1);
    const validity = new Validity(length);
    const entries: (readonly [unknown, unknown])[] = [];
    for (let i = 0; i < length; i += 1) {
      const map = values[i];
      if (map instanceof Map) entries.push(...(map as Map<unknown, unknown>));
      else if (typeof map === "object" && map !== null && !Array.isArray(map)) {
        entries.push(...Object.entries(map));
      } else {
        if (map != null) reject(i, map, isNot("a map", map));
        validity.setNull(i);
      }
      offsets[i + 1] = entries.length;
    }
    const rejectEntry: Reject = (index, seen, reason, path = "") => {
      const row = rowOf(offsets, index);
      reject(row, seen, reason, `[${String(entries[index]![0])}]${path}`);
    };
    const columns = [
      key!(
        entries.map((entry) => entry[0]),
        entries.length,
        rejectEntry,
      ),
      value!(
        entries.map((entry) => entry[1]),
        entries.length,
        rejectEntry,
      ),
    ];
    const child = arrow.makeData({
      type: entryType,
      length: entries.length,
      nullCount: 0,
      children: columns,
    } as never);
    return arrow.makeData({ type, ...validity.parts(), valueOffsets: offsets, child } as never);
  };
}

/** Any other type, one value at a time through Arrow's own builders. */
export function otherBuilder(type: arrow.DataType): ColumnBuilder {
  return (values, length, reject) => {
    const builder = arrow.makeBuilder({ type, nullValues: [null, undefined] });
    for (let i = 0; i < length; i += 1) {
      try {
        builder.append(values[i] as never);
      } catch (error) {
        reject(i, values[i], error instanceof Error ? error.message : String(error));
        builder.append(null);
      }
    }
    return builder.finish().flush();
  };
}

type FieldBuilder = (
  values: readonly unknown[],
  length: number,
  reject: Reject,
  parents?: readonly unknown[],
) => arrow.Data;

/** Returns the builder of a field, which also rejects null in a non-nullable field unless the value of the parent is null. */
export function fieldBuilder(field: arrow.Field, builderOf: BuilderOf): FieldBuilder {
  const build = builderOf(field.type);
  return (values, length, reject, parents) => {
    const data = build(values, length, reject);
    if (!field.nullable && data.nullCount > 0) {
      for (let i = 0; i < length; i += 1) {
        if (values[i] == null && (parents === undefined || parents[i] != null)) {
          reject(i, null, "it is missing, and the column is not nullable");
        }
      }
    }
    return data;
  };
}

/** Returns the row that contains the item at `index`. */
function rowOf(offsets: Int32Array, index: number): number {
  let low = 0;
  let high = offsets.length - 1;
  while (low + 1 < high) {
    const middle = (low + high) >> 1;
    if (offsets[middle]! <= index) low = middle;
    else high = middle;
  }
  return low;
}
