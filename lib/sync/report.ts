import type { AgnesError } from "../base/mod.ts";
import type { RebuildReport } from "../analytics/mod.ts";
import type { ExtractStats } from "../extract/mod.ts";

/** What one run of a source did. */
export interface SourceReport {
  readonly source: string;
  /** `unregistered`: nothing is registered for the source, so there was nothing to do. */
  readonly status: "complete" | "partial" | "failed" | "unregistered";
  /** Absent when the run failed before it could read anything. */
  readonly stats?: ExtractStats;
  /** Why the whole source failed. */
  readonly error?: AgnesError;
  /** Ids of the tables that this run registered first. */
  readonly registered: readonly string[];
  /** What a person should know: changed names, tables that vanished from the source. */
  readonly notes: readonly string[];
}

/** What `sync` did. */
export interface SyncReport {
  /** `complete`: every table is fresh; `partial`: some are; `failed`: none of what was asked for is. */
  readonly status: "complete" | "partial" | "failed";
  readonly sources: readonly SourceReport[];
  /** Notes on registered tables whose source is not in `agnes.yaml`: they are not synced. Empty unless all is synced. */
  readonly notes: readonly string[];
  readonly analytics: RebuildReport;
}

/** The status of several sources taken together. */
export function statusOf(sources: readonly SourceReport[]): SyncReport["status"] {
  const good = sources.filter((source) => source.status === "complete" || source.status === "unregistered");
  if (good.length === sources.length) return "complete";
  return sources.some((source) => source.status === "partial") || good.length > 0 ? "partial" : "failed";
}
