import { snakeCase } from "../../lib/base/mod.ts";
import { storedFigures, type MetadataStatus, type TableRefresh } from "../../lib/metadata/mod.ts";

/** The refresh of one table in JSON, with the names of `POST /api/v2/metadata-cache/refresh`. */
export function refreshJson({ table, runId, status, error, metadata, fetchMs, totalMs }: TableRefresh) {
  return {
    table_id: table,
    run_id: runId,
    status,
    error: error?.message ?? null,
    error_code: error?.code ?? null,
    ...storedFigures(metadata),
    fetch_ms: fetchMs,
    total_ms: totalMs,
  };
}

/** The state of the cache in JSON, with the names of `GET /api/v2/metadata-cache/status`, and the last refresh. */
export function metadataStatusJson({ intervalSeconds, freshSeconds, at, lastRun, tables }: MetadataStatus) {
  return {
    scheduler_interval_seconds: intervalSeconds,
    fresh_threshold_seconds: freshSeconds,
    server_time: at,
    last_run: snakeCase(lastRun),
    tables: tables.map(({ lastError, ...table }) => ({
      table_id: table.table,
      name: table.viewName,
      source: table.source,
      can_refresh: table.canRefresh,
      freshness: table.freshness,
      refreshed_at: table.refreshedAt,
      no_data_at: table.noDataAt,
      error_at: lastError?.at ?? null,
      error_code: lastError?.code ?? null,
      error_msg: lastError?.message ?? null,
      ...storedFigures(table.metadata),
    })),
  };
}
