import * as arrow from "apache-arrow";

import type { FakeCell, FakeField } from "./types.ts";

const DAY_MS = 86_400_000;
const EMPTY = new Uint8Array();
const encoder = new TextEncoder();

/** A schema and batches as the Storage Read API sends them: each one encapsulated message. */
export interface ArrowMessages {
  readonly schema: Uint8Array;
  readonly batches: readonly { readonly message: Uint8Array; readonly rows: number }[];
}

/** The batches of rows, with the types that BigQuery has in Arrow. */
export function arrowMessages(
  fields: readonly FakeField[],
  rows: readonly (readonly FakeCell[])[],
  batchRows: number,
): ArrowMessages {
  const schema = new arrow.Schema(fields.map(fieldOf));
  const batches: ArrowMessages["batches"][number][] = [];
  for (let at = 0; at < rows.length; at += batchRows) {
    const part = rows.slice(at, at + batchRows);
    const columns = fields.map((field, column) =>
      columnOf(
        field,
        part.map((row) => row[column] ?? null),
      ),
    );
    batches.push({ message: messagesOf(schema, columns, part.length).batch, rows: part.length });
  }
  const empty = fields.map((field) => columnOf(field, []));
  return { schema: messagesOf(schema, empty, 0).schema, batches };
}

/** Splits the stream of one batch into its messages, without the mark of its end. */
export function messagesOf(schema: arrow.Schema, children: arrow.Data[], length: number) {
  const type = new arrow.Struct(schema.fields);
  const batch = new arrow.RecordBatch(schema, arrow.makeData({ type, length, nullCount: 0, children }));
  const bytes = arrow.RecordBatchStreamWriter.writeAll([batch]).toUint8Array(true);
  const end = 8 + new DataView(bytes.buffer, bytes.byteOffset).getInt32(4, true);
  return { schema: bytes.slice(0, end), batch: bytes.slice(end, -8) };
}

function fieldOf(field: FakeField): arrow.Field {
  const item = scalarOf(field);
  const isRepeated = field.mode === "REPEATED";
  const type = isRepeated ? new arrow.List(new arrow.Field("item", item, true)) : item;
  return new arrow.Field(field.name, type, field.mode !== "REQUIRED");
}

function scalarOf({ type, fields = [], precision, scale }: FakeField): arrow.DataType {
  switch (type) {
    case "INTEGER":
    case "INT64":
      return new arrow.Int64();
    case "FLOAT":
    case "FLOAT64":
      return new arrow.Float64();
    case "BOOLEAN":
    case "BOOL":
      return new arrow.Bool();
    case "NUMERIC":
      return new arrow.Decimal(
        Number(precision === undefined ? 9 : (scale ?? 0)),
        Number(precision ?? 38),
        128,
      );
    case "BIGNUMERIC":
      return new arrow.Decimal(
        Number(precision === undefined ? 38 : (scale ?? 0)),
        Number(precision ?? 76),
        256,
      );
    case "BYTES":
      return new arrow.Binary();
    case "DATE":
      return new arrow.DateDay();
    case "TIME":
      return new arrow.TimeMicrosecond();
    case "DATETIME":
      return new arrow.TimestampMicrosecond();
    case "TIMESTAMP":
      return new arrow.TimestampMicrosecond("UTC");
    case "INTERVAL":
      return new arrow.IntervalMonthDayNano();
    case "RANGE":
      return new arrow.Struct(
        ["start", "end"].map((name) => new arrow.Field(name, new arrow.DateDay(), true)),
      );
    case "RECORD":
      return new arrow.Struct(fields.map(fieldOf));
    default:
      return new arrow.Utf8();
  }
}

/** The data of a column of cells, which are those of the REST API. */
function columnOf(field: FakeField, cells: readonly FakeCell[]): arrow.Data {
  if (field.mode !== "REPEATED") return scalarData(field, cells);
  const lists = cells.map((cell) => (cell ?? []) as readonly { readonly v: FakeCell }[]);
  const offsets = new Int32Array(lists.length + 1);
  for (const [at, list] of lists.entries()) offsets[at + 1] = offsets[at]! + list.length;
  const child = scalarData(
    field,
    lists.flatMap((list) => list.map(({ v }) => v)),
  );
  return new arrow.Data(fieldOf(field).type, 0, cells.length, 0, { [arrow.BufferType.OFFSET]: offsets }, [
    child,
  ]);
}

