import {
  AgnesError,
  type arrow,
  type Batch,
  type QueryEstimate,
  type Row,
  type SelectRequest,
  type SourceQueryOptions,
  type SourceResult,
  type TableInfo,
} from "agnes/kit";

import { errors } from "./errors.ts";
import { checkBytes, priceOf, type DryRun } from "./estimate.ts";
import { tablePathOf } from "./names.ts";
import { namedParameters } from "./parameters.ts";
import { namesItsTables, referencedTables } from "./referenced-tables.ts";
import type { QueryResult } from "./results.ts";
import { selectOf } from "./select.ts";
import { shardPrefixOf, shardRelation } from "./shards.ts";
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
  { parameters = {}, limits = {}, isMaterialized = false, user, signal, onJob }: SourceQueryOptions,
): Promise<SourceResult> {
  const {
    maxScannedBytes = Number.POSITIVE_INFINITY,
    timeoutMs,
    maxRows = Number.POSITIVE_INFINITY,
  } = limits;
  const { maxBytesPerQuery, maxBytesPerMaterialize } = settings;
  const result = await jobs.run({
    sql,
    parameters: namedParameters(parameters),
    location: settings.location,
    limitBytes: Math.min(maxScannedBytes, isMaterialized ? maxBytesPerMaterialize : maxBytesPerQuery),
    timeoutMs,
    user,
    what: WHAT,
    signal,
    onJob,
  });
  if (result.totalRows > maxRows) throw errors.result_too_large({ what: WHAT, unit: "rows", limit: maxRows });
  const schema = schemaOf(result.fields, WHAT);
  const { maxBytes } = limits;
  if (maxBytes !== undefined) return { schema, batches: limited(result.rows(BATCH_ROWS), maxBytes) };
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

/** Fails when rows have more bytes than the limit, each counted as a line of JSON. */
async function* limited(
  pages: AsyncIterable<readonly Row[]>,
  limit: number,
): AsyncGenerator<readonly Row[], void, void> {
  let sizeBytes = 0;
  for await (const rows of pages) {
    for (const row of rows) sizeBytes += Buffer.byteLength(JSON.stringify(row, asText)) + 1;
    if (sizeBytes > limit) throw errors.result_too_large({ what: WHAT, unit: "bytes", limit });
    yield rows;
  }
}

const asText = (_: string, value: unknown): unknown =>
  value instanceof Uint8Array ? Buffer.from(value).toString("base64") : value;

/**
 * Estimates a query by a dry run. Bytes that are not an upper bound are unknown. The limit of one query is at most what is left of
 * the day, so that the queries of one `register` have it together before any runs.
 */
export async function estimateQuery(
  { jobs, datasets, settings }: Source,
  sql: string,
  { parameters = {}, user, signal }: Omit<SourceQueryOptions, "limits" | "isMaterialized" | "onJob">,
): Promise<QueryEstimate> {
  const { location } = settings;
  const dryRun = await jobs.dryRun({
    sql,
    parameters: namedParameters(parameters),
    location,
    user,
    what: WHAT,
    signal,
  });
  const { scannedBytes, statementType, fields } = dryRun;
  const { problem, maxScannedBytes } = await limitOf(dryRun, { jobs, settings }, { user, signal });
  const price = scannedBytes === undefined ? undefined : priceOf(scannedBytes, settings);
  return {
    ...(scannedBytes === undefined ? {} : { scannedBytes }),
    maxScannedBytes,
    ...(price === undefined ? {} : { price }),
    ...(statementType === undefined ? {} : { statementType }),
    ...(fields.length === 0 ? {} : { schema: schemaOf(fields, WHAT) }),
    ...(dryRun.hasAllTables && namesItsTables(sql)
      ? { referencedTables: await referencedTables(dryRun.references, { datasets, settings }, signal) }
      : {}),
    ...(problem === undefined ? {} : { problem }),
  };
}

/** The limit of the bytes of a query, and why it would not run. */
async function limitOf(
  dryRun: DryRun,
  { jobs, settings }: Pick<Source, "jobs" | "settings">,
  request: { readonly user: string | undefined; readonly signal: AbortSignal },
): Promise<{ readonly maxScannedBytes: number; readonly problem?: AgnesError }> {
  const { maxBytesPerQuery } = settings;
  try {
    checkBytes(dryRun, maxBytesPerQuery, settings);
    const leftBytes = await jobs.leftToday(dryRun.scannedBytes, request);
    return { maxScannedBytes: Math.min(maxBytesPerQuery, leftBytes) };
  } catch (error) {
    if (request.signal.aborted || !(error instanceof AgnesError)) throw error;
    return { maxScannedBytes: maxBytesPerQuery, problem: error };
  }
}

/** Returns the SELECT for a live table. */
export function selectSql({ settings }: Source, info: TableInfo, request: SelectRequest): string {
  const { project } = settings;
  const name = info.remotePath?.join(".") ?? info.name;
  const path = tablePathOf(name, project);
  if (path === null) throw errors.table_missing({ table: info.name, project });
  const from = shardPrefixOf(path) === null ? {} : { from: shardRelation(path) };
  return selectOf(path, info.schema, { ...request, ...from, name: info.name }).sql;
}
