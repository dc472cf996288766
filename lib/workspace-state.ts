import { join } from "node:path";

import { rebuild } from "./analytics/mod.ts";
import { currentActor, OpenedOnce } from "./base/mod.ts";
import { fileStorage, type CatalogStorage } from "./catalog/mod.ts";
import { MetadataCache, metadataSettings } from "./metadata/mod.ts";
import type { Subscriptions, Tokens } from "./serve/mod.ts";
import type { SourceServices } from "./sources/mod.ts";
import {
  dropPublishedTable,
  HealthChecks,
  HealthRecords,
  Runs,
  SyncState,
  unregisteredExtracts,
  type HealthProcess,
} from "./sync/mod.ts";
import {
  checkSourceRules,
  openTableRegistry,
  type RegisteredTable,
  type TableRegistry,
  type TableSettings,
} from "./tables/mod.ts";
import { dataPaths } from "./workspace/mod.ts";

type UnregisteredHandler = (table: RegisteredTable) => Promise<void>;

interface StateOptions {
  readonly actor: string | undefined;
  /** Removes what is kept of an unregistered table outside the catalogs. Default: nothing. */
  readonly onUnregister?: UnregisteredHandler;
  /** Where the health of sources is checked. Default: in this process. */
  readonly healthProcess?: HealthProcess | null;
}

/** The catalogs of a workspace, each opened when it is first needed. */
export class WorkspaceState {
  /** Who changes the registry and syncs. */
  readonly actor: string;
  readonly metadata: MetadataCache;
  readonly health: HealthChecks;
  readonly #services: SourceServices;
  readonly #onUnregister: UnregisteredHandler;
  readonly #tables = new OpenedOnce(() => this.#openTables());
  readonly #syncs = new OpenedOnce(() => SyncState.open(this.#catalogServices()));
  readonly #runs = new OpenedOnce(() => this.#openRuns());
  readonly #tokens = new OpenedOnce(() => this.#openTokens());
  readonly #subscriptions = new OpenedOnce(() => this.#openSubscriptions());
  readonly #health = new OpenedOnce(() => HealthRecords.open(this.#catalogServices()));

  constructor(
    services: SourceServices,
    { actor, onUnregister = async () => {}, healthProcess = null }: StateOptions,
  ) {
    this.#services = services;
    this.#onUnregister = onUnregister;
    this.actor = actor ?? currentActor(services.host);
    this.health = new HealthChecks(services, () => this.#health.get(), healthProcess);
    this.metadata = new MetadataCache({
      ...services,
      storage: () => this.#storage(),
      tables: () => this.tables(),
      settings: metadataSettings(services.host.env),
    });
  }

  tables(): Promise<TableRegistry> {
    return this.#tables.get();
  }

  syncs(): Promise<SyncState> {
    return this.#syncs.get();
  }

  runs(): Promise<Runs> {
    return this.#runs.get();
  }

  tokens(): Promise<Tokens> {
    return this.#tokens.get();
  }

  subscriptions(): Promise<Subscriptions> {
    return this.#subscriptions.get();
  }

  async close(): Promise<void> {
    await this.metadata.close();
    const catalogs = [this.#syncs, this.#runs, this.#health, this.#tokens, this.#subscriptions, this.#tables];
    for (const catalog of catalogs) await (await catalog.opened())?.close();
  }

  #openRuns(): Promise<Runs> {
    const directory = dataPaths.running(this.#services.workspace.dataDirectory);
    return Runs.open({ ...this.#catalogServices(), directory });
  }

  async #openTokens(): Promise<Tokens> {
    const { Tokens: TokensOfWorkspace } = await import("./serve/mod.ts");
    return TokensOfWorkspace.open(this.#catalogServices());
  }

  async #openSubscriptions(): Promise<Subscriptions> {
    const { Subscriptions: SubscriptionsOfWorkspace } = await import("./serve/mod.ts");
    return SubscriptionsOfWorkspace.open(this.#catalogServices());
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
      ...this.#catalogServices(),
      actor: this.actor,
      checkTable: (table, id) => this.#checkTable(table, id),
    });
    registry.onUnregister(async ({ table }) => {
      await (await this.syncs()).forget(table.source, table.name);
      await this.metadata.forget(table.id);
      await this.#onUnregister(table);
      await dropPublishedTable(this.#services, table);
      await rebuild({ ...this.#services, tables: registry });
      await this.#unsubscribe(table.id);
    });
    return registry;
  }

  async #unsubscribe(id: string): Promise<void> {
    const { host, workspace } = this.#services;
    // Opening it would create its folder, and load the server.
    const directory = join(dataPaths.state(workspace.dataDirectory), "subscriptions");
    if ((await host.files.stat(directory)) === null) return;
    await (await this.subscriptions()).forget(id);
  }

  /** Checks that the plugin of a table's source supports its settings. */
  #checkTable(table: TableSettings, id: string): void {
    const { plugins, workspace, host } = this.#services;
    const { sources } = workspace.config;
    const wanted = Object.hasOwn(sources, table.source) ? sources[table.source]!.plugin : undefined;
    const plugin = plugins.list().find(({ name }) => name === wanted);
    if (plugin === undefined) return;
    const { name, capabilities, sourceQuery: schema } = plugin;
    const queryForm = schema && { schema, now: host.now() };
    checkSourceRules(table, id, { plugin: name, capabilities, ...(queryForm && { queryForm }) });
  }

  #catalogServices() {
    const { host, log } = this.#services;
    return { storage: this.#storage(), host, log };
  }

  #storage(): CatalogStorage {
    const { host, log, workspace } = this.#services;
    return fileStorage({ directory: dataPaths.state(workspace.dataDirectory), host, log });
  }
}