function scalarData(field: FakeField, cells: readonly FakeCell[]): arrow.Data {
  const type = scalarOf(field);
  const { length } = cells;
  const nullCount = cells.filter((cell) => cell === null).length;
  const nullBitmap = bitmapOf(cells.map((cell) => cell !== null));
  const base = { length, nullCount, nullBitmap };
  if (arrow.DataType.isStruct(type)) {
    const records = cells as readonly ({ readonly f: readonly { readonly v: FakeCell }[] } | null)[];
    const children = (field.fields ?? []).map((child, at) =>
      columnOf(
        child,
        records.map((record) => record?.f[at]?.v ?? null),
      ),
    );
    return arrow.makeData({ type, ...base, children });
  }
  const texts = cells as readonly (string | null)[];
  if (arrow.DataType.isUtf8(type) || arrow.DataType.isBinary(type)) {
    const isText = arrow.DataType.isUtf8(type);
    const parts = texts.map((text) =>
      text === null ? EMPTY : isText ? encoder.encode(text) : new Uint8Array(Buffer.from(text, "base64")),
    );
    const valueOffsets = new Int32Array(length + 1);
    for (const [at, part] of parts.entries()) valueOffsets[at + 1] = valueOffsets[at]! + part.byteLength;
    return arrow.makeData({ type, ...base, valueOffsets, data: Buffer.concat(parts) } as never);
  }
  return arrow.makeData({ type, ...base, data: valuesOf(type, texts) } as never);
}

function valuesOf(type: arrow.DataType, texts: readonly (string | null)[]): ArrayBufferView {
  const { DataType } = arrow;
  if (DataType.isBool(type)) return bitmapOf(texts.map((text) => text === "true"));
  if (DataType.isFloat(type)) return Float64Array.from(texts, (text) => Number(text ?? 0));
  if (DataType.isDate(type))
    return Int32Array.from(texts, (text) => (text === null ? 0 : Date.parse(`${text}T00:00:00Z`) / DAY_MS));
  if (DataType.isDecimal(type)) return wordsOf(texts, type.scale, type.bitWidth / 64);
  if (DataType.isInterval(type)) return intervalsOf(texts);
  if (DataType.isTime(type))
    return BigInt64Array.from(texts, (text) => microsOf(`1970-01-01T${text ?? "00:00:00"}`));
  if (DataType.isTimestamp(type) && type.timezone == null)
    return BigInt64Array.from(texts, (text) => microsOf(text ?? "1970-01-01T00:00:00"));
  return BigInt64Array.from(texts, (text) => BigInt(text ?? 0));
}

function bitmapOf(bits: readonly boolean[]): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(bits.length / 64) * 8);
  for (const [at, bit] of bits.entries()) if (bit) bytes[at >> 3]! |= 1 << (at & 7);
  return bytes;
}

function wordsOf(texts: readonly (string | null)[], scale: number, words: number): Uint32Array {
  const values = new BigUint64Array(texts.length * words);
  for (const [row, text] of texts.entries()) {
    const [, sign, whole, fraction = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text ?? "0")!;
    let rest = BigInt(`${whole}${fraction.padEnd(scale, "0").slice(0, scale)}`) * (sign === "-" ? -1n : 1n);
    for (let word = 0; word < words; word += 1, rest >>= 64n)
      values[row * words + word] = BigInt.asUintN(64, rest);
  }
  return new Uint32Array(values.buffer);
}

/** Intervals as `months days nanoseconds`. */
function intervalsOf(texts: readonly (string | null)[]): Int32Array {
  const values = new Int32Array(texts.length * 4);
  const nanos = new BigInt64Array(values.buffer);
  for (const [row, text] of texts.entries()) {
    const [months, days, rest] = (text ?? "0 0 0").split(" ");
    values[row * 4] = Number(months);
    values[row * 4 + 1] = Number(days);
    nanos[row * 2 + 1] = BigInt(rest!);
  }
  return values;
}

function microsOf(text: string): bigint {
  const [whole, fraction = ""] = text.split(".");
  return BigInt(Date.parse(`${whole}Z`)) * 1000n + BigInt(fraction.padEnd(6, "0"));
}
