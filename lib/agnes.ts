import { Buffer } from "node:buffer";
import { join, resolve } from "node:path";

import {
  extensionsOf,
  rebuild,
  remoteTables,
  type RebuildReport,
  type RemoteTable,
} from "./analytics/mod.ts";
import { createHost, silentLog, type Host, type Log, currentActor } from "./base/mod.ts";
import { fileStorage, type CatalogStorage } from "./catalog/mod.ts";
import { encodeResult } from "./duckdb/mod.ts";
import { publishedStates, rollbackExtract } from "./extract/mod.ts";
import type { AnyPlugin, Health, TableInfo } from "./kit/mod.ts";
import {
  createPluginRegistry,
  loadWorkspacePlugins,
  type PluginImporter,
  type PluginRegistry,
} from "./plugins/mod.ts";
import {
  openQuerySession,
  type CatalogEntry,
  type QueryAnswer,
  type QueryRequest,
  type QuerySession,
  type TableDescription,
} from "./query/mod.ts";
import {
  checkHealth,
  discoverTables,
  openLiveTables,
  openSource,
  unknownSource,
  type LiveTables,
  type SourceHandle,
  type ConnectServices,
  type SourceServices,
} from "./sources/mod.ts";
import {
  dropPublishedTable,
  syncSources,
  SyncState,
  unregisteredExtracts,
  type SyncOptions,
  type SyncReport,
} from "./sync/mod.ts";
import {
  checkSourceRules,
  explainUnknown,
  openTableRegistry,
  type TableRegistry,
  type TableSettings,
} from "./tables/mod.ts";
import {
  checkConfig,
  dataDirectoryOf,
  dataPaths,
  openWorkspace,
  type Workspace,
  type WorkspaceConfigInput,
} from "./workspace/mod.ts";

/** What `createAgnes` needs. */
export interface AgnesOptions {
  /** The plugins that sources may use, beside those in the workspace's own folder `plugins/`. */
  readonly plugins: readonly AnyPlugin[];
  /** The folder of the workspace. Default: `AGNES_WORKSPACE`, else the nearest one with an `agnes.yaml` upwards. */
  readonly workspace?: string;
  /** What `agnes.yaml` would hold; the file is then not read, and `workspace` may be any folder. */
  readonly config?: WorkspaceConfigInput;
  /** Who makes changes to the registry. Default: the user of the environment. */
  readonly actor?: string;
  /** Replaces parts of the outside world: clock, files, fetch, environment. */
  readonly host?: Partial<Host>;
  /** Where talk goes. Default: nowhere. */
  readonly log?: Log;
  /** How a plugin's file is imported. Default: as the runtime does. */
  readonly importPlugin?: PluginImporter;
  /** Is told of each source, with the values that nothing printed may show, before its plugin connects. Default: none. */
  readonly onConnect?: NonNullable<ConnectServices["onConnect"]>;
}

/** Talking to the sources of a workspace themselves. */
export interface Connectors {
  /** The tables a source has, as it describes them. */
  discover(source: string, options?: { readonly signal?: AbortSignal }): Promise<readonly TableInfo[]>;
  /** Whether a source answers; a source that does not is an answer, not an error. */
  health(source: string, options?: { readonly signal?: AbortSignal }): Promise<Health>;
  /** Connects to a source; close the handle when done. */
  open(source: string, options?: { readonly signal?: AbortSignal }): Promise<SourceHandle>;
}

