import { Buffer } from "node:buffer";
import { resolve } from "node:path";

import type { Agnes, AgnesOptions, QueryOptions } from "./agnes.ts";
import {
  extensionsOf,
  rebuild,
  remoteTables,
  type RebuildOptions,
  type RebuildReport,
  type RemoteTable,
} from "./analytics/mod.ts";
import { AgnesError, createHost, formatValue, OpenedOnce, type Host } from "./base/mod.ts";
import { rollbackExtract } from "./extract/mod.ts";
import type { MetadataCache } from "./metadata/mod.ts";
import type { PluginRegistry } from "./plugins/mod.ts";
import {
  documentedTable,
  IsolatedSession,
  openQuerySession,
  withRegisteredDescriptions,
  workerSettings,
  type AccessOptions,
  type CheckedEntry,
  type DescribeOptions,
  type DocumentedTable,
  type EncodedRequest,
  type HybridSources,
  type Queries,
  type QueryRequest,
  type QueryResult,
  type SampleOptions,
  type WorkerSettings,
} from "./query/mod.ts";
import { Profiles, type ProfileOptions, type TableProfile } from "./profile/mod.ts";
import type { PullOptions, PullReport } from "./pull/mod.ts";
import type { RequestInfo, ServedWorkspace, Server, ServerOptions, Tokens } from "./serve/mod.ts";
import {
  discoverTables,
  openLiveTables,
  openSource,
  namespaceOf,
  unknownSource,
  type Connectors,
  type LiveTables,
  type SourceServices,
} from "./sources/mod.ts";
import {
  healthProcess,
  syncProcessSettings,
  readTimeline,
  syncSources,
  syncStatus,
  type HealthChecks,
  type RunHistory,
  type SourceHealth,
  type SyncOptions,
  type SyncProcessSettings,
  type SyncReport,
  type TableSyncStatus,
  type Timeline,
  type TimelineOptions,
} from "./sync/mod.ts";
import { explainUnknown, type TableRegistry } from "./tables/mod.ts";
import {
  checkConfig,
  dataDirectoryOf,
  dataPaths,
  explainInCopy,
  openWorkspace,
  type Workspace,
} from "./workspace/mod.ts";
import {
  pushMetadata,
  pushRows,
  type PushMetadataReport,
  type PushMetadataRequest,
  type PushReport,
  type PushRequest,
} from "./write-back/mod.ts";
import { workspaceServices } from "./workspace-services.ts";
import { WorkspaceState } from "./workspace-state.ts";

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
  const services = await workspaceServices(host, await workspaceOf(host, options), options);
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
  readonly metadata: MetadataCache;
  readonly #services: SourceServices;
  readonly #serverOptions: ServerOptions | undefined;
  readonly #session: Queries;
  readonly #live: LiveTables;
  readonly #state: WorkspaceState;
  readonly #profiles: Profiles;
  /** The processes in which syncs run the sources; null: in this one. */
  readonly #processes: SyncProcessSettings | null;
  readonly #server = new OpenedOnce(() => this.#openServer());

  constructor(
    services: SourceServices,
    { actor, server, syncProcesses }: AgnesOptions,
    settings: WorkerSettings | null,
  ) {
    this.#services = services;
    const { limits } = services.workspace.config;
    this.#processes =
      syncProcesses === undefined ? null : syncProcessSettings(syncProcesses, limits, syncProcessFile());
    this.#state = new WorkspaceState(services, {
      actor,
      onUnregister: (table) => this.#profiles.forget(table),
      healthProcess: this.#processes === null ? null : healthProcess(services, this.#processes),
    });
    this.metadata = this.#state.metadata;
    this.#serverOptions = server;
    this.workspace = services.workspace;
    this.plugins = services.plugins;
    this.connectors = connectorsOf(services, this.#state.health);
    this.#live = openLiveTables(services, () => this.tables());
    const { dataDirectory } = services.workspace;
    const sources = hybridSources(services, () => this.tables());
    const session = { dataDirectory, live: this.#live.resolve, sources };
    this.#session =
      settings === null
        ? openQuerySession({ ...services, extensions: extensionsOf(services) }, session)
        : new IsolatedSession(services, { ...session, settings });
    this.#profiles = new Profiles(services, this);
  }

  tables(): Promise<TableRegistry> {
    return this.#state.tables();
  }

  async sync(options: SyncOptions = {}): Promise<SyncReport> {
    // The registry first: see `unregisteredExtracts`.
    const services = await this.#syncServices();
    const [state, runs] = [await this.#state.syncs(), await this.#state.runs()];
    const { actor, health } = this.#state;
    return syncSources({ ...services, state, runs, health, actor, processes: this.#processes }, options);
  }

  runs(): Promise<RunHistory> {
    return this.#state.runs();
  }

  async syncStatus(options: AccessOptions = {}): Promise<readonly TableSyncStatus[]> {
    const tables = await this.tables();
    const [state, runs] = [await this.#state.syncs(), await this.#state.runs()];
    return syncStatus({ host: this.#services.host, tables, state, runs }, options.access ?? null);
  }

  async timeline(options: TimelineOptions = {}): Promise<Timeline> {
    const { host, workspace } = this.#services;
    const [tables, runs] = [await this.tables(), await this.#state.runs()];
    return readTimeline({ host, workspace, tables, runs }, options);
  }

  sourceHealth(): Promise<readonly SourceHealth[]> {
    return this.#state.health.last();
  }

  async rebuild(options: RebuildOptions = {}): Promise<RebuildReport> {
    return rebuild(await this.#syncServices(), options);
  }

  async remoteTables(options: RebuildOptions = {}): Promise<readonly RemoteTable[]> {
    return remoteTables(await this.#syncServices(), options);
  }

  async rollback(source: string, generation: number): Promise<number> {
    const { workspace } = this;
    const known = Object.keys(workspace.config.sources);
    if (!known.includes(source)) throw unknownSource(source, known);
    const directory = dataPaths.extract(workspace.dataDirectory, source);
    const published = await rollbackExtract(this.#services, directory, generation, this.#state.actor);
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

  async pull(options: PullOptions = {}): Promise<PullReport> {
    const { pullTables } = await import("./pull/mod.ts");
    const tables = await this.tables();
    return pullTables({ ...this.#services, tables, rebuild: () => this.rebuild() }, options);
  }

  pushMetadata(request: PushMetadataRequest): Promise<PushMetadataReport> {
    return pushMetadata({ ...this.#services, tables: () => this.tables() }, request);
  }

  async catalog(options: AccessOptions = {}): Promise<readonly CheckedEntry[]> {
    const entries = await this.#session.catalog(options);
    if (entries.length === 0) return [];
    const state = await this.#state.syncs();
    const sources = [...new Set(entries.map(({ source }) => source))];
    const known = await Promise.all(
      sources.map(async (source) =>
        [...(await state.succeeded(source))].map(([name, at]) => [`${source}.${name}`, at] as const),
      ),
    );
    const checked = new Map<string, Date>(known.flat());
    const registered = async () => (await this.tables()).list();
    const described = await withRegisteredDescriptions(await this.metadata.withFacts(entries), registered);
    return described.map((entry) => ({ ...entry, checkedAt: checked.get(entry.id)?.toISOString() ?? null }));
  }

  async describe(table: string, options: DescribeOptions = {}): Promise<DocumentedTable> {
    const found = await this.#explained(this.#session.describeTable(table, options), options.access);
    const record = await (await this.tables()).get(found.id);
    const accessible = options.access == null ? null : await this.#session.catalog(options);
    return documentedTable(found, record, accessible);
  }

  sample(table: string, rows: number, options: SampleOptions = {}): Promise<QueryResult> {
    return this.#explained(this.#session.sampleTable(table, rows, options), options.access);
  }

  profile(table: string, options: ProfileOptions = {}): Promise<TableProfile> {
    return this.#profiles.profile(table, options);
  }

  tokens(): Promise<Tokens> {
    return this.#state.tokens();
  }

  async fetch(request: Request, info?: RequestInfo): Promise<Response> {
    return (await this.#server.get()).fetch(request, info);
  }

  async startScheduler(): Promise<void> {
    (await this.#server.get()).startScheduler();
  }

  async stopScheduler(): Promise<void> {
    await (await this.#server.opened())?.stopScheduler();
  }

  async close(): Promise<void> {
    await (await this.#server.opened())?.close();
    await this.#session.close();
    await this.#live[Symbol.asyncDispose]();
    await this.#state.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Extends the error for an unknown table if the table is registered but not published yet. */
  async #explained<T>(result: Promise<T>, access?: QueryOptions["access"]): Promise<T> {
    try {
      return await result;
    } catch (error) {
      const explained = await explainUnknown(error, () => this.tables(), access);
      const { host } = this.#services;
      throw access == null ? await explainInCopy(explained, host, this.workspace) : explained;
    }
  }

  async #openServer(): Promise<Server> {
    const { createServer } = await import("./serve/mod.ts");
    const { host, log } = this.#services;
    const encodeQuery = (request: EncodedRequest) =>
      this.#explained(this.#session.encodeQuery(request), request.access);
    const { workspace, plugins, connectors, metadata } = this;
    const served: ServedWorkspace = {
      workspace,
      plugins,
      connectors,
      metadata,
      health: this.#state.health,
      encodeQuery,
      push: (request) => this.push(request),
      withCondition: (request) => this.#session.withCondition(request),
      workers: () => this.#session.workers(),
      tables: () => this.tables(),
      subscriptions: () => this.#state.subscriptions(),
      sync: (options) => this.sync(options),
      runs: () => this.runs(),
      syncState: () => this.#state.syncs(),
      syncStatus: (options) => this.syncStatus(options),
      timeline: (options) => this.timeline(options),
      rebuild: (options) => this.rebuild(options),
      catalog: (options) => this.catalog(options),
      describe: (table, options) => this.describe(table, options),
      sample: (table, rows, options) => this.sample(table, rows, options),
      profile: (table, options) => this.profile(table, options),
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
    return { ...this.#services, tables: await this.tables(), profiles: this.#profiles.updates };
  }
}

/** The file beside this one that runs a source, with the same extension. */
function syncProcessFile(): string {
  const own = import.meta.url;
  return new URL(`sync-process-entry${own.slice(own.lastIndexOf("."))}`, own).href;
}

/** The sources of the workspace, for hybrid queries. */
function hybridSources(services: SourceServices, tables: () => Promise<TableRegistry>): HybridSources {
  const { sources } = services.workspace.config;
  let namespaces: ReadonlyMap<string, string | undefined> | undefined;
  return {
    pluginOf(source) {
      if (!Object.hasOwn(sources, source)) throw unknownSource(source, Object.keys(sources));
      return services.plugins.get(sources[source]!.plugin);
    },
    open: (source, signal) => openSource(services, source, signal),
    async tables() {
      const known = (namespaces ??= new Map(
        Object.entries(sources).map(([source, config]) => [source, namespaceOf(services, source, config)]),
      ));
      const records = await (await tables()).list();
      return records.map((record) => ({ ...record, namespace: known.get(record.source) }));
    },
  };
}

function connectorsOf(services: SourceServices, health: HealthChecks): Connectors {
  return {
    open: (source, { signal } = {}) => openSource(services, source, signal),
    discover: async (source, options = {}) => {
      await using handle = await openSource(services, source, options.signal);
      return await discoverTables(handle, options);
    },
    health: (source, { signal } = {}) => health.checkOne(source, signal),
  };
}
