import native from "@duckdb/node-bindings";
import type * as arrow from "apache-arrow";

import { isValid } from "./buffers.ts";
import { ColumnReader } from "./column-readers.ts";

/** Reads lists and maps. DuckDB stores an offset and a length of 8 bytes each. Rows may share or skip items. */
export class ListReader extends ColumnReader {
  readonly #items: ColumnReader;
  readonly #offsets: number[] = [0];
  #entries = new Uint32Array();

  constructor(type: arrow.DataType, rows: number, items: ColumnReader) {
    super(type, rows);
    this.#items = items;
  }

  protected loadValues(vector: native.Vector, size: number): void {
    this.#entries = new Uint32Array(new Uint8Array(native.vector_get_data(vector, size * 16)).buffer);
    this.#items.load(native.list_vector_get_child(vector), native.list_vector_get_size(vector));
  }

  protected copyValues(from: number, count: number, validity: Uint8Array | null): void {
    let runStart = 0;
    let runEnd = 0;
    let total = this.#offsets.at(-1)!;
    for (let row = from; row < from + count; row++) {
      const length = isValid(validity, row) ? this.#entries[row * 4 + 2]! : 0;
      total += length;
      this.#offsets.push(total);
      if (length === 0) continue;
      const start = this.#entries[row * 4]! + this.#entries[row * 4 + 1]! * 2 ** 32;
      if (start === runEnd) {
        runEnd += length;
        continue;
      }
      this.#items.copy(runStart, runEnd - runStart);
      runStart = start;
      runEnd = start + length;
    }
    this.#items.copy(runStart, runEnd - runStart);
  }

  protected parts(): object {
    return { valueOffsets: Int32Array.from(this.#offsets), child: this.#items.take() };
  }
}

/** Reads lists of fixed length. */
export class FixedListReader extends ColumnReader {
  readonly #items: ColumnReader;
  readonly #length: number;

  constructor(type: arrow.DataType, rows: number, items: ColumnReader, length: number) {
    super(type, rows);
    this.#items = items;
    this.#length = length;
  }

  protected loadValues(vector: native.Vector, size: number): void {
    this.#items.load(native.array_vector_get_child(vector), size * this.#length);
  }

  protected copyValues(from: number, count: number): void {
    this.#items.copy(from * this.#length, count * this.#length);
  }

  protected parts(): object {
    return { child: this.#items.take() };
  }
}

/** Reads structs. */
export class StructReader extends ColumnReader {
  readonly #fields: readonly ColumnReader[];

  constructor(type: arrow.DataType, rows: number, fields: readonly ColumnReader[]) {
    super(type, rows);
    this.#fields = fields;
  }

  protected loadValues(vector: native.Vector, size: number): void {
    for (const [index, field] of this.#fields.entries()) {
      field.load(native.struct_vector_get_child(vector, index), size);
    }
  }

  protected copyValues(from: number, count: number): void {
    for (const field of this.#fields) field.copy(from, count);
  }

  protected parts(): object {
    return { children: this.#fields.map((field) => field.take()) };
  }
}
