import { statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";

import type { CloudContent } from "./cloud.ts";
import { csvRecord } from "./csv.ts";
import { formatTimestamp, parseTime } from "./dates.ts";
import { ApiError, invalid } from "./errors.ts";
import { compileFilters, toFilters, type WhereFilter } from "./filters.ts";
import { booleanOf, checkNames, numberOf, textOf, type Parameters } from "./parameters.ts";
import { writeParquet } from "./parquet.ts";
import type { KeboolaScript } from "./script.ts";
import type { KeboolaTable, StoredRow } from "./table.ts";
import { kindOf, type CellValue } from "./types.ts";

/** An export as it was asked for. */
export interface ExportRequest {
  readonly columns: readonly string[];
  readonly filters: readonly WhereFilter[];
  readonly changedSince: Date | null;
  readonly changedUntil: Date | null;
  readonly limit: number | undefined;
  readonly gzip: boolean;
  readonly fileType: "csv" | "parquet";
  readonly hasTimestamp: boolean;
}

/** A file of an export. */
export interface ExportedSlice {
  readonly content: CloudContent;
  readonly isGzip: boolean;
  readonly sizeBytes: number;
}

const NAMES = ["limit", "format", "changedSince", "changedUntil", "columns", "whereFilters", "gzip"].concat([
  "includeInternalTimestamp",
  "fileType",
  "timezone",
]);

/**
 * Checks the parameters of an export.
 * @throws ApiError 400 for parameters that the table or the backend does not take
 */
export function readExport(
  parameters: Parameters,
  table: KeboolaTable,
  script: KeboolaScript,
  now: Date,
): ExportRequest {
  checkNames(parameters, NAMES);
  const { backend = "snowflake" } = script;
  const time = (name: string): Date | null => {
    const text = textOf(parameters, name);
    if (text === undefined) return null;
    const { timestampType } = (table.source?.table ?? table).options;
    if (timestampType === "NONE")
      throw invalid(
        `${name}: Table "${table.id}" has no column _timestamp and cannot be filtered by changes.`,
      );
    const found = parseTime(text, now);
    if (found === null) throw invalid(`${name}: The value "${text}" is not a time.`);
    return found;
  };
  const columns = textOf(parameters, "columns")?.split(",") ?? table.columns;
  const missing = columns.find((name) => !table.columns.includes(name));
  if (missing !== undefined)
    throw invalid(`columns: Column "${missing}" does not exist in table "${table.id}".`);
  const fileType = textOf(parameters, "fileType") ?? "csv";
  if (fileType !== "csv" && fileType !== "parquet")
    throw invalid(`fileType: "${fileType}" is not supported.`);
  if (fileType === "parquet" && script.parquet === false)
    throw invalid('fileType: The file type "parquet" is not supported by the project.');
  if ((textOf(parameters, "format") ?? "rfc") !== "rfc") throw invalid("format: only rfc is faked.");
  if (fileType === "parquet" && textOf(parameters, "timezone") !== undefined)
    throw invalid("timezone: Not supported for Parquet exports.");
  const hasTimestamp = booleanOf(parameters, "includeInternalTimestamp", false);
  if (hasTimestamp && backend !== "snowflake")
    throw invalid("includeInternalTimestamp: Available only for Snowflake.");
  const filters = toFilters(parameters["whereFilters"]);
  compileFilters(filters, filterContext(table, backend, now));
  return {
    columns,
    filters,
    changedSince: time("changedSince"),
    changedUntil: time("changedUntil"),
    limit: numberOf(parameters, "limit"),
    gzip: booleanOf(parameters, "gzip", false),
    fileType,
    hasTimestamp,
  };
}

/** Returns the rows of an export; `changedSince` is inclusive, `changedUntil` is not. */
export function selectRows(
  table: KeboolaTable,
  request: ExportRequest,
  { backend = "snowflake", shuffle = true }: KeboolaScript,
  { now, random }: { readonly now: Date; readonly random: () => number },
): readonly StoredRow[] {
  if (table.options.requirePartitionFilter === true && request.filters.length === 0)
    throw new ApiError(
      400,
      "storage.backend.error",
      `Cannot query over table '${table.name}' without a filter over column(s) that can be used for partition elimination`,
    );
  const { changedSince, changedUntil, limit = Infinity } = request;
  const test = compileFilters(request.filters, filterContext(table, backend, now));
  const found = table.rows.filter(
    ({ values, timestamp }) =>
      (changedSince === null || timestamp >= changedSince) &&
      (changedUntil === null || timestamp < changedUntil) &&
      test((column) => values.get(column) ?? null),
  );
  return (shuffle ? shuffled(found, random) : found).slice(0, limit);
}

/** Writes rows as slices; without rows there are none. */
export async function writeSlices(
  table: KeboolaTable,
  request: ExportRequest,
  rows: readonly StoredRow[],
  script: KeboolaScript,
): Promise<readonly ExportedSlice[]> {
  const { columns, fileType, hasTimestamp } = request;
  const { sliceRows = 40, isSliced = true } = script;
  const prepared = table.prepared?.[fileType];
  if (prepared !== undefined) return preparedSlices(table, request, prepared);
  const names = hasTimestamp ? [...columns, "_timestamp"] : columns;
  const records = rows.map(({ values, timestamp }): readonly CellValue[] => {
    const cells = columns.map((name) => values.get(name) ?? null);
    return hasTimestamp ? [...cells, formatTimestamp(timestamp)] : cells;
  });
  const slices = isSliced ? chunks(records, sliceRows) : [records];
  if (fileType === "parquet") {
    const typeOf = (name: string) => (script.parquetTypes === "native" ? table.types?.get(name) : undefined);
    return (await writeParquet(names, slices, typeOf)).map((content) => toSlice(content, false));
  }
  const isText = names.map((name) => {
    const type = table.types?.get(name)?.type;
    return type === undefined ? name !== "_timestamp" : kindOf(type) === "text";
  });
  const isGzip = script.gzip ?? request.gzip;
  return slices.map((slice, at) => {
    const lines = slice.map((values) => csvRecord(values, isText));
    const header = hasHeader(script, isSliced, at)
      ? csvRecord(
          names,
          names.map(() => true),
        )
      : "";
    const bytes = Buffer.from(header + lines.join(""));
    return toSlice(isGzip ? gzipSync(bytes) : bytes, isGzip);
  });
}

function toSlice(content: Uint8Array, isGzip: boolean): ExportedSlice {
  return { content, isGzip, sizeBytes: content.length };
}

/** Files that are exported as they are; only of the whole table, because nobody looks into them. */
function preparedSlices(
  table: KeboolaTable,
  { columns, filters, limit, changedSince }: ExportRequest,
  paths: readonly string[],
): readonly ExportedSlice[] {
  const isWhole = filters.length === 0 && limit === undefined && columns.join() === table.columns.join();
  if (!isWhole) throw new Error(`${table.id} is prepared: it can be exported as a whole only`);
  if (changedSince !== null && table.lastChange !== null && changedSince > table.lastChange) return [];
  return paths.map((path) => {
    const { size } = statSync(path);
    return { content: () => readFile(path), isGzip: path.endsWith(".gz"), sizeBytes: size };
  });
}

function hasHeader({ header = "unsliced" }: KeboolaScript, isSliced: boolean, at: number): boolean {
  if (header === "each slice") return true;
  if (header === "first slice") return at === 0;
  return header === "unsliced" && !isSliced;
}

/** What the filters of a table are checked against. */
export function filterContext(table: KeboolaTable, backend: "snowflake" | "bigquery", now: Date) {
  const { columns, types } = table;
  return { columns, typeOf: (column: string) => types?.get(column)?.type, backend, now };
}

function chunks<T>(rows: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(rows.length / size) }, (_, at) =>
    rows.slice(at * size, (at + 1) * size),
  );
}

/** Returns the values in random order. */
export function shuffled<T>(values: readonly T[], random: () => number): readonly T[] {
  const all = [...values];
  for (let at = all.length - 1; at > 0; at -= 1) {
    const other = Math.floor(random() * (at + 1));
    [all[at], all[other]] = [all[other]!, all[at]!];
  }
  return all;
}
