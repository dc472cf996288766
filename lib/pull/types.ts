import type { AgnesError, Host, Log } from "../base/mod.ts";
import type { DuckDBLimits } from "../duckdb/mod.ts";
import type { TableRegistry } from "../tables/mod.ts";
import type { Workspace } from "../workspace/mod.ts";

/** The services of a pull. */
export interface PullServices {
  readonly host: Host;
  readonly log: Log;
  readonly limits: DuckDBLimits;
  readonly workspace: Workspace;
  readonly tables: TableRegistry;
  /** Updates `analytics.duckdb`. */
  readonly rebuild: () => Promise<unknown>;
}

/** The options of `Agnes.pull`. */
export interface PullOptions {
  /** Address of the server. Default: `copy.server` of the configuration, that of earlier pulls, or `AGNES_SERVER`. */
  readonly server?: string;
  /** Token of the server. Default: `AGNES_TOKEN`. */
  readonly token?: string;
  /** Hashes all parts on the disk and downloads damaged ones again. Default: `false`. */
  readonly verify?: boolean;
  /** Also lays the tables out as files and folders in `parquet/` of the workspace. Default: only if `parquet/` was made so. */
  readonly layout?: "folders";
  /** The number of parts to download at once. Default: 4. */
  readonly concurrency?: number;
  /** The time without a byte after which a request is repeated, in milliseconds. Default: 30,000. */
  readonly stalledMs?: number;
  readonly signal?: AbortSignal;
  /** Called when the list of tables has arrived and is accepted, before anything is downloaded. */
  readonly onManifest?: () => Promise<void> | void;
  readonly onProgress?: (progress: PullProgress) => void;
}

/** The progress of the download of one table. */
export interface PullProgress {
  /** `source.name` */
  readonly table: string;
  readonly phase: "downloading" | "done" | "failed";
  /** Bytes that arrived, and those to download, without those of earlier pulls. */
  readonly receivedBytes: number;
  readonly totalBytes: number;
}

/** The result of one table of a pull. */
export interface PulledTable {
  /** `source.name` */
  readonly id: string;
  readonly viewName: string;
  /**
   * `updated`: the copy has its current rows now; `unchanged`: it had them; `failed`: an earlier copy stays, if there is one;
   * `unavailable`: the server does not distribute it; `removed`: it is no longer permitted or subscribed.
   */
  readonly status: "updated" | "unchanged" | "failed" | "unavailable" | "removed";
  /** Null: unknown. */
  readonly rows: number | null;
  readonly sizeBytes: number | null;
  readonly downloadedParts: number;
  readonly downloadedBytes: number;
  /** Why it is unavailable; null otherwise. */
  readonly reason: string | null;
  readonly error?: AgnesError;
}

/** The result of a pull. */
export interface PullReport {
  readonly server: string;
  /** `partial`: some tables failed. */
  readonly status: "complete" | "partial";
  /** Ordered by id. */
  readonly tables: readonly PulledTable[];
  readonly downloadedBytes: number;
  /** The number of parts on the disk that `verify` hashed; 0 without it. */
  readonly verifiedParts: number;
  readonly notes: readonly string[];
}
