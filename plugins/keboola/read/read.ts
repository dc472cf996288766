import { AgnesError, type Batch, type ReadOptions, type ReadResult, type TableInfo } from "agnes/kit";

import {
  isUnchangedSince,
  planRead,
  rowsOf,
  shapeOf,
  stateAfter,
  type ReadPlan,
  type ReadSubject,
} from "./changes.ts";
import { columnsOf, isNativeText, isTyped, type TableColumn } from "../tables/columns.ts";
import { digest } from "../digest.ts";
import { errors } from "../errors.ts";
import type { ExportRequest, FinishedExport } from "../export/export.ts";
import { keepAlive, startHeartbeat } from "../export/keep-alive.ts";
import { kindOf } from "../tables/kinds.ts";
import { checkLiveSize } from "./live-limit.ts";
import { PendingFile } from "../export/pending.ts";
import { chunkOf, readingsOf } from "./reading.ts";
import { ExportSlices, sliceError } from "../export/slices.ts";
import type { Source } from "../source.ts";
import { bucketOf, tableIdOf } from "../tables/table-id.ts";
import { statusOf } from "../api/api.ts";
import type { StorageTable } from "../api/schemas.ts";
import type { FoundTable } from "../tables/tables.ts";
import { backendOf, typeOfField, type ColumnType } from "../tables/types.ts";
import { exportQueryOf } from "./source-query.ts";
import { appliesExactly, whereFilters } from "../export/where-filters.ts";

/** Downloads of one read; all reads of a source share `DOWNLOADS_MAX`. */
const DOWNLOADS = 4;

/** Reads a table by exporting it: all of it, or the rows that changed since the last read. */
export async function* readTable(
  source: Source,
  info: TableInfo,
  options: ReadOptions,
): AsyncGenerator<Batch, ReadResult> {
  const { signal } = options;
  const subject = await subjectOf(source, info, options);
  const plan = planRead(subject, options);
  if (plan.kind === "unchanged") return { unchanged: true, state: options.state! };
  const pending = new PendingFile(options.directory);
  const request = requestOf(subject, plan, options);
  await checkLiveSize(source, subject.found, request, options);
  const run = { pending, signal, onProgress: options.onProgress };
  const finished = await source.exports.run(request, run);
  yield* chunks(source, subject, { request, finished, options });
  const marginMinutes = source.settings.changeMarginMinutes;
  const state = stateAfter(subject, options, { startedAt: finished.startedAt, marginMinutes });
  const tableRows = await tableRowsOf(source, subject, options);
  const isWhole = plan.kind === "whole" && plan.replaces;
  return { state, ...(isWhole ? { isWhole } : {}), ...(tableRows === null ? {} : { tableRows }) };
}

/** Returns the table as it is now, with the types that the runtime expects. */
async function subjectOf(source: Source, info: TableInfo, options: ReadOptions): Promise<ReadSubject> {
  const { signal, bucket, directory } = options;
  await source.token.get(signal);
  const found = await source.tables.get(tableIdOf(info.name, bucket), signal);
  const { found: complete, isKnown } = await withBucket(source, found, signal);
  const known = new Map(columnsOf(complete.table).map((column) => [column.name, column]));
  const declared = new Map(info.schema.fields.map((field) => [String(field.name), typeOfField(field)]));
  const wanted = options.columns ?? [...declared.keys()];
  const columns = wanted.map((name): TableColumn => {
    const column = known.get(name);
    const type = declared.get(name);
    if (column === undefined) throw outdated(info, `it has no column ${JSON.stringify(name)} any more`);
    // Types of a typed table that a list does not contain. Outside a sync the description cannot be corrected.
    if (type !== undefined && type !== column.type && directory !== undefined)
      throw outdated(info, `its column ${JSON.stringify(name)} is ${column.type}, not ${type}`);
    return { ...column, type: type ?? column.type };
  });
  return { info, found: complete, columns, isKnown };
}

/** The runtime then describes the table again and repeats the read. */
function outdated({ name }: TableInfo, reason: string): AgnesError {
  return new AgnesError("file_reading_outdated", { file: name, reason });
}

/** Adds whether the bucket of a table is external, if the table itself does not contain it. */
async function withBucket(
  source: Source,
  found: FoundTable,
  signal: AbortSignal,
): Promise<{ readonly found: FoundTable; readonly isKnown: boolean }> {
  const { table, branch } = found;
  const isTold = (table.bucket?.hasExternalSchema ?? null) !== null;
  if (isTold) return { found, isKnown: true };
  try {
    const bucket = await source.tables.bucket(bucketOf(table.id), branch, signal);
    // A stack without external buckets does not return it.
    return { found: { table: { ...table, bucket: { ...table.bucket, ...bucket } }, branch }, isKnown: true };
  } catch (error) {
    if (statusOf(error) !== 403 && statusOf(error) !== 404) throw error;
    return { found, isKnown: false };
  }
}

