import {
  AgnesError,
  type QueryEstimate,
  type SelectRequest,
  type SourceQueryOptions,
  type SourceResult,
  type TableInfo,
} from "agnes/kit";

import { errors } from "./errors.ts";
import { checkBytes, type DryRun } from "./estimate.ts";
import { tableNameOf, tablePathOf } from "./names.ts";
import { namedParameters } from "./parameters.ts";
import { selectOf } from "./select.ts";
import type { Source } from "./source.ts";
import { schemaOf } from "./types.ts";

const WHAT = "the query";
const BATCH_ROWS = 8192;

/** Runs one SELECT, whose cost is estimated first. */
export async function runQuery(
  { jobs, settings }: Source,
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
  return { schema: schemaOf(result.fields, WHAT), batches: result.rows(BATCH_ROWS) };
}

/** Estimates a query by a dry run. Bytes that are not an upper bound are unknown. */
export async function estimateQuery(
  { jobs, settings }: Source,
  sql: string,
  { parameters = {}, signal }: Omit<SourceQueryOptions, "limits">,
): Promise<QueryEstimate> {
  const { location, maxBytesPerQuery, project } = settings;
  const dryRun = await jobs.dryRun({
    sql,
    parameters: namedParameters(parameters),
    location,
    what: WHAT,
    signal,
  });
  const { scannedBytes, statementType, fields } = dryRun;
  const problem = bytesProblem(dryRun, maxBytesPerQuery);
  return {
    ...(scannedBytes === undefined ? {} : { scannedBytes }),
    ...(statementType === undefined ? {} : { statementType }),
    ...(fields.length === 0 ? {} : { schema: schemaOf(fields, WHAT) }),
    ...(dryRun.hasAllTables && namesItsTables(sql)
      ? { referencedTables: dryRun.references.map((path) => tableNameOf(path, project)) }
      : {}),
    ...(problem === undefined ? {} : { problem }),
  };
}

/** What BigQuery does not list with the tables of a query. A backslash may hide a name in an escape sequence. */
const UNLISTED = /\\|external_query|information_schema/i;

const namesItsTables = (sql: string): boolean => !UNLISTED.test(sql);

/** Why a query would not run. */
function bytesProblem(dryRun: DryRun, limitBytes: number): AgnesError | undefined {
  try {
    checkBytes(dryRun, limitBytes);
    return undefined;
  } catch (error) {
    if (error instanceof AgnesError) return error;
    throw error;
  }
}

/** Returns the SELECT for a live table. */
export function selectSql({ settings }: Source, info: TableInfo, request: SelectRequest): string {
  const { project } = settings;
  const name = info.remotePath?.join(".") ?? info.name;
  const path = tablePathOf(name, project);
  if (path === null) throw errors.table_missing({ table: info.name, project });
  return selectOf(path, info.schema, { ...request, name: info.name }).sql;
}
