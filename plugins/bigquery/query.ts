import type {
  arrow,
  Batch,
  QueryEstimate,
  SelectRequest,
  SourceQueryOptions,
  SourceResult,
  TableInfo,
} from "agnes/kit";

import { errors } from "./errors.ts";
import { tablePathOf } from "./names.ts";
import { namedParameters } from "./parameters.ts";
import type { QueryResult } from "./results.ts";
import { selectOf } from "./select.ts";
import type { Source } from "./source.ts";
import type { StorageReads } from "./storage/reads.ts";
import { resultRows } from "./storage/result.ts";
import { schemaOf } from "./types.ts";

const WHAT = "the query";
const BATCH_ROWS = 8192;

/** Runs one SELECT, whose cost is estimated first. */
export async function runQuery(
  { jobs, settings, storage }: Source,
  sql: string,
  { parameters = {}, limits = {}, signal }: SourceQueryOptions,
): Promise<SourceResult> {
  const { maxScannedBytes = Number.POSITIVE_INFINITY, timeoutMs } = limits;
  const result = await jobs.run({
    sql,
    parameters: namedParameters(parameters),
    location: settings.location,
    limitBytes: Math.min(maxScannedBytes, settings.maxBytesPerQuery),
    timeoutMs,
    what: WHAT,
    signal,
  });
  const schema = schemaOf(result.fields, WHAT);
  return { schema, batches: rowsOf(storage, result, schema, signal) };
}

async function* rowsOf(
  storage: StorageReads,
  result: QueryResult,
  schema: arrow.Schema,
  signal: AbortSignal,
): AsyncGenerator<Batch, void, void> {
  const isRead = yield* resultRows(storage, result, schema, WHAT, signal);
  if (!isRead) yield* result.rows(BATCH_ROWS);
}

/** Estimates a query by a dry run. Bytes that are not an upper bound are unknown. */
export async function estimateQuery(
  { jobs, settings }: Source,
  sql: string,
  { parameters = {}, signal }: Omit<SourceQueryOptions, "limits">,
): Promise<QueryEstimate> {
  const { location } = settings;
  const { scannedBytes } = await jobs.dryRun({
    sql,
    parameters: namedParameters(parameters),
    location,
    what: WHAT,
    signal,
  });
  return scannedBytes === undefined ? {} : { scannedBytes };
}

/** Returns the SELECT for a live table. */
export function selectSql({ settings }: Source, info: TableInfo, request: SelectRequest): string {
  const { project } = settings;
  const name = info.remotePath?.join(".") ?? info.name;
  const path = tablePathOf(name, project);
  if (path === null) throw errors.table_missing({ table: info.name, project });
  return selectOf(path, info.schema, { ...request, name: info.name }).sql;
}
