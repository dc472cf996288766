import type { QueryMode } from "../tables/mod.ts";
import type { AttachPlan } from "./remote/plan.ts";

/** How the rows of a table are reached. */
export type TableAccessMode =
  /** The view is self-contained: any DuckDB client can read it. */
  | "file"
  /** The rows are inside the extract's own file, which a session attaches. */
  | "attached"
  /** The rows are in the source, which a session attaches or asks through its connector. */
  | "remote";

/** One published table, as `analytics.duckdb` keeps it. */
export interface AnalyticsTable {
  readonly source: string;
  /** Its name inside the source: `<source>.<name>` always answers. */
  readonly name: string;
  /** Its name in schema `main`; null when another table owns that name. */
  readonly viewName: string | null;
  readonly mode: QueryMode;
  readonly accessMode: TableAccessMode;
  /** The SELECT that gives its rows, where the way is open. */
  readonly definition: string;
  readonly description: string;
  /** Null is unknown. */
  readonly rows: number | null;
  readonly sizeBytes: number | null;
  /** ISO 8601, UTC; null is unknown. */
  readonly extractedAt: string | null;
  /** The generation of the extract the view reads; null for a foreign extract. */
  readonly generation: number | null;
  /** Null is unknown. */
  readonly columns: number | null;
  /** Why an older state is shown, or null. */
  readonly staleReason: string | null;
  /** The columns, where the view alone does not know them; null is unknown. */
  readonly sourceColumns: readonly { readonly name: string; readonly type: string }[] | null;
  /** For `remote`: where the table is in the attached database, and what may be done to get there. */
  readonly remote: RemotePlace | null;
}

/** Where a remote table is. */
export interface RemotePlace {
  readonly alias: string;
  /** The source's own name of the table, or its path inside the attached database; empty when only a view knows. */
  readonly path: readonly string[];
}

/** One database of a `_remote_attach`. */
export interface RemoteDatabase {
  readonly alias: string;
  readonly extension: string;
  readonly url: string;
  readonly tokenEnv: string;
  /** Whether the plugin of this source declared exactly this database. */
  readonly declared: boolean;
  /** How it is attached. */
  readonly plan: AttachPlan;
  /** Why it may not or cannot be attached, or null when a rebuild attached it. */
  readonly refusal: string | null;
}

/** One folder of `extracts/`, as it was when it was last scanned. */
export interface AnalyticsSource {
  readonly source: string;
  /** The absolute path of `extracts/<source>`. */
  readonly directory: string;
  /** Changes when the extract does. */
  readonly fingerprint: string;
  readonly remotes: readonly RemoteDatabase[];
  readonly issues: readonly Issue[];
  /** Stands for what the extract's file defined when it was scanned; null when it was not. */
  readonly digest: string | null;
  /** Stands for the links, pipes and devices of the folder that no view may read; empty when there were none. */
  readonly strange: string;
}

/** Why something is not shown as it should be. */
export interface Issue {
  readonly kind: "skipped" | "error";
  /** `source` or `source.table`. */
  readonly name: string;
  /** An error code, for `error`. */
  readonly code?: string;
  readonly reason: string;
}

/** All that `analytics.duckdb` says about itself. */
export interface AnalyticsState {
  readonly generation: number;
  readonly sources: readonly AnalyticsSource[];
  readonly tables: readonly AnalyticsTable[];
}

/** The immutable id of a table. */
export function tableId(table: { readonly source: string; readonly name: string }): string {
  return `${table.source}.${table.name}`;
}

/** Names under which a session attaches databases. The colon keeps them apart from every name a source can have. */
export const databaseNames = {
  analytics: "agnes:analytics",
  /** Holds the views of remote tables while a session lasts. */
  session: "agnes:session",
  /** Holds what one query shows of live tables. */
  query: (number: number): string => `agnes:query:${number}`,
  extract: (source: string): string => `agnes:extract:${source}`,
  remote: (source: string, alias: string): string => `agnes:remote:${source}:${alias}`,
} as const;

/** The schema of `analytics.duckdb` that holds what it says about itself. */
export const STATE_SCHEMA = "_agnes";
