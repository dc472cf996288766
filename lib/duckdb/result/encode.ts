import { Buffer } from "node:buffer";

import * as arrow from "apache-arrow";

import { AgnesError } from "../../base/mod.ts";
import { checkAllDigits } from "../arrow/decimals.ts";
import type { StreamResult } from "../connection.ts";
import { endOfDayProblem } from "../end-of-day.ts";
import { isNull, Malformed } from "../arrow/scratch.ts";
import { resultTypeOf } from "../arrow/types.ts";
import { TextWriter } from "./text-writer.ts";
import { uniqueNames, withUniqueNames } from "./unique-names.ts";
import { jsonWriter, scalarWriter, textParts, type JsonStyle, type ValueWriter } from "./value-writers.ts";

/** The approximate size of a piece of output. */
const PIECE_BYTES = 1 << 16;

type RowWriter = (out: TextWriter, row: number) => void;

/** Options of the text formats. */
export interface TextOptions {
  /** `json`: all finite numbers are JSON numbers, even those that a double does not represent exactly. Default: `exact`. */
  readonly numbers?: "exact" | "json";
  /**
   * Only for `json`: the members `columns` and `rows` of an object, with arrays as rows, instead of an array of objects.
   * The caller adds further members and the final `}`. Default: false.
   */
  readonly rowArrays?: boolean;
  /** Only for `csv`: texts that a spreadsheet would run as a formula begin with a quote character. Default: false. */
  readonly escapeFormulas?: boolean;
}

/** Encodes a result as one JSON array of objects, one per line. */
export async function* encodeJson(
  result: StreamResult,
  options: TextOptions = {},
): AsyncGenerator<Uint8Array, void, void> {
  if (options.rowArrays === true) return yield* encodeRowArrays(result, styleOf(options));
  let first = true;
  yield* encodeRows(result, "[", "\n]\n", (batch) => {
    const write = objectWriter(batch, result.names, styleOf(options));
    return (out, row) => {
      out.ascii(first ? "\n" : ",\n");
      first = false;
      write(out, row);
    };
  });
}

/** Encodes the columns, and the rows as arrays, so that a repeated name keeps its values. */
async function* encodeRowArrays(
  result: StreamResult,
  style: JsonStyle,
): AsyncGenerator<Uint8Array, void, void> {
  const columns = result.schema.fields.map((field, at) => ({
    name: result.names[at]!,
    type: resultTypeOf(field),
  }));
  let first = true;
  const out = new TextWriter();
  out.text(`{"columns":${JSON.stringify(columns)},"rows":[`);
  yield* encodeRows(
    result,
    "",
    "]",
    (batch) => {
      const values = batch.data.children.map((data) => jsonWriter(data as arrow.Data, style));
      return (to, row) => {
        to.ascii(first ? "[" : ",\n[");
        first = false;
        for (let at = 0; at < values.length; at++) {
          if (at > 0) to.byte(44);
          values[at]!(to, row);
        }
        to.byte(93);
      };
    },
    out,
  );
}

function styleOf({ numbers }: TextOptions): JsonStyle {
  return numbers === "json" ? "json_numbers" : "json";
}

/** Encodes a result as one JSON object per line. */
export async function* encodeNdjson(
  result: StreamResult,
  options: TextOptions = {},
): AsyncGenerator<Uint8Array, void, void> {
  yield* encodeRows(result, "", "", (batch) => {
    const write = objectWriter(batch, result.names, styleOf(options));
    return (out, row) => {
      write(out, row);
      out.byte(10);
    };
  });
}

/**
 * Encodes a result as CSV according to RFC 4180, but with LF line ends for Unix tools. A null is an empty field, an empty
 * text is `""`, and lists and structs are JSON. In a result with one column, a null is `""` too, because readers skip
 * empty lines.
 */
