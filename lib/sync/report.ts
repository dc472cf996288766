import type { AgnesError } from "../base/mod.ts";
import type { RebuildReport } from "../analytics/mod.ts";
import type { ProfileOutcome } from "../profile/mod.ts";
import type { ExtractStats } from "../extract/mod.ts";
import type { EventsReport } from "./merge-events.ts";

/** The result of one run of a source. */
export interface SourceReport {
  readonly source: string;
  /**
   * `unregistered`: the source has no registered table; `skipped`: it is not ready, by the health check of its plugin, so
   * nothing was read, and no table counts as failed. `error` has the reason.
   */
  readonly status: "complete" | "partial" | "failed" | "unregistered" | "skipped";
  /** Missing if the run failed before the first read. */
  readonly stats?: ExtractStats;
  /** Pushed events; missing if the source pushes none, or the run failed before the merge. */
  readonly events?: EventsReport;
  /** The error of the whole source, or of merging its events, which then stay on disk. */
  readonly error?: AgnesError;
  /** Ids of the tables that this run registered. */
  readonly registered: readonly string[];
  /** Notes for users: changed names, tables that the source no longer has. */
  readonly notes: readonly string[];
}

/** The result of `sync`. */
export interface SyncReport {
  /** `complete`: all requested tables are up to date; `partial`: some are; `failed`: none is. */
  readonly status: "complete" | "partial" | "failed";
  readonly sources: readonly SourceReport[];
  /** Notes on registered tables whose source is not in `agnes.yaml`. Empty unless all sources are synced. */
  readonly notes: readonly string[];
  readonly analytics: RebuildReport;
  /** The profiles of the tables that changed; none of tables without `profileAfterSync`. A failure is no failure of the sync. */
  readonly profiles: readonly ProfileOutcome[];
}

/** The combined status of several sources. */
export function statusOf(sources: readonly SourceReport[]): SyncReport["status"] {
  const good = sources.filter((source) => source.status === "complete" || source.status === "unregistered");
  if (good.length === sources.length) return "complete";
  return sources.some((source) => source.status === "partial") || good.length > 0 ? "partial" : "failed";
}
