import { counted } from "../../base/mod.ts";
import native from "@duckdb/node-bindings";
import * as arrow from "apache-arrow";

import { checkedValues, isNull, Malformed, writeNulls } from "./scratch.ts";
import { assignStrings, gather } from "./strings.ts";
import type { Write } from "./write-values.ts";

/** Writes lists. DuckDB stores an offset and a length, 8 bytes each, per row. */
export const writeList =
  (child: Write): Write =>
  (vector, data, from, count) => {
    const offsets = checkedValues(data.valueOffsets, from, count + 1);
    const first = offsets[from]!;
    const total = offsets[from + count]! - first;
    const entries = new Uint32Array(count * 4);
    for (let row = 0; row < count; row++) {
      const start = offsets[from + row]!;
      const length = offsets[from + row + 1]! - start;
      if (length < 0 || start < first) throw new Malformed("its list offsets do not ascend");
      entries[row * 4] = start - first;
      entries[row * 4 + 2] = length;
    }
    writeEntries(vector, data, entries, child, first, total);
    writeNulls(vector, data, from, count);
  };

/** Writes lists of fixed length. */
export const writeFixedList =
  (child: Write, length: number): Write =>
  (vector, data, from, count) => {
    const entries = new Uint32Array(count * 4);
    for (let row = 0; row < count; row++) {
      entries[row * 4] = row * length;
      entries[row * 4 + 2] = length;
    }
    writeEntries(vector, data, entries, child, from * length, count * length);
    writeNulls(vector, data, from, count);
  };

function writeEntries(
  vector: native.Vector,
  data: arrow.Data,
  entries: Uint32Array<ArrayBuffer>,
  child: Write,
  first: number,
  total: number,
): void {
  const items = childOf(data, 0, first + total);
  native.list_vector_reserve(vector, Math.max(total, 1));
  native.list_vector_set_size(vector, total);
  if (total > 0) child(native.list_vector_get_child(vector), items, first, total);
  native.copy_data_to_vector(vector, 0, entries.buffer, 0, entries.byteLength);
}

export const writeStruct =
  (children: readonly Write[]): Write =>
  (vector, data, from, count) => {
    for (const [index, child] of children.entries()) {
      const values = childOf(data, index, from + count);
      // DuckDB requires the fields of a null struct to be null.
      const masked = data.nullCount > 0 ? maskedBy(values, data, from, count) : values;
      child(native.struct_vector_get_child(vector, index), masked, from, count);
    }
    writeNulls(vector, data, from, count);
  };

function childOf(data: arrow.Data, index: number, length: number): arrow.Data {
  const child = data.children[index] as arrow.Data | undefined;
  if (child === undefined || child.length < length) {
    throw new Malformed(`it has ${child?.length ?? 0} of ${counted(length, "inner value")}`);
  }
  return child;
}

function maskedBy(child: arrow.Data, parent: arrow.Data, from: number, count: number): arrow.Data {
  const bitmap = new Uint8Array((child.offset + from + count + 7) >> 3);
  let nulls = 0;
  for (let row = from; row < from + count; row++) {
    const bit = child.offset + row;
    if (isNull(parent, row) || isNull(child, row)) nulls += 1;
    else bitmap[bit >> 3]! |= 1 << (bit & 7);
  }
  if (nulls === 0) return child;
  return child.clone(child.type, child.offset, child.length, nulls, [
    child.valueOffsets,
    child.values,
    bitmap,
    child.typeIds,
  ]);
}

/** Writes dictionaries of text or bytes without creating JavaScript strings. */
export const writeStringDictionary =
  (text: boolean, fallback: Write): Write =>
  (vector, data, from, count) => {
    const [values, ...more] = (data.dictionary?.data ?? []) as readonly arrow.Data[];
    // The usual case is one dictionary with 32-bit offsets.
    if (values === undefined || more.length > 0 || !(values.valueOffsets instanceof Int32Array)) {
      return fallback(vector, data, from, count);
    }
    const keys = checkedValues(data.values as unknown as ArrayLike<number | bigint>, from, count);
    const offsets = checkedValues(values.valueOffsets, 0, values.length + 1);
    const bytes = values.values as Uint8Array;
    const hasNullValue = values.nullCount > 0;
    const strings = gather(count, text, (row) => {
      const key = Number(keys[from + row]);
      if (isNull(data, from + row)) return EMPTY;
      if (!(key >= 0 && key < values.length)) throw new Malformed(`it has no dictionary entry ${key}`);
      return bytes.subarray(offsets[key]!, offsets[key + 1]!);
    });
    if (!assignStrings(vector, strings)) throw new Malformed("a text is not valid UTF-8");
    if (!hasNullValue) return writeNulls(vector, data, from, count);
    const valid = new Uint8Array((count + 7) >> 3);
    for (let row = 0; row < count; row++) {
      const missing = isNull(data, from + row) || isNull(values, Number(keys[from + row]));
      if (!missing) valid[row >> 3]! |= 1 << (row & 7);
    }
    native.vector_ensure_validity_writable(vector);
    native.copy_data_to_vector_validity(vector, 0, valid.buffer, 0, valid.length);
  };

const EMPTY = new Uint8Array();

/** Writes rare layouts by converting each value in JavaScript to the plain layout of `type`. */
export const writeRebuilt =
  (type: arrow.DataType, write: Write): Write =>
  (vector, data, from, count) => {
    const values = new arrow.Vector([data]);
    const builder = arrow.makeBuilder({ type, nullValues: [null] });
    for (let row = 0; row < count; row++) builder.append(values.get(from + row));
    write(vector, builder.finish().toVector().data[0]!, 0, count);
  };