export async function* encodeCsv(
  result: StreamResult,
  { escapeFormulas = false }: TextOptions = {},
): AsyncGenerator<Uint8Array, void, void> {
  const writeText = escapeFormulas ? writeEscaped : writeField;
  const header = new TextWriter();
  for (const [index, name] of result.names.entries()) {
    if (index > 0) header.byte(44);
    const bytes = encoder.encode(name);
    writeText(header, bytes, 0, bytes.length);
  }
  header.byte(10);
  yield header.take();
  yield* encodeRows(result, "", "", (batch) => {
    const isAlone = batch.data.children.length === 1;
    const fields = batch.data.children.map((data) =>
      csvWriter(data as arrow.Data, isAlone ? '""' : "", writeText),
    );
    return (out, row) => {
      for (let index = 0; index < fields.length; index++) {
        if (index > 0) out.byte(44);
        fields[index]!(out, row);
      }
      out.byte(10);
    };
  });
}

async function* encodeRows(
  result: StreamResult,
  head: string,
  tail: string,
  rowWriter: (batch: arrow.RecordBatch) => RowWriter,
  out = new TextWriter(),
): AsyncGenerator<Uint8Array, void, void> {
  out.ascii(head);
  for await (const batch of result.batches) {
    const write = rowWriter(batch);
    for (let row = 0; row < batch.numRows; row++) {
      write(out, row);
      if (out.length >= PIECE_BYTES) yield out.take();
    }
  }
  out.ascii(tail);
  if (out.length > 0) yield out.take();
}

function objectWriter(
  batch: arrow.RecordBatch,
  names: readonly string[],
  style: JsonStyle = "json",
): RowWriter {
  const keys = uniqueNames(names).map((name, index) =>
    encoder.encode(`${index === 0 ? "{" : ","}${JSON.stringify(name)}:`),
  );
  const values = batch.data.children.map((data) => jsonWriter(data as arrow.Data, style));
  return (out, row) => {
    for (let index = 0; index < values.length; index++) {
      out.bytes(keys[index]!);
      values[index]!(out, row);
    }
    out.byte(125);
  };
}

const encoder = new TextEncoder();

const scratch = new TextWriter();

type WriteText = (out: TextWriter, bytes: Uint8Array, from: number, to: number) => void;

const writeField: WriteText = (out, bytes, from, to) => out.csvField(bytes, from, to);

/** The first bytes of formulas: `=`, `+`, `-`, `@`, tab and CR. */
const FORMULA_STARTS = new Set([61, 43, 45, 64, 9, 13]);

const writeEscaped: WriteText = (out, bytes, from, to) => {
  if (to === from || !FORMULA_STARTS.has(bytes[from]!)) return out.csvField(bytes, from, to);
  const escaped = new Uint8Array(to - from + 1);
  escaped[0] = 39;
  escaped.set(bytes.subarray(from, to), 1);
  out.csvField(escaped, 0, escaped.length);
};

/** @param empty the text of a null */
function csvWriter(data: arrow.Data, empty: string, writeText: WriteText): ValueWriter {
  const write = bareWriter(data, writeText);
  const isAllNull = arrow.DataType.isNull(data.type);
  return (out, row) => {
    if (isAllNull || isNull(data, row)) out.ascii(empty);
    else write(out, row);
  };
}

/** Returns a writer of non-null values, which writes text and the JSON of lists and structs with `writeText`. */
function bareWriter(data: arrow.Data, writeText: WriteText): ValueWriter {
  if (arrow.DataType.isNull(data.type)) return () => {};
  const text = textParts(data);
  if (text !== null) {
    const { bytes, offsets } = text;
    return (out, row) => writeText(out, bytes, Number(offsets[row]), Number(offsets[row + 1]));
  }
  const scalar = scalarWriter(data, "bare");
  if (scalar !== null) return scalar;
  const json = jsonWriter(data);
  return (out, row) => {
    scratch.length = 0;
    json(scratch, row);
    const bytes = scratch.peek();
    // A JSON string, such as base64, is written without its quotes.
    const inner = bytes[0] === 34 ? 1 : 0;
    writeText(out, bytes, inner, bytes.length - inner);
  };
}

