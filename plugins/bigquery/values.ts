import { formatValue, type Row } from "agnes/kit";

import { errors } from "./errors.ts";
import type { Cell, Field, ResultPage } from "./schemas.ts";
import { isPrecise, isRepeated, kindOf } from "./types.ts";

/** Turns a value of a result into one that the column of its type accepts. */
type Decoder = (cell: Cell) => unknown;

const DECIMAL_RADIX = 1_000n;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const NUMERAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const SPECIAL: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  "+Infinity": Number.POSITIVE_INFINITY,
  "-Infinity": Number.NEGATIVE_INFINITY,
};

/** Whether the timestamps of a result must be text: as integers they would lose digits. */
export function needsTextTimestamps(fields: readonly Field[]): boolean {
  return fields.some(
    (field) =>
      isPrecise(field) ||
      field.rangeElementType?.type.toUpperCase() === "TIMESTAMP" ||
      needsTextTimestamps(field.fields ?? []),
  );
}

/**
 * Returns a function that turns the rows of a page into row objects.
 * @param where the table or query, for errors
 * @throws `bigquery/value_unreadable` from the function
 */
export function rowDecoder(
  fields: readonly Field[],
  where: string,
): (rows: ResultPage["rows"]) => readonly Row[] {
  const decoders = fields.map((field) => decoderOf(field, where, field.name));
  return (rows) =>
    rows.map(({ f }) => {
      checkCells(f, fields, where);
      const row: Record<string, unknown> = {};
      for (let at = 0; at < fields.length; at += 1) row[fields[at]!.name] = decoders[at]!(f[at]!.v ?? null);
      return row;
    });
}

/** Checks that a row or record has one value for each of its fields: values are found by their position. */
function checkCells(cells: readonly unknown[], fields: readonly Field[], where: string, path = ""): void {
  if (cells.length === fields.length) return;
  const column = `${path}${fields.at(Math.min(cells.length, fields.length - 1))?.name ?? ""}`;
  const reason = `the number of values is ${cells.length}, and that of columns ${fields.length}`;
  throw errors.value_unreadable({ table: where, column, value: formatValue(cells, 60), reason });
}

function decoderOf(field: Field, where: string, path: string): Decoder {
  const fail = (cell: Cell, reason: string) =>
    errors.value_unreadable({ table: where, column: path, value: formatValue(cell, 60), reason });
  const decode = scalarDecoder(field, where, path, fail);
  if (!isRepeated(field)) return (cell) => (cell === null ? null : decode(cell));
  return (cell) => {
    // Null, not a list: BigQuery stores it as an empty list, so a list stays one.
    if (cell === null) return [];
    if (!Array.isArray(cell)) throw fail(cell, "it is not a list");
    return (cell as readonly { readonly v: Cell }[]).map(({ v }) => (v === null ? null : decode(v)));
  };
}

type Fail = (cell: Cell, reason: string) => Error;

function scalarDecoder(field: Field, where: string, path: string, fail: Fail): Decoder {
  const kind = kindOf(field);
  if (kind === "STRUCT") return recordDecoder(field, where, path, fail);
  const ofText = (decode: (text: string) => unknown): Decoder => {
    return (cell) => {
      if (typeof cell !== "string") throw fail(cell, "it is not text");
      return decode(cell);
    };
  };
  switch (kind) {
    case "FLOAT64":
      return ofText((text) => {
        const number = SPECIAL[text] ?? (NUMERAL.test(text) ? Number(text) : undefined);
        if (number === undefined) throw fail(text, "it is not a number");
        return number;
      });
    case "BYTES":
      return ofText((text) => {
        if (!BASE64.test(text)) throw fail(text, "it is not base64");
        return new Uint8Array(Buffer.from(text, "base64"));
      });
    case "TIMESTAMP":
      return ofText((text) => (/^-?\d+$/.test(text) ? timestampText(text, fail) : text));
    default:
      // The builders of the columns accept text, and check it.
      return ofText((text) => text);
  }
}

function recordDecoder({ fields = [] }: Field, where: string, path: string, fail: Fail): Decoder {
  const decoders = fields.map((field) => decoderOf(field, where, `${path}.${field.name}`));
  return (cell) => {
    if (cell === null || typeof cell !== "object" || !("f" in cell)) throw fail(cell, "it is not a record");
    checkCells(cell.f, fields, where, `${path}.`);
    const record: Record<string, unknown> = {};
    for (let at = 0; at < fields.length; at += 1)
      record[fields[at]!.name] = decoders[at]!(cell.f[at]!.v ?? null);
    return record;
  };
}

/** Returns microseconds since 1970 as ISO 8601 text, which keeps all of them. */
function timestampText(text: string, fail: Fail): string {
  const micros = BigInt(text);
  const rest = ((micros % DECIMAL_RADIX) + DECIMAL_RADIX) % DECIMAL_RADIX;
  const time = new Date(Number((micros - rest) / DECIMAL_RADIX));
  const iso = Number.isNaN(time.getTime()) ? "" : time.toISOString();
  if (iso.length !== 24) throw fail(text, "its year is outside 1 to 9999");
  return rest === 0n ? iso : `${iso.slice(0, -1)}${String(rest).padStart(3, "0")}Z`;
}
