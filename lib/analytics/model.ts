import type { QueryMode } from "../tables/mod.ts";
import type { AttachPlan } from "./remote/plan.ts";

/** The access to the rows of a table. */
export type TableAccessMode =
  /** The view reads files: any DuckDB client can read it. */
  | "file"
  /** The rows are in the extract's own file, which a session attaches. */
  | "attached"
  /** The rows are in the source, which a session attaches or reads through its connector. */
  | "remote";

/** One published table, as stored in `analytics.duckdb`. */
export interface AnalyticsTable {
  readonly source: string;
  /** Its name in the source. `<source>.<name>` is always valid in SQL. */
  readonly name: string;
  /** Its view name in schema `main`; null if another table has it. */
  readonly viewName: string | null;
  readonly mode: QueryMode;
  readonly accessMode: TableAccessMode;
  /** The SELECT of its rows; for `attached` and `remote`, it requires that the database is attached. */
  readonly definition: string;
  readonly description: string;
  /** Null: unknown. */
  readonly rows: number | null;
  /** Null: unknown. */
  readonly sizeBytes: number | null;
  /** ISO 8601, UTC; null: unknown. */
  readonly extractedAt: string | null;
  /** The generation of the extract that the view reads; null for an extract of another program. */
  readonly generation: number | null;
  /** Null: unknown. */
  readonly columns: number | null;
  /** The reason why the table is in an earlier state; null if it is current. */
  readonly staleReason: string | null;
  /** The columns, if the view alone does not define them; null: unknown. */
  readonly sourceColumns: readonly { readonly name: string; readonly type: string }[] | null;
  /** For `remote`: the place of the table in the attached database. */
  readonly remote: RemotePlace | null;
}

/** The place of a remote table. */
export interface RemotePlace {
  readonly alias: string;
  /** The source's name of the table, or its path in the attached database; empty if only a view defines it. */
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
  /** The reason why it may not or cannot be attached; null if a rebuild attached it. */
  readonly refusal: string | null;
}

/** One folder of `extracts/`, as of its last scan. */
export interface AnalyticsSource {
  readonly source: string;
  /** The absolute path of `extracts/<source>`. */
  readonly directory: string;
  /** Changes when the extract does. */
  readonly fingerprint: string;
  readonly remotes: readonly RemoteDatabase[];
  readonly issues: readonly Issue[];
  /** A digest of the definitions in the extract's file when it was scanned; null if no session attaches it. */
  readonly digest: string | null;
  /** A digest of the unsafe paths of the folder: links, pipes and devices that no view may read; empty if none. */
  readonly strange: string;
}

/** A problem with a source, a table or a value. */
export interface Issue {
  readonly kind: "skipped" | "error";
  /** `source` or `source.table`. */
  readonly name: string;
  /** An error code, for `error`. */
  readonly code?: string;
  readonly reason: string;
}

/** The metadata in `analytics.duckdb`. */
export interface AnalyticsState {
  readonly generation: number;
  readonly sources: readonly AnalyticsSource[];
  readonly tables: readonly AnalyticsTable[];
}

/** The immutable id of a table. */
export function tableId(table: { readonly source: string; readonly name: string }): string {
  return `${table.source}.${table.name}`;
}

/** The names under which a session attaches databases. No source name can contain a colon. */
export const databaseNames = {
  analytics: "agnes:analytics",
  /** Contains the views of remote tables during a session. */
  session: "agnes:session",
  /** Contains copies of small tables during a session. */
  copies: "agnes:copies",
  /** Contains the live tables of one query. */
  query: (number: number): string => `agnes:query:${number}`,
  extract: (source: string): string => `agnes:extract:${source}`,
  remote: (source: string, alias: string): string => `agnes:remote:${source}:${alias}`,
} as const;

/** Returns a text with the names of tables that users know, without those of the databases of a session. */
export function withoutDatabases(text: string): string {
  return text
    .replace(/"agnes:[^"\n]*"\.(?:"?main"?\.)?/g, "")
    .replace(/\bagnes:[^\s."']*\.(?:"?main"?\.)?/g, "")
    .replace(/"?\bagnes:[^\s."']*"?/g, "the database");
}

/** The schema of `analytics.duckdb` with its metadata. */
export const STATE_SCHEMA = "_agnes";