/** Returns a function that returns the size in bytes of a row as a line of NDJSON. */
export function jsonRowSizes(batch: arrow.RecordBatch, names: readonly string[]): (row: number) => number {
  const out = new TextWriter();
  const write = objectWriter(batch, names);
  return (row) => {
    out.length = 0;
    write(out, row);
    return out.length + 1;
  };
}

/** Returns the values of each row of a batch as the text of CSV without quotes; null for a null. */
export function batchTexts(batch: arrow.RecordBatch): readonly (readonly (string | null)[])[] {
  const out = new TextWriter();
  // By default, a decoder removes a byte order mark from the start of a text.
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const columns = batch.data.children.map((child) => {
    const data = child as arrow.Data;
    const write = bareWriter(data, (to, bytes, start, end) => to.bytes(bytes.subarray(start, end)));
    return (row: number) => {
      if (arrow.DataType.isNull(data.type) || isNull(data, row)) return null;
      out.length = 0;
      write(out, row);
      return decoder.decode(out.peek());
    };
  });
  return Array.from({ length: batch.numRows }, (_, row) => columns.map((column) => column(row)));
}

/** Smaller parts of an Arrow stream are joined. */
const SMALL_BYTES = 1 << 14;

/** Encodes a result as an Arrow IPC stream. */
export async function* encodeArrow(result: StreamResult): AsyncGenerator<Uint8Array, void, void> {
  const { schema, batches } = withUniqueNames(result);
  const pieces = new ArrowPieces();
  const writer = new arrow.RecordBatchStreamWriter({ autoDestroy: false });
  writer.reset(pieces, schema);
  for await (const batch of batches) {
    checkBatch(batch);
    yield* pieces.take();
    // The writer would begin a second stream for another schema, even an equal one.
    writer.write(batch.schema === schema ? batch : new arrow.RecordBatch(schema, batch.data));
    yield* pieces.take();
  }
  writer.finish();
  yield* pieces.take();
}

/** The bytes that a writer wrote. Values, which are the memory of a batch, are not copied. */
class ArrowPieces extends arrow.AsyncByteQueue {
  #pieces: Uint8Array[] = [];
  /** The last bytes, which are few. */
  #small: Uint8Array[] = [];

  override write(bytes: Uint8Array): void {
    if (bytes.byteLength < SMALL_BYTES) return void this.#small.push(bytes);
    this.#join();
    this.#pieces.push(bytes);
  }

  take(): readonly Uint8Array[] {
    this.#join();
    return this.#pieces.splice(0);
  }

  #join(): void {
    if (this.#small.length > 0) this.#pieces.push(Buffer.concat(this.#small.splice(0)));
  }
}

/** @throws `batch_malformed` for a HUGEINT of more than 38 digits, the maximum in Arrow, and for the time 24:00:00 */
function checkBatch(batch: arrow.RecordBatch): void {
  for (const [at, data] of batch.data.children.entries()) {
    if (hasEndOfDay(data as arrow.Data)) throw endOfDayProblem(String(batch.schema.fields[at]!.name));
    try {
      checkAllDigits(data as arrow.Data);
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      throw new AgnesError("batch_malformed", {
        column: String(batch.schema.fields[at]!.name),
        reason: error.message,
        ...(error.advice === undefined ? {} : { advice: error.advice }),
      });
    }
  }
}

const DAY_MICROSECONDS = 86_400_000_000n;

/** Returns whether data of a DuckDB result contains the time 24:00:00, nested or not. */
function hasEndOfDay(data: arrow.Data): boolean {
  if (!arrow.DataType.isTime(data.type))
    return data.children.some((child) => hasEndOfDay(child as arrow.Data));
  if (data.type.unit !== arrow.TimeUnit.MICROSECOND) return false;
  const values = data.values as unknown as BigInt64Array;
  for (let row = 0; row < data.length; row++) {
    if (values[row]! >= DAY_MICROSECONDS && !isNull(data, row)) return true;
  }
  return false;
}
