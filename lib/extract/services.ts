import type { Host, Log } from "../base/mod.ts";
import type { Database, DuckDBLimits } from "../duckdb/mod.ts";
import type { AnyConnector } from "../kit/mod.ts";
import type { TablePlan } from "./plan.ts";
import type { PublishedTable } from "./state/extract-state.ts";

/** What the runtime needs of the world. */
export interface ExtractServices {
  readonly host: Host;
  readonly log: Log;
  readonly limits: DuckDBLimits;
}

/** A source, as far as extraction needs it. */
export interface ExtractSource {
  readonly name: string;
  readonly plugin: { readonly name: string; readonly version: string };
  readonly connector: AnyConnector;
  /** Values that may not be written. */
  readonly secrets?: readonly string[];
}

/** What the work on one table is given. */
export interface TableContext {
  readonly services: ExtractServices;
  /** The in-memory database of the run. */
  readonly database: Database;
  /** The absolute path of `extracts/<source>`. */
  readonly directory: string;
  readonly runId: string;
  readonly source: ExtractSource;
  readonly plan: TablePlan;
  /** The plan as it was asked for; that of a materialized table gets its columns from the answer. */
  readonly original: TablePlan;
  /** The number that the generation of this run will have. */
  readonly generation: number;
  /** Whether the table was described again by all of its values: what does not fit then stays a misfit. */
  readonly isRedescribed?: true;
  readonly previous: PublishedTable | undefined;
  readonly full: boolean;
  readonly idleTimeoutMs: number;
  /** How many rows a part should have. */
  readonly partRows: number;
  readonly signal: AbortSignal;
  readonly onRead: (rows: number, sizeBytes: number) => void;
  /** Is told how many more bytes of files were read. */
  readonly onBytesRead: (bytes: number) => void;
  readonly onPhase: (phase: "reading" | "merging") => void;
}
