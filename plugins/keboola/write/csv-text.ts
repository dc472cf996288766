import { arrow } from "agnes/kit";

import type { Problem, WriteColumn } from "./write-target.ts";

const PIECE_LENGTH = 1024 * 1024;

/** A value that cannot be written exactly. */
export interface ValueProblem extends Problem {
  readonly column: string;
  /** The number of the row in the batch, from 0. */
  readonly row: number;
}

/** Returns the text of a value, or why it cannot be written. */
type Write = (row: number) => string | Problem;

/** Writes batches as CSV by RFC 4180: texts in quotes, other values without, null as nothing. */
export class CsvText {
  readonly #columns: readonly WriteColumn[];
  readonly #problem: (problem: ValueProblem) => never;

  /** @param problem throws the error of a value */
  constructor(columns: readonly WriteColumn[], problem: (problem: ValueProblem) => never) {
    this.#columns = columns;
    this.#problem = problem;
  }

  /** Returns the records of a batch, whose columns are in the order of the table, in pieces of limited length. */
  *records(batch: arrow.RecordBatch): Generator<string, void, void> {
    const writers = this.#columns.map((column, at) => writerOf(batch.data.children[at]!, column));
    let text = "";
    for (let row = 0; row < batch.numRows; row += 1) {
      for (const [at, write] of writers.entries()) {
        const value = write(row);
        if (typeof value !== "string")
          return this.#problem({ ...value, row, column: this.#columns[at]!.name });
        text += at === 0 ? value : `,${value}`;
      }
      text += "\n";
      if (text.length < PIECE_LENGTH) continue;
      yield text;
      text = "";
    }
    if (text !== "") yield text;
  }
}

function writerOf(data: arrow.Data, column: WriteColumn): Write {
  const write = valueWriter(data, column);
  return (row) => (data.getValid(row) ? write(row) : (column.nullProblem ?? ""));
}

/** The types are those of `columnOfType`, or narrower ones. */
function valueWriter(data: arrow.Data, column: WriteColumn): Write {
  const { DataType } = arrow;
  const { type, values } = data;
  if (DataType.isUtf8(type)) return textWriter(data, column);
  if (DataType.isDecimal(type)) {
    const { scale, bitWidth } = type;
    return (row) => decimalText(values as Uint32Array, row * (bitWidth / 32), bitWidth, scale);
  }
  if (DataType.isDate(type)) return (row) => dateText((values as Int32Array)[row]! * 86_400_000, 10);
  if (DataType.isTime(type)) return (row) => timeText((values as BigInt64Array)[row]!, column);
  if (DataType.isTimestamp(type)) {
    const perSecond = UNITS_PER_SECOND[type.unit];
    const zone = type.timezone ? "+00:00" : "";
    return (row) => {
      const micros = ((values as BigInt64Array)[row]! * 1_000_000n) / perSecond;
      return timestampText(micros, column, zone);
    };
  }
  const vector = arrow.makeVector(data);
  if (DataType.isFloat(type)) return (row) => floatText(vector.get(row) as number);
  if (DataType.isInt(type) || DataType.isBool(type)) return (row) => String(vector.get(row));
  return () => ({ reason: "values of its type cannot be written", advice: "Cast the column in the SQL." });
}

const UNITS_PER_SECOND: Readonly<Record<arrow.TimeUnit, bigint>> = {
  [arrow.TimeUnit.SECOND]: 1n,
  [arrow.TimeUnit.MILLISECOND]: 1000n,
  [arrow.TimeUnit.MICROSECOND]: 1_000_000n,
  [arrow.TimeUnit.NANOSECOND]: 1_000_000_000n,
};

/** Arrow's own decoder removes a U+FEFF at the start of a text. */
const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });

function textWriter(data: arrow.Data, { emptyProblem }: WriteColumn): Write {
  const bytes = data.values as Uint8Array;
  const offsets = data.valueOffsets as Int32Array;
  return (row) => {
    const text = UTF8.decode(bytes.subarray(offsets[row], offsets[row + 1]));
    if (text === "" && emptyProblem !== null) return emptyProblem;
    return `"${text.replaceAll('"', '""')}"`;
  };
}

/** Smaller numbers have fewer digits, and DuckDB does not read them from text. */
const SMALLEST_NORMAL = 2 ** -1022;

function floatText(value: number): string | Problem {
  const isReadable = Number.isFinite(value) && (value === 0 || Math.abs(value) >= SMALLEST_NORMAL);
  if (isReadable) return Object.is(value, -0) ? "-0" : String(value);
  const reason = `it is ${String(value)}, which would not be a number when it is read again`;
  return { reason, advice: "Exclude the row, or write null: `CASE WHEN isfinite(x) THEN x END`." };
}

function decimalText(words: Uint32Array, at: number, bitWidth: number, scale: number): string {
  let unscaled = 0n;
  for (let word = bitWidth / 32 - 1; word >= 0; word -= 1)
    unscaled = (unscaled << 32n) | BigInt(words[at + word]!);
  unscaled = BigInt.asIntN(bitWidth, unscaled);
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, "0");
  const whole = digits.slice(0, digits.length - scale);
  const sign = unscaled < 0n ? "-" : "";
  return `${sign}${whole}${scale === 0 ? "" : `.${digits.slice(-scale)}`}`;
}

/** The first characters of a time in ISO 8601; Keboola has the years 1 to 9999. */
function dateText(epochMs: number, length: number): string | Problem {
  const date = new Date(epochMs);
  const year = date.getUTCFullYear();
  if (year >= 1 && year <= 9999) return date.toISOString().slice(0, length);
  const reason = "it is not in the years 1 to 9999";
  return { reason, advice: "Exclude the row, or write another date." };
}

function timestampText(micros: bigint, column: WriteColumn, zone: string): string | Problem {
  const fraction = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const text = dateText(Number((micros - fraction) / 1000n), 19);
  if (typeof text !== "string") return text;
  return digitsProblem(fraction, column) ?? `${text.replace("T", " ")}.${sixDigits(fraction)}${zone}`;
}

function timeText(micros: bigint, column: WriteColumn): string | Problem {
  if (micros >= 86_400_000_000n)
    return { reason: "it is 24:00:00", advice: "Exclude the row, or write 00:00:00." };
  const fraction = micros % 1_000_000n;
  const text = new Date(Number((micros - fraction) / 1000n)).toISOString().slice(11, 19);
  return digitsProblem(fraction, column) ?? `${text}.${sixDigits(fraction)}`;
}

const sixDigits = (fraction: bigint): string => fraction.toString().padStart(6, "0");

function digitsProblem(fraction: bigint, { secondDigits, name }: WriteColumn): Problem | null {
  if (secondDigits >= 6 || fraction % 10n ** BigInt(6 - secondDigits) === 0n) return null;
  const quoted = `"${name.replaceAll('"', '""')}"`;
  return {
    reason: `it has more digits of a second than the ${secondDigits} of the column`,
    advice: `Truncate it in the SQL, for example \`date_trunc('second', ${quoted}) AS ${quoted}\`.`,
  };
}
