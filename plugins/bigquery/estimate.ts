import type { QueryEstimate } from "agnes/kit";

import { errors } from "./errors.ts";
import type { TablePath } from "./names.ts";
import type { Field, Job } from "./schemas.ts";
import type { Settings } from "./settings.ts";

const TEBIBYTE = 1024 ** 4;

/** What a dry run reports of a query. */
export interface DryRun {
  /** `SELECT`, `INSERT`, `SCRIPT`; undefined if BigQuery does not report it. */
  readonly statementType: string | undefined;
  /** The bytes that the query bills at most; undefined if they are unknown, for the reason in `unknown`. */
  readonly scannedBytes: number | undefined;
  readonly unknown: string | undefined;
  /** Whether its result is in the cache, so that it bills nothing. */
  readonly isCached: boolean;
  readonly location: string | undefined;
  /** The tables that the query reads, those of views included: `project.dataset.table`. */
  readonly tables: readonly string[];
  /** Whether `tables` is known to have all tables that the query reads. */
  readonly hasAllTables: boolean;
  /** The same tables. */
  readonly references: readonly TablePath[];
  readonly fields: readonly Field[];
}

/** The accuracies whose figure is not exceeded. */
const UPPER = new Set(["PRECISE", "UPPER_BOUND"]);

/** A list of this length may be incomplete. */
const TABLES_MAX = 50;

/** Returns what the job of a dry run reports. */
export function dryRunOf({ jobReference, statistics }: Job): DryRun {
  const { query, rowLevelSecurityStatistics: rowLevelSecurity } = statistics;
  const referenced = query?.referencedTables ?? [];
  const bytes = query?.totalBytesProcessed ?? statistics.totalBytesProcessed;
  const unknown = unknownReason(
    bytes,
    query?.totalBytesProcessedAccuracy,
    rowLevelSecurity?.rowLevelSecurityApplied === true,
  );
  return {
    statementType: query?.statementType,
    scannedBytes: unknown === undefined ? bytes : undefined,
    unknown,
    isCached: query?.cacheHit === true,
    location: jobReference.location,
    tables: referenced.map(({ projectId, datasetId, tableId }) => `${projectId}.${datasetId}.${tableId}`),
    hasAllTables: referenced.length < TABLES_MAX && (query?.referencedRoutines ?? []).length === 0,
    references: referenced.map(({ projectId, datasetId, tableId }) => ({
      project: projectId,
      dataset: datasetId,
      table: tableId,
    })),
    fields: query?.schema?.fields ?? [],
  };
}

/** Why a figure is no upper bound of the bytes; undefined if it is one. */
function unknownReason(
  bytes: number | undefined,
  accuracy: string | undefined,
  isHidden: boolean,
): string | undefined {
  if (isHidden) return "a row access policy of a table hides the bytes that the query reads";
  if (bytes === undefined) return "the dry run reports no bytes";
  if (accuracy === "LOWER_BOUND") return "the dry run reports only the least number of bytes";
  // An enum without a value is not sent, so no accuracy is an unknown one.
  return UPPER.has(accuracy ?? "UNKNOWN") ? undefined : "the dry run reports bytes of unknown accuracy";
}

/**
 * Checks that a query is one SELECT.
 * @throws `bigquery/statement_refused`
 */
export function checkStatement({ statementType }: DryRun): void {
  if (statementType === "SELECT") return;
  throw errors.statement_refused({ type: statementType ?? "of an unknown type" });
}

/**
 * Checks that the bytes of a query are known and within the limit.
 * @throws `bigquery/estimate_unknown`, `bigquery/scan_too_large`
 */
export function checkBytes(
  { scannedBytes, unknown, tables }: Pick<DryRun, "scannedBytes" | "unknown" | "tables">,
  limitBytes: number,
  { allowUnknownEstimates }: Pick<Settings, "allowUnknownEstimates">,
): void {
  if (scannedBytes === undefined) {
    if (allowUnknownEstimates) return;
    throw errors.estimate_unknown({ reason: unknown ?? "unknown" });
  }
  // A limit that is no number is exceeded.
  if (!(scannedBytes <= limitBytes)) throw errors.scan_too_large({ scannedBytes, limitBytes, tables });
}

/** The price of bytes; undefined if no rate is configured. */
export function priceOf(bytes: number, { price }: Pick<Settings, "price">): QueryEstimate["price"] {
  if (price === undefined) return undefined;
  return { amount: (bytes / TEBIBYTE) * price.perTebibyte, currency: price.currency };
}
