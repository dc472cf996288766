import type {
  QueryEstimate,
  Row,
  SelectRequest,
  SourceQueryOptions,
  SourceResult,
  TableInfo,
} from "agnes/kit";

import { priceOf } from "./estimate.ts";
import { errors } from "./errors.ts";
import { tablePathOf } from "./names.ts";
import { namedParameters } from "./parameters.ts";
import { selectOf } from "./select.ts";
import { shardPrefixOf, shardRelation } from "./shards.ts";
import type { Source } from "./source.ts";
import { schemaOf } from "./types.ts";

const WHAT = "the query";
const BATCH_ROWS = 8192;

/** Runs one SELECT, whose cost is estimated first. */
export async function runQuery(
  { jobs, settings }: Source,
  sql: string,
  { parameters = {}, limits = {}, isMaterialized = false, signal }: SourceQueryOptions,
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
    what: WHAT,
    signal,
  });
  if (result.totalRows > maxRows) throw errors.result_too_large({ what: WHAT, unit: "rows", limit: maxRows });
  return {
    schema: schemaOf(result.fields, WHAT),
    batches: limited(result.rows(BATCH_ROWS), limits.maxBytes),
  };
}

/** Fails when rows have more bytes than the limit, each counted as a line of JSON. */
async function* limited(
  pages: AsyncIterable<readonly Row[]>,
  limit: number | undefined,
): AsyncGenerator<readonly Row[], void, void> {
  let sizeBytes = 0;
  for await (const rows of pages) {
    if (limit !== undefined) {
      for (const row of rows) sizeBytes += Buffer.byteLength(JSON.stringify(row, asText)) + 1;
      if (sizeBytes > limit) throw errors.result_too_large({ what: WHAT, unit: "bytes", limit });
    }
    yield rows;
  }
}

const asText = (_: string, value: unknown): unknown =>
  value instanceof Uint8Array ? Buffer.from(value).toString("base64") : value;

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
  if (scannedBytes === undefined) return {};
  const price = priceOf(scannedBytes, settings);
  return { scannedBytes, ...(price === undefined ? {} : { price }) };
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
