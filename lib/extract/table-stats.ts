import { isAgnesError, redactValue, type AgnesError } from "../base/mod.ts";
import type { JobList } from "../sources/mod.ts";
import type { TableOutcome } from "./extract-table.ts";
import type { PublishedTable } from "./format/extract-state.ts";
import type { TablePlan } from "./job/plan.ts";
import type { ExtractSource } from "./job/services.ts";
import type { TableStats } from "./stats.ts";

/** The figures without secrets. Names of tables are not redacted. */
function withoutSecrets(stats: TableStats, { secrets = [] }: ExtractSource): TableStats {
  const { notes, schemaChanges } = stats;
  return {
    ...stats,
    notes: redactValue(notes, secrets),
    schemaChanges: redactValue(schemaChanges, secrets),
  };
}

/** The figures of a table that was read. */
export function statsOf(
  plan: TablePlan,
  outcome: TableOutcome,
  source: ExtractSource,
  run: { readonly elapsedMs: number; readonly jobs: JobList },
): TableStats {
  const { table, changed, ...figures } = outcome;
  const stats: TableStats = {
    id: plan.id,
    name: plan.name,
    status: changed ? "extracted" : "unchanged",
    strategy: plan.strategy,
    ...figures,
    notes: [...(plan.info.notes ?? []), ...figures.notes],
    rows: table.rows,
    sizeBytes: table.sizeBytes,
    parts: table.parts.length,
    ...run.jobs.field,
    elapsedMs: run.elapsedMs,
  };
  return withoutSecrets(stats, source);
}

/** The figures of a table that failed; its published data is kept. */
export function failedStats(
  plan: TablePlan,
  previous: PublishedTable | undefined,
  error: AgnesError,
  run: { readonly elapsedMs: number; readonly jobs: JobList },
): TableStats {
  const rejected = isAgnesError(error, "quarantine_exceeded") ? error.details : undefined;
  return {
    id: plan.id,
    name: plan.name,
    status: "failed",
    strategy: plan.strategy,
    full: false,
    rowsRead: rejected?.read ?? 0,
    rowsDeleted: 0,
    rowsQuarantined: rejected?.rejected ?? 0,
    ...(rejected === undefined ? {} : { quarantinePath: rejected.path }),
    rows: previous?.rows ?? 0,
    sizeBytes: previous?.sizeBytes ?? 0,
    parts: previous?.parts.length ?? 0,
    partsWritten: 0,
    schemaChanges: [],
    notes: previous === undefined ? [] : [`last published: ${previous.extractedAt.toISOString()}`],
    ...run.jobs.field,
    error,
    elapsedMs: run.elapsedMs,
  };
}

/** Adds a note if a remote table has no view. */
export function withRemoteNote(table: TableStats, unattached: ReadonlyMap<string, string>): TableStats {
  const reason = unattached.get(table.name);
  if (reason === undefined) return table;
  return { ...table, notes: [...table.notes, `it has no view in extract.duckdb: ${reason}`] };
}
