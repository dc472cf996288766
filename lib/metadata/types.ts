import type { EntityType } from "../kit/mod.ts";
import type { MetadataFreshness } from "../tables/mod.ts";

/** Metadata of a remote table as its source reported it; null: the source does not report it. */
export interface CachedMetadata {
  readonly entityType: EntityType | null;
  readonly rows: number | null;
  readonly sizeBytes: number | null;
  /** The partition columns; an empty list: not partitioned. */
  readonly partitionedBy: readonly string[] | null;
  /** The clustering columns, in order; an empty list: not clustered. */
  readonly clusteredBy: readonly string[] | null;
  /** When rows last changed, ISO 8601. */
  readonly modifiedAt: string | null;
  /** The number of columns. */
  readonly columnCount: number | null;
  /** The names of the first columns, in order: all, unless they have more than 10,000 characters. */
  readonly columns: readonly string[] | null;
}

/** A failed refresh of a table. */
export interface MetadataFailure {
  /** The id of the table. */
  readonly table: string;
  readonly code: string;
  readonly message: string;
}

/** How many tables a refresh of all tables requested, and with which result. */
export interface RefreshCounts {
  readonly total: number;
  readonly succeeded: number;
  /** The source does not know these tables. */
  readonly noData: number;
  readonly failed: number;
  readonly durationMs: number;
}

/** The result of refreshing all tables. */
export interface MetadataRefresh extends RefreshCounts {
  readonly runId: string;
  /** ISO 8601. */
  readonly startedAt: string;
  /** The failed tables, by id. Their last known metadata is kept. */
  readonly failures: readonly MetadataFailure[];
}

/** The result of refreshing one table. */
export interface TableRefresh {
  /** The id of the table. */
  readonly table: string;
  readonly runId: string;
  /** `no_data`: the source does not know the table. */
  readonly status: "ok" | "no_data" | "error";
  readonly error: { readonly code: string; readonly message: string } | null;
  /** The metadata that is now cached: after a failure, that of the last success. Null: none. */
  readonly metadata: CachedMetadata | null;
  /** The duration of the request to the source, with connecting to it. */
  readonly fetchMs: number;
  readonly totalMs: number;
}

/** A refresh of all tables. */
export interface MetadataRun {
  readonly runId: string;
  /** ISO 8601. */
  readonly startedAt: string;
  /** ISO 8601; null: it runs, or its process ended before. */
  readonly finishedAt: string | null;
  /** Null: it is not finished, or was stopped. */
  readonly counts: RefreshCounts | null;
}

/** The cached metadata of one remote table. */
export interface TableMetadataStatus {
  /** The id of the table. */
  readonly table: string;
  readonly viewName: string;
  readonly source: string;
  /** Whether its plugin reports metadata. If not, the table stays `never_fetched`. */
  readonly canRefresh: boolean;
  readonly freshness: MetadataFreshness;
  /** The last successful refresh, ISO 8601; null: none. */
  readonly refreshedAt: string | null;
  /** When the source did not know the table, ISO 8601; null: it knew it at the last successful refresh, or was not asked. */
  readonly noDataAt: string | null;
  /** The failure of the last refresh; null: it did not fail. */
  readonly lastError: { readonly at: string; readonly code: string; readonly message: string } | null;
  /** The metadata of the last successful refresh; null: none. */
  readonly metadata: CachedMetadata | null;
}

/** The state of the metadata cache. */
export interface MetadataStatus {
  /** The interval of the scheduled refreshes, in seconds. */
  readonly intervalSeconds: number;
  /** The age up to which metadata is fresh, in seconds. */
  readonly freshSeconds: number;
  /** When this was read, ISO 8601. */
  readonly at: string;
  /** The last refresh of all tables; null: none. */
  readonly lastRun: MetadataRun | null;
  /** All registered remote tables, by id. */
  readonly tables: readonly TableMetadataStatus[];
}
