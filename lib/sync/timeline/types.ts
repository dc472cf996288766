import type { RunError, RunStatus } from "../runs/types.ts";

/** What happened. */
export type TimelineKind = "run" | "schema_change" | "registry_change" | "rollback";

/**
 * One event of a workspace: a run began, a run changed the columns of a table, the registration of a table changed, or an
 * earlier generation was published again.
 */
export interface TimelineEntry {
  /** Unique, with limited `access` together with `at`. */
  readonly id: string;
  /** By the clock of the process that caused it. */
  readonly at: Date;
  readonly kind: TimelineKind;
  /** Null for the folder of a bucket. */
  readonly source: string | null;
  /** The id of the table; null if it concerns a whole source. */
  readonly table: string | null;
  /** What happened, as one line. */
  readonly summary: string;
  /** Who caused it; null if it is unknown, as of rollbacks by earlier versions, or if `access` is limited. */
  readonly actor: string | null;
  /** The run, of `run` and `schema_change`. */
  readonly runId: string | null;
  /** The status of the run; with limited `access`, that of its accessible tables. */
  readonly status: RunStatus | null;
  /** Why the run failed; null with limited `access`. */
  readonly error: RunError | null;
  /** The version of the registry, of `registry_change`; null with limited `access`. */
  readonly version: number | null;
  /** The generation of the source that was published; with limited `access`, only if it has new rows of an accessible table. */
  readonly generation: number | null;
}

/** Which events to return. */
export interface TimelineOptions {
  /** Only those that concern this table: its id or view name, or the last ones of an unregistered table. Default: all tables. */
  readonly table?: string;
  /** Only those of this source. Default: all sources. */
  readonly source?: string;
  /** Maximum number of events, from 1 to 1,000. Default: 50. */
  readonly limit?: number;
  /** `next` of the last page, for older events. Default: the newest events. */
  readonly before?: string;
  /**
   * The ids of the tables that the caller may access. Other tables are left out, and actors, errors and counts are hidden.
   * Default: all.
   */
  readonly access?: ReadonlySet<string> | null;
}

/** A page of events, the newest first. */
export interface Timeline {
  readonly entries: readonly TimelineEntry[];
  /** `before` of the next page; null if there are no older events. */
  readonly next: string | null;
}
