import type { RunTable, RunWithProgress, TableProgress } from "./runs/types.ts";
import type { TimelineEntry } from "./timeline/types.ts";
import type { TableSyncStatus } from "./sync-status.ts";

/** A run as JSON of the CLI and of the HTTP API. */
export function storedRun(run: RunWithProgress) {
  return {
    id: run.id,
    source: run.source,
    trigger: run.trigger,
    actor: run.actor,
    full: run.full,
    requested: run.requested,
    started_at: run.startedAt,
    ended_at: run.endedAt,
    status: run.status,
    generation: run.generation,
    published: run.published,
    counts: run.counts,
    tables: run.tables.map(storedTable),
    error: run.error,
    skips: run.skips,
    warning: run.warning,
    progress: run.progress.map(storedProgress),
  };
}

function storedTable(table: RunTable) {
  return {
    name: table.name,
    status: table.status,
    rows: table.rows,
    size_bytes: table.sizeBytes,
    rows_read: table.rowsRead,
    schema_changes: table.schemaChanges,
    error: table.error,
    elapsed_ms: Math.round(table.elapsedMs),
  };
}

function storedProgress({ table, phase, rows, sizeBytes, share }: TableProgress) {
  return { table, phase, rows, size_bytes: sizeBytes, share };
}

/** An event of the timeline as JSON of the CLI and of the HTTP API. */
export function storedTimelineEntry({ runId, at, ...entry }: TimelineEntry) {
  return { ...entry, at: at.toISOString(), run_id: runId };
}

/** The state of a synced table as JSON of the CLI and of the HTTP API. */
export function storedSyncStatus(status: TableSyncStatus) {
  return {
    id: status.id,
    view_name: status.viewName,
    source: status.source,
    status: status.status,
    schedule: status.schedule,
    due_at: status.dueAt?.toISOString() ?? null,
    attempted_at: status.attemptedAt?.toISOString() ?? null,
    succeeded_at: status.succeededAt?.toISOString() ?? null,
    failures: status.failures,
    error: status.error,
    run_id: status.runId,
    progress: status.progress === null ? null : storedProgress(status.progress),
  };
}
