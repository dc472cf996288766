import type { RebuildOptions, RebuildReport, RemoteTable } from "./analytics/mod.ts";
import type { Host, Log } from "./base/mod.ts";
import type { AnyPlugin } from "./kit/mod.ts";
import type { MetadataRefresh, MetadataStatus, TableRefresh } from "./metadata/mod.ts";
import type { PluginImporter, PluginRegistry } from "./plugins/mod.ts";
import type { ProfileOptions, TableProfile } from "./profile/mod.ts";
import type {
  AccessOptions,
  CheckedEntry,
  DescribeOptions,
  DocumentedTable,
  QueryResult,
  QueryRequest,
  SampleOptions,
  WorkerOptions,
} from "./query/mod.ts";
import type { PullOptions, PullReport } from "./pull/mod.ts";
import type { RequestInfo, ServerOptions, Tokens } from "./serve/mod.ts";
import type {
  RunHistory,
  SourceHealth,
  SyncOptions,
  SyncProcessOptions,
  SyncReport,
  TableSyncStatus,
  Timeline,
  TimelineOptions,
} from "./sync/mod.ts";
import type { Connectors, ConnectServices } from "./sources/mod.ts";
import type { TableRegistry } from "./tables/mod.ts";
import type { Workspace, WorkspaceConfigInput } from "./workspace/mod.ts";
import type { PushMetadataReport, PushMetadataRequest, PushReport, PushRequest } from "./write-back/mod.ts";

/** The options of `createAgnes`. */
export interface AgnesOptions {
  /** The plugins of the sources, in addition to those of `agnes.yaml` and of the workspace's folder `plugins/`. */
  readonly plugins: readonly AnyPlugin[];
  /** The folder of the workspace. Default: `AGNES_WORKSPACE`, otherwise the nearest folder upwards with an `agnes.yaml`. */
  readonly workspace?: string;
  /** The content of `agnes.yaml`. The file is then not read, and `workspace` may be any folder. */
  readonly config?: WorkspaceConfigInput;
  /** The author of changes to the registry, runs and rollbacks. Default: the user of the environment. */
  readonly actor?: string;
  /** Replaces the clock, the file system, `fetch` or the environment. */
  readonly host?: Partial<Host>;
  /** Receives log messages. Default: discarded. */
  readonly log?: Log;
  /**
   * Where the SQL of `query`, `rows`, `sample` and `describe` runs. `none`: in this process. `process`: in worker processes
   * with an empty environment, which are killed when a query takes too long or too much memory, and replaced. This
   * process then reads remote tables and runs queries of `register` for them; no source is attached, and none runs a whole
   * query. Default: `none`.
   */
  readonly isolation?: "process" | "none";
  /** The worker processes of `isolation: "process"`. Default: as many as fit the machine. */
  readonly workers?: WorkerOptions;
  /**
   * Runs each source of a sync in a process of its own, so that a connector that blocks, crashes or uses too much memory
   * fails its own run only. Profiles after a sync, and the health checks of the scheduler, run in other processes too. A
   * process has the environment of `host.env`; no other part of `host` is used in it. Default: all of it runs in this
   * process.
   */
  readonly syncProcesses?: SyncProcessOptions;
  /** What the HTTP API needs besides `server:` of `agnes.yaml`. */
  readonly server?: ServerOptions;
  /** Imports the module of a plugin by its path. Default: `import()`. */
  readonly importPlugin?: PluginImporter;
  /** Called with each source and the values that no output may contain, before its plugin connects. */
  readonly onConnect?: NonNullable<ConnectServices["onConnect"]>;
}

/**
 * The cached metadata of remote tables: rows, size, columns and partitions, as their sources report them. Only a refresh
 * calls a source. The catalog shows the cached figures.
 *
 * @example
 * ```ts
 * import { createAgnes } from "agnes";
 * await using agnes = await createAgnes({ plugins: [] });
 * const { succeeded, failures } = await agnes.metadata.refresh();
 * const { tables } = await agnes.metadata.status();
 * console.log(succeeded, failures.length, tables.map(({ table, freshness }) => `${table}: ${freshness}`));
 * ```
 */
