import type { TableStats } from "../../extract/mod.ts";
import type { SourceReport } from "../report.ts";

/** What requested a run: the CLI, a program that uses the library, an HTTP request, or the schedule of a table. */
export type RunTrigger = "cli" | "library" | "http" | "schedule";

/**
 * The state of a run: that of its report, `running`, `stopped` if it was aborted, or `lost` if its process ended before
 * the run did.
 */
export type RunStatus = SourceReport["status"] | "running" | "stopped" | "lost";

/** An error of a run, as it is kept. It contains no secret. */
export interface RunError {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

/** The result of one table of a run. */
export interface RunTable {
  readonly name: string;
  readonly status: TableStats["status"];
  /** Published rows and bytes. */
  readonly rows: number;
  readonly sizeBytes: number;
  /** Rows that the source yielded. */
  readonly rowsRead: number;
  /** Changes of the table's columns, one sentence each. */
  readonly schemaChanges: readonly string[];
  readonly error: RunError | null;
  readonly elapsedMs: number;
}

/** One run of one source. */
export interface Run {
  /** Unique. Ids sort by the order in which the runs began. */
  readonly id: string;
  readonly source: string;
  readonly trigger: RunTrigger;
  /** The user, or the token, that requested it. */
  readonly actor: string;
  /** Whether all rows were read again. */
  readonly full: boolean;
  /** The names of the requested tables; null: all. */
  readonly requested: readonly string[] | null;
  /** ISO 8601. */
  readonly startedAt: string;
  /** ISO 8601; null while it runs, and if it was lost. */
  readonly endedAt: string | null;
  readonly status: RunStatus;
  /** The generation of the source after the run; null if there is none, or while it runs. */
  readonly generation: number | null;
  /** Whether this run published that generation. */
  readonly published: boolean;
  /** The number of tables by result. */
  readonly counts: { readonly extracted: number; readonly unchanged: number; readonly failed: number };
  /** The tables with new data or an error, failed ones first; at most 200. */
  readonly tables: readonly RunTable[];
  /** The error of the whole source. */
  readonly error: RunError | null;
  /**
   * For a skipped run: how many runs of the same request, this one included, were skipped one after the other for the same
   * reason, and the start of the first, ISO 8601. The record of each replaces that of the one before. Null: only this one.
   */
  readonly skips: { readonly count: number; readonly since: string } | null;
  /** Why queries do not return its new rows yet, although it has published them; null: they do, or it published none. */
  readonly warning: RunError | null;
}

/** The progress of a table of a run that is not over. */
export interface TableProgress {
  readonly table: string;
  readonly phase: string;
  readonly rows: number;
  readonly sizeBytes: number;
  /** The part that is done, from 0 to 1; null if unknown. */
  readonly share: number | null;
}

/** A run, with the progress of its tables while it runs. */
export interface RunWithProgress extends Run {
  readonly progress: readonly TableProgress[];
}