/** A workspace at work; see `createAgnes`. */
export interface Agnes extends AsyncDisposable {
  readonly workspace: Workspace;
  readonly plugins: PluginRegistry;
  readonly connectors: Connectors;
  /** The table registry: what is synced, how, and by whose decision. Opened when it is first asked for. */
  tables(): Promise<TableRegistry>;
  /** Reads what is new from the sources, publishes it, and shows it in `analytics.duckdb`. */
  sync(options?: SyncOptions): Promise<SyncReport>;
  /** Makes `analytics.duckdb` show what is published now, without reading any source. */
  rebuild(options?: {
    readonly installExtensions?: boolean;
    readonly signal?: AbortSignal;
  }): Promise<RebuildReport>;
  /**
   * How each published remote table is answered now: its source is attached to find out, and let go of.
   *
   * @param options.installExtensions whether DuckDB extensions that are missing are downloaded, from the repository that
   * the plugin names. Default `false`.
   * @throws `file_unreadable`, `duckdb_failed`, `aborted`
   */
  remoteTables(options?: {
    readonly installExtensions?: boolean;
    readonly signal?: AbortSignal;
  }): Promise<readonly RemoteTable[]>;
  /**
   * Publishes an earlier generation of a source again, cursors included, and shows it in `analytics.duckdb`.
   * @returns the number of the new generation
   * @throws `source_unknown`, `generation_unknown` naming those there are, `generation_incomplete`, `locked`
   */
  rollback(source: string, generation: number): Promise<number>;
  /**
   * Runs one SELECT over what is published; rows come as they are read.
   *
   * DuckDB cannot be interrupted inside one call of a function, such as a regular expression over a long text. The query
   * then fails at its deadline all the same, but keeps a thread of the process's pool until DuckDB returns. When such
   * queries hold all threads but one, others fail with `duckdb_stuck`. A process that answers SQL of others should be
   * started with more threads, such as `UV_THREADPOOL_SIZE=16`; the default is 4 in Node and the number of cores in Bun.
   *
   * @throws `sql_malformed`, `sql_not_allowed`, `sql_failed`, `table_unknown`, `timed_out`, `aborted`, `duckdb_stuck`
   */
  query(sql: string, options?: QueryOptions): Promise<QueryAnswer>;
  /**
   * All rows of one SELECT as objects, for small answers. Values are those of the JSON format: numbers where a double
   * gives them back exactly, else texts; days and moments as ISO 8601. Throws as `query` does.
   */
  rows<T = Record<string, unknown>>(sql: string, options?: QueryOptions): Promise<readonly T[]>;
  /** The tables there are, by the names SQL gives them, and when each was last found to be up to date. */
  catalog(): Promise<readonly CheckedEntry[]>;
  /** A table, its columns and its documentation. @throws `table_unknown` naming the nearest */
  describe(table: string): Promise<DocumentedTable>;
  /** The first rows of a table, or random ones. @throws `table_unknown` */
  sample(
    table: string,
    rows: number,
    options?: { readonly random?: boolean; readonly signal?: AbortSignal },
  ): Promise<QueryAnswer>;
  close(): Promise<void>;
}

/** One table of the catalog, with its freshness. */
export interface CheckedEntry extends CatalogEntry {
  /**
   * When the last successful sync of the table began, also when its rows were unchanged; `extractedAt` is when they were
   * last published. ISO 8601, UTC; null is unknown.
   */
  readonly checkedAt: string | null;
}

/** A table and its columns, with what the registry documents about it. */
export interface DocumentedTable extends TableDescription {
  /** Columns that refer to other tables; empty when none is registered. */
  readonly foreignKeys: TableSettings["foreign_keys"];
  /** Grain, gotchas, sample questions and the like; empty when nothing is registered. */
  readonly documentation: TableSettings["documentation"];
  /** What an earlier system noted of the table, as it is; empty when nothing is registered. */
  readonly sourceMetadata: TableSettings["source_metadata"];
}

/** How a query is to be run; without limits it may take 60 seconds and give any number of rows. */
export type QueryOptions = Omit<QueryRequest, "sql">;

/**
 * Opens a workspace: its configuration, its plugins, its registry and its data.
 *
 * @throws `workspace_missing`, `config_malformed`, `config_unknown_key`, `config_invalid`, `plugin_invalid`
 *
 * @example
 * ```ts
 * import { createAgnes } from "agnes";
 * import files from "agnes/plugins/files";
 *
 * await using agnes = await createAgnes({ plugins: [files], workspace: "./shop" });
 * await agnes.sync();
 * console.log(await agnes.rows("SELECT count(*) AS orders FROM orders"));
 * ```
 */