export interface Metadata {
  /**
   * Requests the metadata of all registered remote tables whose plugin reports metadata, several at once
   * (`AGNES_BQ_METADATA_REFRESH_CONCURRENCY`, default: 4). A failed table is in the result, keeps its last known metadata and
   * does not stop the others.
   *
   * @throws `already_running` with the run if this or another process refreshes all tables, `aborted`, and the errors of
   * `tables`
   */
  refresh(options?: { readonly signal?: AbortSignal }): Promise<MetadataRefresh>;
  /**
   * Requests the metadata of one table, for example after its registration changed. A failure of the source is a result.
   *
   * @param table the id or view name of a registered remote table
   * @throws `table_not_registered`, `metadata_not_cached` if the table is not remote or its plugin reports no metadata,
   * `source_unknown`, `already_running` with the run if this table or all tables are being refreshed, `aborted`
   */
  refreshTable(table: string, options?: { readonly signal?: AbortSignal }): Promise<TableRefresh>;
  /**
   * Returns the cached metadata of all registered remote tables, with its freshness. No source is called.
   *
   * @throws the errors of `tables`
   */
  status(): Promise<MetadataStatus>;
}

/** An open workspace; see `createAgnes`. */
export interface Agnes extends AsyncDisposable {
  /** The folders and the checked configuration of the workspace. */
  readonly workspace: Workspace;
  /** The plugins that were loaded, and those that failed to load. */
  readonly plugins: PluginRegistry;
  /** Direct access to the sources, without syncing them. */
  readonly connectors: Connectors;
  /** The cached metadata of remote tables. */
  readonly metadata: Metadata;
  /**
   * Returns the table registry: the tables to sync, their settings, and who changed them. Opened by the first call and
   * closed with the workspace.
   *
   * @throws `catalog_corrupt`, `catalog_unavailable`; an unreadable registry is never treated as empty
   */
  tables(): Promise<TableRegistry>;
  /**
   * Merges the pushed events that wait, extracts new data from the sources, publishes it, and updates `analytics.duckdb`. A
   * failed source or table is in the report and does not stop the others.
   *
   * @throws `source_unknown`, `table_not_registered`, `aborted`, and the errors of `tables`
   */
  sync(options?: SyncOptions): Promise<SyncReport>;
  /**
   * Returns the runs of the sources: those that are not over, with their progress, and the last thousand, by any process.
   *
   * @throws `catalog_corrupt`, `catalog_unavailable`
   * @example
   * ```ts
   * import { createAgnes } from "agnes";
   * await using agnes = await createAgnes({ plugins: [] });
   * for (const run of await (await agnes.runs()).list({ limit: 10 })) {
   *   console.log(run.startedAt, run.source, run.status, run.error?.message ?? "");
   * }
   * ```
   */
  runs(): Promise<RunHistory>;
  /**
   * Returns the state of each registered table that is synced, ordered by id: whether it is on time, when it is due, and
   * the result of its last sync. Default: all tables.
   *
   * @throws `catalog_corrupt`, `catalog_unavailable`
   * @example
   * ```ts
   * import { createAgnes } from "agnes";
   * await using agnes = await createAgnes({ plugins: [] });
   * const late = (await agnes.syncStatus()).filter(({ status }) => status === "late" || status === "failed");
   * console.log(late.map(({ id, error }) => `${id}: ${error?.message ?? "late"}`));
   * ```
   */
  syncStatus(options?: AccessOptions): Promise<readonly TableSyncStatus[]>;
  /**
   * Returns what happened, the newest first: the runs of the sources, changes of columns, changes of the registry and
   * rollbacks. It has the last 1,000 runs, the last 10,000 changes of the registry, and the rollbacks whose generation is
   * kept.
   *
   * @throws `table_not_registered`, `invalid_input`, `catalog_corrupt`, `catalog_unavailable`
   * @example
   * ```ts
   * import { createAgnes } from "agnes";
   * await using agnes = await createAgnes({ plugins: [] });
   * const { entries, next } = await agnes.timeline({ limit: 20 });
   * for (const { at, kind, source, table, summary } of entries) console.log(at, kind, table ?? source, summary);
   * if (next !== null) console.log(await agnes.timeline({ limit: 20, before: next }));
   * ```
   */
  timeline(options?: TimelineOptions): Promise<Timeline>;
  /**
   * Returns the last known health of each configured source: that of the check before its last run, or of the checks that a
   * server makes every five minutes. No source is called; `connectors.health` checks one now and keeps the result.
   *
   * @throws `catalog_corrupt`, `catalog_unavailable`
   * @example
   * ```ts
   * import { createAgnes } from "agnes";
   * await using agnes = await createAgnes({ plugins: [] });
   * const failed = (await agnes.sourceHealth()).filter(({ state }) => state === "failed");
   * console.log(failed.map(({ source, since, reason }) => `${source} since ${since?.toISOString()}: ${reason}`));
   * ```
   */
  sourceHealth(): Promise<readonly SourceHealth[]>;
  /**
   * Updates `analytics.duckdb` from the published extracts, without reading any source.
   *
   * @throws `file_failed`, `disk_full`, `duckdb_failed`, `aborted`
   */
  rebuild(options?: RebuildOptions): Promise<RebuildReport>;
  /**
   * Finds out how each published remote table is queried, by attaching its source for a moment.
   *
   * @throws `file_unreadable`, `duckdb_failed`, `aborted`
   */
  remoteTables(options?: RebuildOptions): Promise<readonly RemoteTable[]>;
  /**
   * Publishes an earlier generation of a source again, with its cursors, and updates `analytics.duckdb`.
   *
   * @returns the number of the new generation
   * @throws `source_unknown`, `generation_unknown` with the existing ones, `generation_incomplete`, `locked`
   */
  rollback(source: string, generation: number): Promise<number>;
  /**
   * Runs one SELECT over the published tables. Rows are streamed.
   *
   * DuckDB cannot be interrupted inside one function call, such as a regular expression over a long text. The query still
   * fails at its deadline, but occupies a thread of the process's pool until DuckDB returns. If such queries occupy all
   * threads but one, other queries fail with `duckdb_stuck`. Processes that run the SQL of others should be started with
   * more threads, for example with `UV_THREADPOOL_SIZE=16`. The default is 4 in Node and the number of cores in Bun.
   *
   * `register` adds queries that run in sources, and whose rows the SQL joins; see `RegisteredQuery`.
   *
   * With `isolation: "process"` none of this applies: see `AgnesOptions.isolation`.
   *
   * @throws `sql_malformed`, `sql_not_allowed`, `sql_failed`, `parameters_invalid`, `table_unknown`, `timed_out`, `aborted`,
   * `duckdb_stuck`; with
   * `isolation: "process"` also `query_memory_exceeded`, `queries_waiting`, `worker_lost`, `rows_not_read`; and
   * with `register` also `alias_refused`, `alias_limit_exceeded`, `alias_access_denied`, `invalid_identifier`,
   * `source_unknown`, `capability_missing` and the errors of the plugin, each with the alias in `details`
   */
  query(sql: string, options?: QueryOptions): Promise<QueryResult>;
  /**
   * Runs one SELECT and returns all rows as objects, for small results. Values are those of the format `json` of
   * `writeResult`.
   *
   * @throws the errors of `query`
   */
  rows<T = Record<string, unknown>>(sql: string, options?: QueryOptions): Promise<readonly T[]>;
  /**
   * Writes the rows of one SELECT to a table of a source, if its plugin can write and the options of the source allow it.
   * The SQL is guarded like that of `query`. Names, types and keys of the rows are checked before any row is written.
   *
   * @throws `write_refused` if the rows do not fit the table, `capability_missing`, `table_not_registered`,
   * `table_vanished`, `source_unknown`, `rows_lost` if the source accepts another number of rows, `invalid_input`, the
   * errors of `query` and of the plugin
   * @example
   * ```ts
   * import { createAgnes } from "agnes";
   * await using agnes = await createAgnes({ plugins: [] });
   * const push = { table: "scores", sql: "SELECT id, score FROM predictions", mode: "upsert" } as const;
   * await agnes.push({ ...push, dryRun: true }); // runs the query and all checks
   * const { rows } = await agnes.push(push);
   * ```
   */
  push(request: PushRequest): Promise<PushReport>;
  /**
   * Writes the registered descriptions and types of columns (`columnMetadata`) to the source of a table, if its plugin can
   * and the options of the source allow it. Only differences are written, and no value that a person set in the source is
   * replaced.
   *
   * @throws `table_not_registered`, `write_refused` if nothing is registered or the table accepts no metadata,
   * `capability_missing`, `table_vanished`, `source_unknown`, and the errors of the plugin
   * @example
   * ```ts
   * import { createAgnes } from "agnes";
   * await using agnes = await createAgnes({ plugins: [] });
   * const { changes } = await agnes.pushMetadata({ table: "orders", dryRun: true });
   * for (const { column, part, outcome, reason } of changes) console.log(column, part, outcome, reason ?? "");
   * ```
   */
  pushMetadata(request: PushMetadataRequest): Promise<PushMetadataReport>;
  /**
   * Copies the tables of a server that the token may read and its user subscribed to. Only parts that are not on the disk are
   * downloaded, checked by their SHA-256, and resumed after a stop. Each table is replaced as a whole; one that fails keeps
   * its earlier copy and is in the report. Tables that are no longer permitted or subscribed are removed.
   *
   * @throws `pull_server_missing`, `pull_server_differs`, `pull_source_taken`, `pull_sources_alike`, `pull_link_found`,
   * `pull_layout_taken`, `manifest_invalid`, `manifest_too_large`, `server_address_invalid`, `server_unreachable`,
   * `server_response_invalid`, `download_stalled`, `disk_full`, `locked` if another pull runs, `copy_unreadable`,
   * `aborted`, and the errors of the server and of `tables`
   * @example
   * ```ts
   * import { createAgnes } from "agnes";
   * await using agnes = await createAgnes({ plugins: [], workspace: "./copy", config: { version: 1 } });
   * const { tables } = await agnes.pull({ server: "https://agnes.example.com" });
   * for (const { viewName, status, error } of tables) console.log(viewName, status, error?.message ?? "");
   * ```
   */
  pull(options?: PullOptions): Promise<PullReport>;
  /** Lists the published tables, ordered by view name. Default: all tables. */
  catalog(options?: AccessOptions): Promise<readonly CheckedEntry[]>;
  /**
   * Describes a table: its columns and its documentation.
   *
   * @param table the view name or the id, `source.table`
   * @throws `table_unknown` with the nearest name
   */
  describe(table: string, options?: DescribeOptions): Promise<DocumentedTable>;
  /**
   * Returns the first rows of a table, or random ones with `random`.
   *
   * @param table the view name or the id, `source.table`
   * @param rows the maximum number of rows
   * @throws `table_unknown` with the nearest name
   */
  sample(table: string, rows: number, options?: SampleOptions): Promise<QueryResult>;
  /**
   * Returns the profile of a table: counts, ranges, distributions, frequent values and alerts of its columns, and duplicate
   * rows. It is that of the last sync if the table has not changed since; otherwise it is computed, which reads the whole
   * table once, in a DuckDB instance of its own with at most 2 GB of memory and 2 threads. If that fails, an earlier profile
   * is returned with the reason in `stale`.
   *
   * With `access`, the profile names no table and shows no column that the caller could not query.
   *
   * @param table the view name or the id, `source.table`
   * @throws `table_unknown` with the nearest name, `profile_missing` with `compute: "never"`, `profile_unavailable` for a
   * remote table, `timed_out`, `aborted`, and the errors of `query`
   * @example
   * ```ts
   * import { createAgnes } from "agnes";
   * await using agnes = await createAgnes({ plugins: [] });
   * const profile = await agnes.profile("orders");
   * console.log(profile.row_count, profile.duplicate_rows, profile.alerts);
   * for (const { name, completeness_pct, numeric_stats } of profile.columns)
   *   console.log(name, completeness_pct, numeric_stats?.median);
   * ```
   */
  profile(table: string, options?: ProfileOptions): Promise<TableProfile>;
  /**
   * Returns the tokens of the HTTP API. Opened by the first call and closed with the workspace.
   *
   * @throws `catalog_corrupt`, `catalog_unavailable`
   */
  tokens(): Promise<Tokens>;
  /**
   * Handles a request of the HTTP API, as a standard `fetch` handler that any server can mount. Each request but
   * `GET /api/health` needs a token; see `docs/guide/serve.md`.
   *
   * @param info what the transport knows of the request
   * @returns the response, also for errors: `{error: {code, message, hint, details}}`
   */
  fetch(request: Request, info?: RequestInfo): Promise<Response>;
  /**
   * Begins to sync tables when they are due by their schedule, until `stopScheduler` or `close`. Of all processes of a
   * workspace one is active; another takes over when it ends. A table whose sync failed is due again after a minute, then
   * after two, four, at most sixty. `GET /api/sync/status` shows the state.
   *
   * @example
   * ```ts
   * import { createAgnes } from "agnes";
   * await using agnes = await createAgnes({ plugins: [] });
   * await agnes.startScheduler();
   * ```
   */
  startScheduler(): Promise<void>;
  /** Lets another process sync what is due, and resolves when the syncs that began have ended. */
  stopScheduler(): Promise<void>;
  /** Closes the workspace: its query session, registry and state. Idempotent. */
  close(): Promise<void>;
}

/** The options of a query. Default limits: 60 seconds, any number of rows. */
export type QueryOptions = Omit<QueryRequest, "sql">;
