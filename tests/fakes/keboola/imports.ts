import { gunzipSync } from "node:zlib";

import { parseCsv, type CsvCell } from "./csv.ts";
import { ApiError, invalid } from "./errors.ts";
import type { FileStorage, KeboolaFile } from "./files.ts";
import { booleanOf, checkNames, listOf, numberOf, textOf, type Parameters } from "./parameters.ts";
import type { KeboolaScript } from "./script.ts";
import type { KeboolaRow, KeboolaTable } from "./table.ts";
import { fits, kindOf, type CellValue } from "./types.ts";

/** An import as it was asked for. */
export interface ImportRequest {
  readonly dataFileId: number;
  /** `false`: the table is truncated first. */
  readonly isIncremental: boolean;
  readonly delimiter: string;
  readonly enclosure: string;
  /** The columns of the file, which then has no header. */
  readonly columns: readonly string[] | undefined;
  readonly withoutHeaders: boolean;
}

const NAMES = [
  "dataFileId",
  "incremental",
  "delimiter",
  "enclosure",
  "escapedBy",
  "columns",
  "withoutHeaders",
].concat(["ignoredLinesCount", "treatValuesAsNull", "useTimestampFromDataFile"]);

/** Checks the parameters of an import. @throws ApiError 400 */
export function readImport(asked: Parameters): ImportRequest {
  checkNames(asked, NAMES);
  const dataFileId = numberOf(asked, "dataFileId");
  if (dataFileId === undefined) throw invalid("dataFileId: This value should not be blank.");
  const columns = listOf(asked, "columns");
  return {
    dataFileId,
    isIncremental: booleanOf(asked, "incremental", false),
    delimiter: textOf(asked, "delimiter") ?? ",",
    enclosure: textOf(asked, "enclosure") ?? '"',
    columns: columns?.length === 0 ? undefined : columns,
    withoutHeaders: booleanOf(asked, "withoutHeaders", false),
  };
}

/**
 * Loads an uploaded file into a table.
 *
 * Faithful to: all columns of the table must be there, further ones are added; rows with the same key replace those of the
 * table, and of equal keys in one file any row stays; an empty text is null in a column with a type, on BigQuery only if it
 * is not in quotes.
 *
 * @throws ApiError for a file that does not fit, which the job reports
 */
export async function runImport(
  table: KeboolaTable,
  file: KeboolaFile,
  request: ImportRequest,
  { files, script }: { readonly files: FileStorage; readonly script: KeboolaScript },
): Promise<Readonly<Record<string, unknown>>> {
  const texts = await contentsOf(file, files);
  let names = request.columns ?? (request.withoutHeaders ? table.columns : undefined);
  const records: (readonly CsvCell[])[] = [];
  for (const text of texts) {
    const parsed = parse(text, request);
    // The slices of a sliced file have no header.
    if (names === undefined && !file.isSliced) {
      names = parsed[0]?.map((cell) => cell.text) ?? [];
      records.push(...parsed.slice(1));
    } else records.push(...parsed);
  }
  const columns = names ?? table.columns;
  const missing = table.columns.filter((name) => !columns.includes(name));
  if (missing.length > 0)
    throw failed(
      "storage.tableImport.columnsNotMatch",
      `Some columns are missing in the csv file. Missing columns: ${missing.join(",")}.`,
    );
  for (const name of columns) {
    if (!table.columns.includes(name)) table.addColumn(table.isTyped ? { name, type: "VARCHAR" } : name);
  }
  const rows = records.map((record, at) => {
    if (record.length !== columns.length)
      throw failed(
        "storage.tableImport.invalidData",
        `Load error: Number of columns in file (${record.length}) does not match (${columns.length}), line ${at + 1}.`,
      );
    return Object.fromEntries(
      columns.map((name, index) => [name, toValue(record[index]!, name, table, script)]),
    );
  }) satisfies readonly KeboolaRow[];
  table.load(rows, { mode: request.isIncremental ? "incremental" : "truncate" });
  return {
    importedRowsCount: rows.length,
    totalRowsCount: table.rows.length,
    warnings: [],
    importedColumns: columns,
  };
}

/** The uploaded texts: one, or those that the manifest lists. */
async function contentsOf(file: KeboolaFile, { cloud }: FileStorage): Promise<readonly string[]> {
  const read = async (key: string): Promise<string> => {
    const bytes = await cloud.read(key);
    if (bytes === null) throw failed("storage.fileNotUploaded", `File ${file.id} was not uploaded.`);
    const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
    return new TextDecoder("utf-8", { fatal: true }).decode(isGzip ? gunzipSync(bytes) : bytes);
  };
  if (!file.isSliced) return [await read(file.key)];
  const manifest = JSON.parse(await read(`${file.key}manifest`)) as { entries: readonly { url: string }[] };
  return Promise.all(
    manifest.entries.map(async ({ url }) => {
      const at = url.indexOf(file.key);
      if (at === -1)
        throw failed("storage.fileNotUploaded", `The manifest of file ${file.id} lists another place.`);
      return read(url.slice(at));
    }),
  );
}

function parse(text: string, { delimiter, enclosure }: ImportRequest): readonly (readonly CsvCell[])[] {
  try {
    return parseCsv(text, delimiter, enclosure);
  } catch (error) {
    throw failed("storage.tableImport.invalidCsv", `The CSV file is invalid: ${(error as Error).message}`);
  }
}

function toValue(
  { text, isQuoted }: CsvCell,
  name: string,
  table: KeboolaTable,
  script: KeboolaScript,
): CellValue {
  const column = table.types?.get(name);
  if (column === undefined) return text;
  const isEmpty =
    text === "" && (script.backend !== "bigquery" || !isQuoted || kindOf(column.type) !== "text");
  const isKey = table.primaryKey.includes(name);
  if (isEmpty) {
    if (column.nullable ?? !isKey) return null;
    throw failed(
      "storage.tableImport.invalidData",
      `Load error: NULL result in a non-nullable column "${name}".`,
    );
  }
  if (!fits(text, column.type))
    throw failed(
      "storage.tableImport.invalidData",
      `Load error: ${column.type} value '${text}' is not recognized, column "${name}".`,
    );
  return text;
}

function failed(code: string, message: string): ApiError {
  return new ApiError(400, code, message);
}