function requestOf(subject: ReadSubject, plan: ReadPlan, options: ReadOptions): ExportRequest {
  const { found, columns, isKnown } = subject;
  const { table, branch } = found;
  const backend = backendOf(table.bucket?.backend);
  const filterColumns = {
    types: filterTypesOf(table),
    unfilterable: new Set(
      (table.definition?.columns ?? []).flatMap(({ name, canBeFiltered }) =>
        canBeFiltered === false ? [name] : [],
      ),
    ),
    isTyped: isTyped(table),
    backend,
  };
  const filters = whereFilters(options.filter, filterColumns);
  if (table.definition?.requirePartitionFilter === true && filters.length === 0)
    throw errors.partition_filter_required({
      table: table.id,
      column: table.definition.timePartitioning?.field ?? null,
    });
  const extra = csvExtraOf(subject);
  const kind = kindOf(table);
  // A schema outside of Keboola may have collations.
  const isStored = isKnown && kind !== "external" && kind !== "view";
  const isExact =
    (options.filter ?? []).length === 0 || (isStored && appliesExactly(options.filter, filterColumns));
  const hasLimit = options.limit !== undefined && isExact;
  const what = {
    table: table.id,
    branch,
    columns: columns.map(({ name }) => name),
    csvExtra: extra === null ? null : extra.map(({ name }) => name),
    whereFilters: filters,
    ...(plan.kind === "changes" ? plan.range : {}),
    ...exportQueryOf(options, table),
    ...(hasLimit ? { limit: options.limit } : {}),
    hasTimezone: backend === "snowflake" && isTyped(table),
  };
  const isVolatile = !(kind === "table" || kind === "alias") || (table.lastChangeDate ?? null) === null;
  const fingerprint = digest([what, shapeOf(subject, options), table.lastChangeDate ?? null]);
  return { ...what, fingerprint, isVolatile };
}

/** The types of the columns that conditions compare; the backend compares VARIANT or BINARY in other ways than Agnes. */
function filterTypesOf(table: StorageTable): ReadonlyMap<string, ColumnType> {
  const columns = columnsOf(table).filter(
    ({ type, nativeType }) => type !== "VARCHAR" || (nativeType !== null && isNativeText(nativeType)),
  );
  return new Map(columns.map(({ name, type }) => [name, type]));
}

/** See `ExportRequest.csvExtra`. */
function csvExtraOf({
  info,
  found,
  columns,
}: ReadSubject): readonly Pick<TableColumn, "name" | "type">[] | null {
  const [only, ...others] = columns;
  if (only === undefined || others.length > 0 || !isTyped(found.table) || only.nullable === false) return [];
  const declared = new Set(info.schema.fields.map((field) => String(field.name)));
  const extra = columnsOf(found.table).find(({ name }) => name !== only.name && declared.has(name));
  // Its values are not used, whatever they are.
  return extra === undefined ? null : [{ name: extra.name, type: "VARCHAR" }];
}

/** Downloads the files of an export and yields each of them. */
async function* chunks(
  source: Source,
  subject: ReadSubject,
  {
    request,
    finished,
    options,
  }: { readonly request: ExportRequest; readonly finished: FinishedExport; readonly options: ReadOptions },
): AsyncGenerator<Batch, void> {
  const { signal, directory, onProgress } = options;
  const { found, columns } = subject;
  const { table } = request;
  const { file } = finished;
  const slices = new ExportSlices(
    { ...source.cloud, file: (stop) => source.exports.file(file.id, request, stop) },
    table,
    file,
  );
  const files = await keepAlive("listing the files", onProgress, () => slices.list(signal)).catch(
    (error: unknown) => {
      throw sliceError(error, table);
    },
  );
  const csvExtra = csvExtraOf(subject) ?? [];
  const readings = readingsOf(columns, { isTyped: isTyped(found.table), csvExtra });
  const places = await keepAlive("waiting for other downloads", onProgress, () =>
    source.downloads.take(DOWNLOADS, signal),
  );
  const stop = startHeartbeat(onProgress);
  try {
    const request = { format: "csv", directory, concurrency: places.count, onProgress, signal } as const;
    // Slices have none: a row that equals the names is one.
    const canHaveHeader = file.isSliced !== true;
    for await (const chunk of source.cloud.http.download(files, request))
      yield await chunkOf(chunk, readings, canHaveHeader);
  } catch (error) {
    throw sliceError(error, table);
  } finally {
    stop();
    places.release();
  }
}

/** Returns the number of rows that the published table must have; null if it is not certain. */
async function tableRowsOf(
  source: Source,
  subject: ReadSubject,
  options: ReadOptions,
): Promise<number | null> {
  // Only a sync compares it.
  if (options.directory === undefined || options.window !== undefined) return null;
  // Rows of earlier windows may have been deleted since.
  const isPart = options.changes?.to !== undefined;
  if (isPart && !isUnchangedSince(subject, options)) return null;
  const { table, branch } = subject.found;
  if (rowsOf(subject, options) === null) return null;
  const after = await source.tables.getFrom(table.id, branch, options.signal);
  if (after === null) return null;
  const bucket = { ...table.bucket, ...after.bucket };
  const now = { ...subject, found: { table: { ...after, bucket: bucket as typeof table.bucket }, branch } };
  const rows = rowsOf(now, options);
  const isSame = table.lastChangeDate !== null && table.lastChangeDate === after.lastChangeDate;
  return isSame ? rows : null;
}
