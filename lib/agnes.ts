import type { RebuildReport, RemoteTable } from "./analytics/mod.ts";
import type { Host, Log } from "./base/mod.ts";
import type { AnyPlugin, Health, TableInfo } from "./kit/mod.ts";
import type { PluginImporter, PluginRegistry } from "./plugins/mod.ts";
import type {
  AccessOptions,
  CheckedEntry,
  DocumentedTable,
  QueryResult,
  QueryRequest,
  WorkerOptions,
} from "./query/mod.ts";
import type { RequestInfo, ServerOptions, Tokens } from "./serve/mod.ts";
import type { ConnectServices, SourceHandle } from "./sources/mod.ts";
import type { SyncOptions, SyncReport } from "./sync/mod.ts";
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
  /** The author of changes to the registry. Default: the user of the environment. */
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
  /** What the HTTP API needs besides `server:` of `agnes.yaml`. */
  readonly server?: ServerOptions;
  /** Imports the module of a plugin by its path. Default: `import()`. */
  readonly importPlugin?: PluginImporter;
  /** Called with each source and the values that no output may contain, before its plugin connects. */
  readonly onConnect?: NonNullable<ConnectServices["onConnect"]>;
}

/**
 * Access to the sources of a workspace, without syncing them. Each method connects to the source.
 *
 * @example
 * ```ts
 * import { createAgnes } from "agnes";
 * await using agnes = await createAgnes({ plugins: [] });
 * const { ok, message } = await agnes.connectors.health("crm");
 * const tables = ok ? await agnes.connectors.discover("crm") : [];
 * console.log(message, tables.length);
 * ```
 */
export interface Connectors {
  /**
   * Lists the tables of a source, as it describes them.
   *
   * @throws `capability_missing` if the plugin does not list tables, and the errors of `open`
   */
  discover(source: string, options?: { readonly signal?: AbortSignal }): Promise<readonly TableInfo[]>;
  /**
   * Checks whether a source can be reached. An unreachable source is a result, not an error.
   *
   * @throws `aborted`, and the errors of `open`, such as `secret_missing`
   */
  health(source: string, options?: { readonly signal?: AbortSignal }): Promise<Health>;
  /**
   * Connects to a source. Close the handle when done.
   *
   * @throws `source_unknown`, `plugin_unknown`, `config_unknown_key`, `config_invalid`, `secret_missing`, `plugin_invalid`,
   *   `plugin_failed`, `timed_out`, `aborted`
   */
  open(source: string, options?: { readonly signal?: AbortSignal }): Promise<SourceHandle>;
}

/** An open workspace; see `createAgnes`. */
export interface Agnes extends AsyncDisposable {
  /** The folders and the checked configuration of the workspace. */
  readonly workspace: Workspace;
  /** The plugins that were loaded, and those that failed to load. */
  readonly plugins: PluginRegistry;
  /** Direct access to the sources, without syncing them. */
  readonly connectors: Connectors;
  /**
   * Returns the table registry: the tables to sync, their settings, and who changed them. Opened by the first call and
   * closed with the workspace.
   *
   * @throws `catalog_corrupt`, `catalog_unavailable`; an unreadable registry is never treated as empty
   */
  tables(): Promise<TableRegistry>;
  /**
   * Extracts new data from the sources, publishes it, and updates `analytics.duckdb`. A failed source or table is in the
   * report and does not stop the others.
   *
   * @throws `source_unknown`, `table_not_registered`, `aborted`, and the errors of `tables`
   */
  sync(options?: SyncOptions): Promise<SyncReport>;
  /**
   * Updates `analytics.duckdb` from the published extracts, without reading any source.
   *
   * @param options.installExtensions downloads missing DuckDB extensions from the repository that the plugin names.
   * Default: `false`.
   * @throws `file_failed`, `disk_full`, `duckdb_failed`, `aborted`
   */
  rebuild(options?: {
    readonly installExtensions?: boolean;
    readonly signal?: AbortSignal;
  }): Promise<RebuildReport>;
  /**
   * Finds out how each published remote table is queried, by attaching its source for a moment.
   *
   * @param options.installExtensions downloads missing DuckDB extensions from the repository that the plugin names.
   * Default: `false`.
   * @throws `file_unreadable`, `duckdb_failed`, `aborted`
   */
  remoteTables(options?: {
    readonly installExtensions?: boolean;
    readonly signal?: AbortSignal;
  }): Promise<readonly RemoteTable[]>;
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
   * @throws `sql_malformed`, `sql_not_allowed`, `sql_failed`, `table_unknown`, `timed_out`, `aborted`, `duckdb_stuck`; with
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
  /** Lists the published tables, ordered by view name. Default: all tables. */
  catalog(options?: AccessOptions): Promise<readonly CheckedEntry[]>;
  /**
   * Describes a table: its columns and its documentation.
   *
   * @param table the view name or the id, `source.table`
   * @throws `table_unknown` with the nearest name
   */
  describe(
    table: string,
    options?: AccessOptions & { readonly signal?: AbortSignal },
  ): Promise<DocumentedTable>;
  /**
   * Returns the first rows of a table, or random ones with `random`.
   *
   * @param table the view name or the id, `source.table`
   * @param rows the maximum number of rows
   * @param options.random default: `false`
   * @throws `table_unknown` with the nearest name
   */
  sample(
    table: string,
    rows: number,
    options?: AccessOptions & { readonly random?: boolean; readonly signal?: AbortSignal },
  ): Promise<QueryResult>;
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
  /** Closes the workspace: its query session, registry and state. Idempotent. */
  close(): Promise<void>;
}

/** The options of a query. Default limits: 60 seconds, any number of rows. */
export type QueryOptions = Omit<QueryRequest, "sql">;
