import * as duckdb from "@duckdb/node-api";
import native from "@duckdb/node-bindings";
import * as arrow from "apache-arrow";

import { textOf } from "../values.ts";
import { Bytes, isValid, Validity } from "./buffers.ts";

/**
 * Collects one column of DuckDB chunks as Arrow data.
 *
 * `load` fetches the memory of a vector, and `copy` appends a range of its rows. Lists may copy only some of their items.
 */
export abstract class ColumnReader {
  readonly #type: arrow.DataType;
  protected readonly validity: Validity;
  #loaded: Uint8Array | null = null;

  constructor(type: arrow.DataType, rows: number) {
    this.#type = type;
    this.validity = new Validity(rows);
  }

  load(vector: native.Vector, size: number): void {
    this.#loaded = native.vector_get_validity(vector, ((size + 63) >> 6) * 8);
    this.loadValues(vector, size);
  }

  copy(from: number, count: number): void {
    this.validity.append(this.#loaded, from, count);
    this.copyValues(from, count, this.#loaded);
  }

  take(): arrow.Data {
    return arrow.makeData({
      type: this.#type,
      length: this.validity.rows,
      nullCount: this.validity.nulls,
      nullBitmap: this.validity.taken(),
      ...this.parts(this.#type),
    } as unknown as Parameters<typeof arrow.makeData>[0]) as arrow.Data;
  }

  protected abstract loadValues(vector: native.Vector, size: number): void;
  protected abstract copyValues(from: number, count: number, validity: Uint8Array | null): void;
  protected abstract parts(type: arrow.DataType): object;
}

/** Reads values with the same bytes in DuckDB and Arrow. */
export class FixedReader extends ColumnReader {
  readonly #width: number;
  readonly #bytes: Bytes;
  #values: Uint8Array = new Uint8Array();

  constructor(type: arrow.DataType, rows: number, width: number) {
    super(type, rows);
    this.#width = width;
    this.#bytes = new Bytes(rows * width);
  }

  protected loadValues(vector: native.Vector, size: number): void {
    this.#values = native.vector_get_data(vector, size * this.#width);
  }

  protected copyValues(from: number, count: number): void {
    this.#bytes.append(this.#values.subarray(from * this.#width, (from + count) * this.#width));
  }

  protected parts(type: arrow.DataType): object {
    return { data: typed(this.#bytes.taken(), type) };
  }
}

/** Converts a byte per value to a bit. */
export class BoolReader extends ColumnReader {
  readonly #bytes: Bytes;
  #values: Uint8Array = new Uint8Array();

  constructor(type: arrow.DataType, rows: number) {
    super(type, rows);
    this.#bytes = new Bytes(rows);
  }

  protected loadValues(vector: native.Vector, size: number): void {
    this.#values = native.vector_get_data(vector, size);
  }

  protected copyValues(from: number, count: number): void {
    this.#bytes.append(this.#values.subarray(from, from + count));
  }

  protected parts(): object {
    const values = this.#bytes.taken();
    const bits = new Uint8Array((values.length + 7) >> 3);
    for (let row = 0; row < values.length; row++) if (values[row]! !== 0) bits[row >> 3]! |= 1 << (row & 7);
    return { data: bits };
  }
}

/** Converts decimals of 2, 4, 8 or 16 bytes to 16. */
export class DecimalReader extends ColumnReader {
  readonly #width: number;
  readonly #bytes: Bytes;
  #values: Int16Array | Int32Array = new Int32Array();

  constructor(type: arrow.DataType, rows: number, precision: number) {
    super(type, rows);
    this.#width = precision <= 4 ? 2 : precision <= 9 ? 4 : precision <= 18 ? 8 : 16;
    this.#bytes = new Bytes(rows * 16);
  }

  protected loadValues(vector: native.Vector, size: number): void {
    const bytes = new Uint8Array(native.vector_get_data(vector, size * this.#width));
    this.#values = this.#width === 2 ? new Int16Array(bytes.buffer) : new Int32Array(bytes.buffer);
  }

  protected copyValues(from: number, count: number): void {
    const start = this.#bytes.grow(count * 16);
    const out = new Int32Array(this.#bytes.data.buffer, start, count * 4);
    const words = Math.max(1, this.#width / 4);
    for (let row = 0; row < count; row++) {
      const first = (from + row) * words;
      const sign = this.#values[first + words - 1]! >> 31;
      for (let word = 0; word < 4; word++) {
        out[row * 4 + word] = word < words ? this.#values[first + word]! : sign;
      }
    }
  }

  protected parts(type: arrow.DataType): object {
    return { data: typed(this.#bytes.taken(), type) };
  }
}

const FORM_BYTES = 16;
const INLINE_BYTES = 12;
/** The maximum gap between two texts that are read together; less than a page, so it is accessible. */
const GAP_BYTES = 2048;
const POINTER = new Uint32Array(2);

/** Reads text and bytes; see `Strings` for DuckDB's format. */
export class StringReader extends ColumnReader {
  readonly #bytes: Bytes;
  readonly #offsets: Bytes;
  #words: Uint32Array = new Uint32Array();

  constructor(type: arrow.DataType, rows: number) {
    super(type, rows);
    this.#bytes = new Bytes(rows * 16);
    this.#offsets = new Bytes((rows + 1) * 4);
    this.#offsets.grow(4);
  }

  protected loadValues(vector: native.Vector, size: number): void {
    const forms = native.vector_get_data(vector, size * FORM_BYTES);
    this.#words = new Uint32Array(forms.buffer, forms.byteOffset, size * 4);
  }

  protected copyValues(from: number, count: number, validity: Uint8Array | null): void {
    const words = this.#words;
    const place = this.#offsets.grow(count * 4);
    const offsets = new Int32Array(this.#offsets.data.buffer, place, count);
    const start = this.#bytes.length;
    let total = 0;
    for (let row = 0; row < count; row++) {
      if (isValid(validity, from + row)) total += words[(from + row) * 4]!;
      offsets[row] = start + total;
    }
    this.#bytes.grow(total, INLINE_BYTES);
    this.#fill(from, count, validity, offsets, start);
  }

  /** Copies the contents. One call fetches texts that are close together in DuckDB's heap. */
  #fill(from: number, count: number, validity: Uint8Array | null, offsets: Int32Array, start: number): void {
    const words = this.#words;
    const out = this.#bytes.data;
    const view = new DataView(out.buffer, out.byteOffset, out.byteLength);
    let runStart = -1;
    let runAddress = 0;
    let runEnd = 0;
    const flush = (end: number) => {
      if (runStart < 0) return;
      const memory = fetchMemory(runAddress, runEnd - runAddress);
      for (let row = runStart; row < end; row++) {
        const form = (from + row) * 4;
        const length = words[form]!;
        if (length <= INLINE_BYTES || !isValid(validity, from + row)) continue;
        const position = addressOf(words, form) - runAddress;
        out.set(memory.subarray(position, position + length), offsets[row]! - length);
      }
      runStart = -1;
    };
    for (let row = 0; row < count; row++) {
      if (!isValid(validity, from + row)) continue;
      const form = (from + row) * 4;
      const length = words[form]!;
      if (length <= INLINE_BYTES) {
        // Whole words are faster. What is too much is overwritten by the next texts, which are written later.
        const target = row === 0 ? start : offsets[row - 1]!;
        view.setUint32(target, words[form + 1]!, true);
        if (length > 4) view.setUint32(target + 4, words[form + 2]!, true);
        if (length > 8) view.setUint32(target + 8, words[form + 3]!, true);
        continue;
      }
      const address = addressOf(words, form);
      if (runStart >= 0 && address >= runEnd && address - runEnd < GAP_BYTES) {
        runEnd = address + length;
      } else {
        flush(row);
        runStart = row;
        runAddress = address;
        runEnd = address + length;
      }
    }
    flush(count);
  }

  protected parts(): object {
    const offsets = this.#offsets.taken();
    return {
      valueOffsets: new Int32Array(offsets.buffer, 0, offsets.length / 4),
      data: this.#bytes.taken(),
    };
  }
}

function addressOf(words: Uint32Array, form: number): number {
  return words[form + 2]! + words[form + 3]! * 2 ** 32;
}

function fetchMemory(address: number, sizeBytes: number): Uint8Array {
  POINTER[0] = address % 2 ** 32;
  POINTER[1] = Math.floor(address / 2 ** 32);
  return native.get_data_from_pointer(POINTER.buffer, 0, sizeBytes);
}

const encoder = new TextEncoder();

/** Reads types without an Arrow counterpart as text, one value at a time because they are rare. */
export class TextReader extends ColumnReader {
  readonly #source: duckdb.DuckDBType;
  readonly #bytes = new Bytes(1024);
  readonly #offsets: number[] = [0];
  #vector: { getItem(row: number): unknown } | null = null;

  constructor(type: arrow.DataType, rows: number, source: duckdb.DuckDBType) {
    super(type, rows);
    this.#source = source;
  }

  protected loadValues(vector: native.Vector, size: number): void {
    this.#vector =
      this.#source.typeId === duckdb.DuckDBTypeId.SQLNULL
        ? { getItem: () => null }
        : duckdb.DuckDBVector.create(vector, size, this.#source);
  }

  protected copyValues(from: number, count: number): void {
    for (let row = from; row < from + count; row++) {
      const value = this.#vector!.getItem(row) as duckdb.DuckDBValue;
      if (value !== null) this.#bytes.append(encoder.encode(textOf(value)));
      this.#offsets.push(this.#bytes.length);
    }
  }

  protected parts(): object {
    return { valueOffsets: Int32Array.from(this.#offsets), data: this.#bytes.taken() };
  }
}

function typed(bytes: Uint8Array<ArrayBuffer>, type: arrow.DataType): ArrayBufferView {
  const array = type.ArrayType as unknown as {
    new (buffer: ArrayBuffer, start: number, length: number): ArrayBufferView;
    readonly BYTES_PER_ELEMENT: number;
  };
  return new array(bytes.buffer, bytes.byteOffset, bytes.length / array.BYTES_PER_ELEMENT);
}