export async function createAgnes(options: AgnesOptions): Promise<Agnes> {
  const host = createHost(options.host);
  const { log = silentLog, onConnect } = options;
  const workspace = await workspaceOf(host, options);
  const { directory, config } = workspace;
  const bundled = options.plugins;
  const loaded = await loadWorkspacePlugins(directory, config.plugins, options.importPlugin, {
    files: host.files,
    taken: bundled.map((plugin) => plugin.name),
  });
  const plugins = createPluginRegistry([...bundled, ...loaded.plugins], loaded.failures);
  const states = (source: string) =>
    publishedStates(host, dataPaths.extract(workspace.dataDirectory, source));
  const services = {
    host,
    log,
    limits: config.limits,
    plugins,
    workspace,
    publishedStates: states,
    ...(onConnect && { onConnect }),
  };
  return new WorkspaceAgnes(services, options.actor);
}

async function workspaceOf(host: Host, options: AgnesOptions): Promise<Workspace> {
  if (options.config === undefined) {
    return openWorkspace(host, options.workspace === undefined ? {} : { exact: options.workspace });
  }
  const directory = resolve(options.workspace ?? ".");
  const config = checkConfig(options.config, "the configuration");
  return { directory, dataDirectory: dataDirectoryOf(host.env, directory), config };
}

class WorkspaceAgnes implements Agnes {
  readonly workspace: Workspace;
  readonly plugins: PluginRegistry;
  readonly connectors: Connectors;
  readonly #services: SourceServices;
  readonly #actor: string | undefined;
  readonly #session: QuerySession;
  readonly #live: LiveTables;
  #tables: Promise<TableRegistry> | undefined;
  #state: Promise<SyncState> | undefined;

