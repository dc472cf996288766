import type { Database } from "../../duckdb/mod.ts";
import type { ReadProgress } from "../../kit/mod.ts";
import type { PublishedTable } from "../format/extract-state.ts";
import type { TablePlan } from "./plan.ts";
import type { ExtractServices, ExtractSource } from "./services.ts";

/** What all tables of a run share. */
export interface ExtractRun {
  readonly id: string;
  readonly services: ExtractServices;
  /** The in-memory database of the run. */
  readonly database: Database;
  /** The absolute path of `extracts/<source>`. */
  readonly directory: string;
  readonly source: ExtractSource;
  /** The number that the generation of this run will have. */
  readonly generation: number;
  /** How long the source may yield nothing. */
  readonly idleTimeoutMs: number;
  /** How many rows a part should have. */
  readonly partRows: number;
}

/** How many rows a part should have when the request names no number. */
export const PART_ROWS = 250_000;

/** What is to be done with one table in a run. */
export interface TableJob {
  readonly run: ExtractRun;
  readonly plan: TablePlan;
  /** The plan as it was asked for; that of a materialized table gets its columns from the answer. */
  readonly original: TablePlan;
  readonly previous: PublishedTable | undefined;
  readonly full: boolean;
  /** Whether the table was described again by all of its values: what does not fit then stays a misfit. */
  readonly isRedescribed?: true;
  readonly progress: JobProgress;
  readonly signal: AbortSignal;
}

/** Takes in how far a job is. */
export interface JobProgress {
  /** All rows read and bytes of Parquet written so far. */
  readonly read: (rows: number, sizeBytes: number) => void;
  /** How many more bytes of files were read. */
  readonly readBytes: (bytes: number) => void;
  /** What the connector reports while it has no rows yet. */
  readonly report: (progress: ReadProgress) => void;
  readonly phase: (phase: "reading" | "merging") => void;
  /** A window of a first load is read next, of so many that are left; its rows come on top of those before. */
  readonly window: (left: number) => void;
}
