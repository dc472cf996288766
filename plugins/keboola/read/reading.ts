import { open } from "node:fs/promises";
import { constants, gunzipSync } from "node:zlib";

import type { FileChunk, FileColumn, FileReading } from "agnes/kit";

import type { TableColumn } from "../tables/columns.ts";

const MAX_LINE_BYTES = 64 * 1024 * 1024;
const HEAD_BYTES = 256 * 1024;
/** DuckDB requires a text for null; this one is in no export. */
const NO_NULL = "\u001Aagnes: no null\u001A";

/** How the files of one export are read. */
export interface ExportReadings {
  readonly parquet: FileReading;
  readonly csv: FileReading;
  /** For a CSV file whose first record is the names of the columns. */
  readonly csvWithHeader: FileReading;
}

type Column = Pick<TableColumn, "name" | "type">;

/**
 * Returns how files with these columns are read: values are text, which is converted to the types of the columns.
 *
 * Typed tables distinguish null from the empty text: only an unquoted empty value is null. Untyped tables have no null: an
 * empty value is an empty text, and null in a column of another type.
 *
 * @param csvExtra further columns of a CSV file; see `ExportRequest`
 */
export function readingsOf(
  columns: readonly Column[],
  { isTyped, csvExtra }: { readonly isTyped: boolean; readonly csvExtra: readonly Column[] },
): ExportReadings {
  const fileColumns = columns.map(fileColumn);
  const csvColumns = [...columns, ...csvExtra];
  const dialect = {
    delimiter: ",",
    quote: '"',
    escape: '"',
    nullValues: isTyped ? [""] : [NO_NULL],
    quotedNulls: false,
    encoding: "utf-8",
    decimalSeparator: ".",
    thousandsSeparator: "",
    skipLines: 0,
    comment: "",
    maxLineBytes: MAX_LINE_BYTES,
    names: csvColumns.map(({ name }) => name),
  };
  return {
    parquet: { format: "parquet", columns: fileColumns },
    csv: { format: "csv", csv: { ...dialect, header: false }, columns: csvColumns.map(fileColumn) },
    csvWithHeader: { format: "csv", csv: { ...dialect, header: true }, columns: csvColumns.map(fileColumn) },
  };
}

function fileColumn({ name, type }: Column): FileColumn {
  const isText = type === "VARCHAR";
  return { name, type, isConfigured: true, ...(isText ? {} : { nullIfEmpty: true }) };
}

/**
 * Returns how to read a downloaded file, by its first bytes: its name and the request do not determine it.
 *
 * @param canHaveHeader whether it may begin with the names of the columns
 */
export async function chunkOf(
  { data, compression, label }: Pick<FileChunk, "data" | "compression" | "label">,
  readings: ExportReadings,
  canHaveHeader: boolean,
): Promise<FileChunk> {
  const path = data as string;
  const head = await headOf(path);
  const file = { kind: "file", data: path, ...(label === undefined ? {} : { label }) } as const;
  if (head.subarray(0, 4).toString("latin1") === "PAR1")
    return { ...file, format: "parquet", compression: "none", reading: readings.parquet };
  const names = readings.csv.columns.map(({ name }) => name);
  const hasHeader = canHaveHeader && beginsWithNames(textOf(head), names);
  const reading = hasHeader ? readings.csvWithHeader : readings.csv;
  // `csv` for those that describe a file without its reading.
  const how = { reading, csv: reading.csv!, ...(compression && { compression }) };
  return { ...file, format: "csv", ...how };
}

async function headOf(path: string): Promise<Buffer> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(HEAD_BYTES), position: 0 });
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

function textOf(head: Buffer): string {
  if (head[0] !== 0x1f || head[1] !== 0x8b) return head.toString("utf8");
  try {
    // The head may end within a block.
    return gunzipSync(head, { finishFlush: constants.Z_SYNC_FLUSH }).toString("utf8");
  } catch {
    // Reading the whole file then fails with an error that names it.
    return "";
  }
}

/** Whether the first record is exactly these names, each with or without quotes. */
function beginsWithNames(text: string, names: readonly string[]): boolean {
  let at = 0;
  for (const [place, name] of names.entries()) {
    if (place > 0 && text[at++] !== ",") return false;
    const quoted = `"${name.replaceAll('"', '""')}"`;
    if (text.startsWith(quoted, at)) at += quoted.length;
    else if (!/[",\r\n]/.test(name) && text.startsWith(name, at)) at += name.length;
    else return false;
  }
  return at === text.length || text[at] === "\n" || text[at] === "\r";
}