  constructor(services: SourceServices, actor: string | undefined) {
    this.#services = services;
    this.#actor = actor;
    this.workspace = services.workspace;
    this.plugins = services.plugins;
    this.connectors = connectorsOf(services);
    this.#live = openLiveTables(services, () => this.tables());
    this.#session = openQuerySession(
      { ...services, extensions: extensionsOf(services) },
      {
        dataDirectory: services.workspace.dataDirectory,
        live: this.#live.resolve,
      },
    );
  }

  tables(): Promise<TableRegistry> {
    this.#tables ??= this.#openTables();
    return this.#tables;
  }

  async sync(options: SyncOptions = {}): Promise<SyncReport> {
    return syncSources({ ...(await this.#syncServices()), state: await this.#syncState() }, options);
  }

  async rebuild(options: Parameters<Agnes["rebuild"]>[0] = {}): Promise<RebuildReport> {
    return rebuild(await this.#syncServices(), options);
  }

  async remoteTables(options: Parameters<Agnes["remoteTables"]>[0] = {}): Promise<readonly RemoteTable[]> {
    return remoteTables(await this.#syncServices(), options);
  }

  async rollback(source: string, generation: number): Promise<number> {
    const { workspace } = this;
    const known = Object.keys(workspace.config.sources);
    if (!known.includes(source)) throw unknownSource(source, known);
    const directory = dataPaths.extract(workspace.dataDirectory, source);
    const published = await rollbackExtract(this.#services, directory, generation);
    await this.rebuild();
    return published;
  }

  query(sql: string, options: QueryOptions = {}): Promise<QueryAnswer> {
    return this.#named(this.#session.runQuery({ ...options, sql }), options.granted);
  }

  async rows<T>(sql: string, options: QueryOptions = {}): Promise<readonly T[]> {
    const answer = await this.query(sql, options);
    const pieces: Uint8Array[] = [];
    for await (const bytes of encodeResult(answer, "json")) pieces.push(bytes);
    return JSON.parse(Buffer.concat(pieces).toString()) as T[];
  }

  async catalog(): Promise<readonly CheckedEntry[]> {
    const entries = await this.#session.catalog();
    if (entries.length === 0) return [];
    const state = await this.#syncState();
    const sources = [...new Set(entries.map(({ source }) => source))];
    const known = await Promise.all(
      sources.map(async (source) =>
        [...(await state.succeeded(source))].map(([name, at]) => [`${source}.${name}`, at] as const),
      ),
    );
    const checked = new Map<string, Date>(known.flat());
    return entries.map((entry) => ({ ...entry, checkedAt: checked.get(entry.id)?.toISOString() ?? null }));
  }

  async describe(table: string): Promise<DocumentedTable> {
    const found = await this.#named(this.#session.describeTable(table));
    const record = await (await this.tables()).get(found.id);
    return {
      ...found,
      foreignKeys: record?.foreign_keys ?? [],
      documentation: record?.documentation ?? {},
      sourceMetadata: record?.source_metadata ?? {},
    };
  }

  sample(table: string, rows: number, options: Parameters<Agnes["sample"]>[2] = {}): Promise<QueryAnswer> {
    return this.#named(this.#session.sampleTable(table, rows, options));
  }

  async close(): Promise<void> {
    await this.#session.close();
    await this.#live[Symbol.asyncDispose]();
    await (await this.#state?.catch(() => undefined))?.close();
    await (await this.#tables?.catch(() => undefined))?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Waits for an answer about tables; a table that is registered and not published yet is not merely unknown. */
  async #named<T>(answer: Promise<T>, granted?: QueryOptions["granted"]): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      throw await explainUnknown(error, () => this.tables(), granted);
    }
  }

  #syncState(): Promise<SyncState> {
    this.#state ??= SyncState.open({ ...this.#services, storage: this.#storage() });
    return this.#state;
  }

  async #syncServices() {
    return { ...this.#services, tables: await this.tables() };
  }

  /** What a table asks of its source must be something the source's plugin can do. */
  #checkTable(table: TableSettings, id: string): void {
    const { sources } = this.workspace.config;
    const wanted = Object.hasOwn(sources, table.source) ? sources[table.source]!.plugin : undefined;
    const plugin = this.plugins.list().find(({ name }) => name === wanted);
    if (plugin === undefined) return;
    checkSourceRules(table, id, { plugin: plugin.name, capabilities: plugin.capabilities });
  }

  #storage(): CatalogStorage {
    const { host, log, workspace } = this.#services;
    return fileStorage({ directory: dataPaths.state(workspace.dataDirectory), host, log });
  }

  async #openTables(): Promise<TableRegistry> {
    const { host, log, workspace } = this.#services;
    const extracts = await unregisteredExtracts(host, workspace);
    if (extracts.length > 0) {
      log.warn(
        `the registry ${join(dataPaths.state(workspace.dataDirectory), "tables")} has no table, though ${extracts.join(", ")} was published here before: ` +
          "unless the folder comes from elsewhere, restore the registry from a backup, or `agnes table import` an exported file, before you sync",
      );
    }
    const registry = await openTableRegistry({
      storage: this.#storage(),
      host,
      log,
      actor: this.#actor ?? currentActor(host),
      checkTable: (table, id) => this.#checkTable(table, id),
    });
    registry.onUnregister(async ({ table }) => {
      await (await this.#syncState()).forget(table.source, table.name);
      await dropPublishedTable(this.#services, table);
      await rebuild({ ...this.#services, tables: registry });
    });
    return registry;
  }
}

function connectorsOf(services: SourceServices): Connectors {
  return {
    open: (source, { signal } = {}) => openSource(services, source, signal),
    discover: async (source, options = {}) => {
      await using handle = await openSource(services, source, options.signal);
      return await discoverTables(handle, options);
    },
    health: async (source, options = {}) => {
      await using handle = await openSource(services, source, options.signal);
      return await checkHealth(handle, options);
    },
  };
}
