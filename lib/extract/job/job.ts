import type { Database } from "../../duckdb/mod.ts";
import type { ReadProgress, SourceJob } from "../../kit/mod.ts";
import type { PublishedTable } from "../format/extract-state.ts";
import type { NulledValues } from "./nulled-values.ts";
import type { TablePlan } from "./plan.ts";
import type { ExtractServices, ExtractSource } from "./services.ts";

/** State shared by all tables of a run. */
export interface ExtractRun {
  readonly id: string;
  readonly services: ExtractServices;
  /** The in-memory database of the run. */
  readonly database: Database;
  /** The absolute path of `extracts/<source>`. */
  readonly directory: string;
  readonly source: ExtractSource;
  /** The number of the generation that this run publishes. */
  readonly generation: number;
  /** Maximum time without data from the source. */
  readonly idleTimeoutMs: number;
  /** Timeout of the query of a materialized table, with its rows. */
  readonly materializeTimeoutMs: number;
  /** Target number of rows in a part. */
  readonly partRows: number;
}

/** The default target number of rows in a part. */
export const PART_ROWS = 250_000;

/** The extraction of one table in a run. */
export interface TableJob {
  readonly run: ExtractRun;
  readonly plan: TablePlan;
  /** The plan as requested; the plan of a materialized table takes its columns from the query result. */
  readonly original: TablePlan;
  readonly previous: PublishedTable | undefined;
  readonly full: boolean;
  /** Whether to read it in full with its layout. Default: `false`. */
  readonly isReadAgain?: boolean;
  /** Whether the table was described again from all of its values, so that columns are not widened further. */
  readonly isRedescribed?: true;
  /** Counts the values that become null because they do not fit; absent if such values are errors. */
  readonly nulled?: NulledValues;
  readonly progress: JobProgress;
  /** Receives the jobs of the source. */
  readonly onJob: (job: SourceJob) => void;
  readonly signal: AbortSignal;
}

/** Receives the progress of a job. */
export interface JobProgress {
  /** Total rows read and bytes of Parquet written. */
  readonly read: (rows: number, sizeBytes: number) => void;
  /** Number of additional bytes read from files. */
  readonly readBytes: (bytes: number) => void;
  /** Progress that the connector reports. */
  readonly report: (progress: ReadProgress) => void;
  readonly phase: (phase: "reading" | "merging") => void;
  /** Starts the next window of a first load; `left` windows remain, including this one. */
  readonly window: (left: number) => void;
}
