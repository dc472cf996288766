import { Buffer } from "node:buffer";
import { join, resolve } from "node:path";

import type { Agnes, AgnesOptions, Connectors, QueryOptions } from "./agnes.ts";
import {
  extensionsOf,
  rebuild,
  remoteTables,
  type RebuildReport,
  type RemoteTable,
} from "./analytics/mod.ts";
import { AgnesError, createHost, currentActor, formatValue, silentLog, type Host } from "./base/mod.ts";
import { fileStorage, type CatalogStorage } from "./catalog/mod.ts";
import { publishedStates, rollbackExtract } from "./extract/mod.ts";
import { createPluginRegistry, loadWorkspacePlugins, type PluginRegistry } from "./plugins/mod.ts";
import {
  documentedTable,
  IsolatedSession,
  openQuerySession,
  workerSettings,
  type AccessOptions,
  type CheckedEntry,
  type DocumentedTable,
  type EncodedRequest,
  type HybridSources,
  type Queries,
  type QueryRequest,
  type QueryResult,
  type WorkerSettings,
} from "./query/mod.ts";
import type { RequestInfo, ServedWorkspace, Server, ServerOptions, Tokens } from "./serve/mod.ts";
import {
  checkHealth,
  discoverTables,
  openLiveTables,
  openSource,
  unknownSource,
  type LiveTables,
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
import { checkConfig, dataDirectoryOf, dataPaths, openWorkspace, type Workspace } from "./workspace/mod.ts";
import {
  pushMetadata,
  pushRows,
  type PushMetadataReport,
  type PushMetadataRequest,
  type PushReport,
  type PushRequest,
} from "./write-back/mod.ts";

/**
 * Opens a workspace: its configuration, its plugins, its registry and its data. The registry, the data and the sources are
 * opened when they are first needed. Close the workspace when done.
 *
 * A plugin of the workspace that cannot be loaded does not fail the call; see `PluginRegistry.failures`.
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
  return new WorkspaceAgnes(services, options, workersOf(services, options));
}

/** The worker processes of a workspace; null if its SQL runs in this process. @throws `invalid_input` */
function workersOf(
  { limits }: SourceServices,
  { isolation = "none", workers = {} }: AgnesOptions,
): WorkerSettings | null {
  if (isolation === "none") return null;
  if (isolation !== "process") {
    const reason = `${formatValue(isolation)} is neither process nor none`;
    throw new AgnesError("invalid_input", { what: "the option isolation", reason });
  }
  return workerSettings(workers, limits);
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
  readonly #serverOptions: ServerOptions | undefined;
  readonly #session: Queries;
  readonly #live: LiveTables;
  #tables: Promise<TableRegistry> | undefined;
  #state: Promise<SyncState> | undefined;
  #tokens: Promise<Tokens> | undefined;
  #server: Promise<Server> | undefined;

  constructor(services: SourceServices, { actor, server }: AgnesOptions, settings: WorkerSettings | null) {
    this.#services = services;
    this.#actor = actor;
    this.#serverOptions = server;
    this.workspace = services.workspace;
    this.plugins = services.plugins;
    this.connectors = connectorsOf(services);
    this.#live = openLiveTables(services, () => this.tables());
    const { dataDirectory } = services.workspace;
    const sources = hybridSources(services, () => this.tables());
    const session = { dataDirectory, live: this.#live.resolve, sources };
    this.#session =
      settings === null
        ? openQuerySession({ ...services, extensions: extensionsOf(services) }, session)
        : new IsolatedSession(services, { ...session, settings });
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

  query(sql: string, options: QueryOptions = {}): Promise<QueryResult> {
    return this.#explained(this.#session.runQuery({ ...options, sql }), options.access);
  }

  async rows<T>(sql: string, options: QueryOptions = {}): Promise<readonly T[]> {
    const encoding = this.#session.encodeQuery({ ...options, sql, format: "json" });
    const pieces: Uint8Array[] = [];
    for await (const bytes of (await this.#explained(encoding, options.access)).bytes) pieces.push(bytes);
    return JSON.parse(Buffer.concat(pieces).toString()) as T[];
  }

  push(request: PushRequest): Promise<PushReport> {
    const tables = () => this.tables();
    const query = ({ sql, ...options }: QueryRequest) => this.query(sql, options);
    return pushRows({ ...this.#services, tables, query }, request);
  }

  pushMetadata(request: PushMetadataRequest): Promise<PushMetadataReport> {
    return pushMetadata({ ...this.#services, tables: () => this.tables() }, request);
  }

  async catalog(options: AccessOptions = {}): Promise<readonly CheckedEntry[]> {
    const entries = await this.#session.catalog(options);
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

  async describe(table: string, options: Parameters<Agnes["describe"]>[1] = {}): Promise<DocumentedTable> {
    const found = await this.#explained(this.#session.describeTable(table, options), options.access);
    const record = await (await this.tables()).get(found.id);
    const accessible = options.access == null ? null : await this.#session.catalog(options);
    return documentedTable(found, record, accessible);
  }

  sample(table: string, rows: number, options: Parameters<Agnes["sample"]>[2] = {}): Promise<QueryResult> {
    return this.#explained(this.#session.sampleTable(table, rows, options), options.access);
  }

  tokens(): Promise<Tokens> {
    this.#tokens ??= this.#openTokens();
    return this.#tokens;
  }

  async fetch(request: Request, info?: RequestInfo): Promise<Response> {
    this.#server ??= this.#openServer();
    return (await this.#server).fetch(request, info);
  }

  async close(): Promise<void> {
    await (await this.#server?.catch(() => undefined))?.close();
    await this.#session.close();
    await this.#live[Symbol.asyncDispose]();
    await (await this.#state?.catch(() => undefined))?.close();
    await (await this.#tokens?.catch(() => undefined))?.close();
    await (await this.#tables?.catch(() => undefined))?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Extends the error for an unknown table if the table is registered but not published yet. */
  async #explained<T>(result: Promise<T>, access?: QueryOptions["access"]): Promise<T> {
    try {
      return await result;
    } catch (error) {
      throw await explainUnknown(error, () => this.tables(), access);
    }
  }

  #syncState(): Promise<SyncState> {
    this.#state ??= SyncState.open({ ...this.#services, storage: this.#storage() });
    return this.#state;
  }

  async #openTokens(): Promise<Tokens> {
    const { Tokens: TokensOfWorkspace } = await import("./serve/mod.ts");
    const { host, log } = this.#services;
    return TokensOfWorkspace.open({ storage: this.#storage(), host, log });
  }

  async #openServer(): Promise<Server> {
    const { createServer } = await import("./serve/mod.ts");
    const { host, log } = this.#services;
    const encodeQuery = (request: EncodedRequest) =>
      this.#explained(this.#session.encodeQuery(request), request.access);
    const { workspace, plugins, connectors } = this;
    const served: ServedWorkspace = {
      workspace,
      plugins,
      connectors,
      encodeQuery,
      workers: () => this.#session.workers(),
      tables: () => this.tables(),
      rebuild: (options) => this.rebuild(options),
      catalog: (options) => this.catalog(options),
      describe: (table, options) => this.describe(table, options),
      sample: (table, rows, options) => this.sample(table, rows, options),
    };
    const server = this.#serverOptions;
    return createServer({
      host,
      log,
      workspace: served,
      tokens: () => this.tokens(),
      ...(server && { server }),
    });
  }

  async #syncServices() {
    return { ...this.#services, tables: await this.tables() };
  }

  /** Checks that the plugin of a table's source supports its settings. */
  #checkTable(table: TableSettings, id: string): void {
    const { sources } = this.workspace.config;
    const wanted = Object.hasOwn(sources, table.source) ? sources[table.source]!.plugin : undefined;
    const plugin = this.plugins.list().find(({ name }) => name === wanted);
    if (plugin === undefined) return;
    const { name, capabilities, sourceQuery: schema } = plugin;
    const queryForm = schema && { schema, now: this.#services.host.now() };
    checkSourceRules(table, id, { plugin: name, capabilities, ...(queryForm && { queryForm }) });
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
        `the registry ${join(dataPaths.state(workspace.dataDirectory), "tables")} has no tables, but ${extracts.join(", ")} was published here before: ` +
          "restore the registry from a backup, or import an exported file with `agnes table import`, before you sync. Ignore this if the data was copied from another workspace",
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

/** The sources of the workspace, for hybrid queries. */
function hybridSources(services: SourceServices, tables: () => Promise<TableRegistry>): HybridSources {
  const { sources } = services.workspace.config;
  return {
    pluginOf(source) {
      if (!Object.hasOwn(sources, source)) throw unknownSource(source, Object.keys(sources));
      return services.plugins.get(sources[source]!.plugin);
    },
    open: (source, signal) => openSource(services, source, signal),
    tables: async () => (await tables()).list(),
  };
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
