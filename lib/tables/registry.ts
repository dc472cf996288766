import { AgnesError, formatValue, silentLog, type Host, type Log, currentActor } from "../base/mod.ts";
import { openCatalog, type Catalog, type CatalogStorage, type Commit, type Edit } from "../catalog/mod.ts";
import type { TableInfo } from "../kit/mod.ts";
import { announce, resourcesOf, type UnregisterListener } from "./cascade.ts";
import {
  checkRegistryVersion,
  checkViewName,
  nameOf,
  present,
  type Decide,
  type Decision,
} from "./decide.ts";
import {
  changesOf,
  readHistory,
  unregisteredTables,
  type RegistryChange,
  type TableAudit,
} from "./history.ts";
import { planFolders, planImport, type ImportOutcome, type RegistryDocument } from "./import.ts";
import {
  changedFields,
  changedRecord,
  checkChange,
  newSettings,
  tableId,
  type CheckTable,
  type TableChange,
  type TableRecord,
  type TableSettings,
} from "./record/mod.ts";
import { writeInEntries } from "./in-entries.ts";
import { isWanted } from "./is-wanted.ts";
import { newRows } from "./new-rows.ts";
import { changesNothing, planRegistration, withoutDeclined, type RegistrationPlan } from "./registration.ts";
import {
  allFolders,
  allTables,
  folderRow,
  foldersOf,
  recordOf,
  registered,
  registrySchema,
  tableKey,
  tableRow,
  type RegisteredTable,
  type RegistryRow,
} from "./stored.ts";
import { notRegistered, transact, type View } from "./transaction.ts";
import type {
  ChangeOptions,
  DiscoverOptions,
  FolderWrite,
  ImportOptions,
  RegistryHistoryOptions,
  TableFilter,
  TableWrite,
  Unregistration,
} from "./types.ts";
import { writeFolders } from "./write-folders.ts";

/** The options of `openTableRegistry`. */
export interface TableRegistryOptions {
  readonly storage: CatalogStorage;
  readonly host: Host;
  /** The default actor of changes. Default: the user of the environment. */
  readonly actor?: string;
  readonly log?: Log;
  /** An additional check of a table's merged settings, for example `checkSourceRules`. Throws to reject them. */
  readonly checkTable?: CheckTable;
}

/**
 * Opens the table registry, which records the tables to sync, their settings, and who changed them.
 *
 * Each change is one entry of an append-only log, which is also the audit trail. Several processes may use one store at
 * the same time.
 *
 * @throws `catalog_corrupt`, `catalog_unavailable`: an unreadable registry is never treated as empty
 */
export async function openTableRegistry(options: TableRegistryOptions): Promise<TableRegistry> {
  const { storage, host, log = silentLog } = options;
  const actor = options.actor ?? currentActor(host);
  const catalog = await openCatalog<RegistryRow>({
    ...registrySchema,
    storage,
    host,
    log,
    actor,
  });
  return new TableRegistry({ catalog, host, log, actor, checkTable: options.checkTable ?? (() => {}) });
}

interface RegistryServices {
  readonly catalog: Catalog<RegistryRow>;
  readonly host: Host;
  readonly log: Log;
  readonly actor: string;
  readonly checkTable: CheckTable;
}

/**
 * The table registry of a workspace: the tables to sync, their settings, and who changed them; see `Agnes.tables`.
 *
 * Each change is one entry of an append-only log, which is also the audit trail. Several processes may change the
 * registry at the same time. Fields are in camelCase here and in snake_case in files, YAML and HTTP. All methods throw
 * `catalog_unavailable` and `catalog_corrupt`.
 *
 * @example
 * ```ts
 * import { createAgnes } from "agnes";
 * await using agnes = await createAgnes({ plugins: [] });
 * const tables = await agnes.tables();
 * const { version } = await tables.find("orders");
 * await tables.update("crm.orders", { syncSchedule: "daily 05:00" }, { expectedVersion: version });
 * ```
 */
export class TableRegistry implements AsyncDisposable {
  readonly #catalog: Catalog<RegistryRow>;
  readonly #host: Host;
  readonly #log: Log;
  readonly #actor: string;
  readonly #checkTable: CheckTable;
  readonly #listeners = new Set<UnregisterListener>();

  constructor(services: RegistryServices) {
    this.#catalog = services.catalog;
    this.#host = services.host;
    this.#log = services.log;
    this.#actor = services.actor;
    this.#checkTable = services.checkTable;
  }

  /** Returns the registry's version: the number of its changes. */
  version(): Promise<number> {
    return this.#catalog.version();
  }

  /** Returns a table by its id, `source.table`, in any case; `null` if it is not registered. */
  async get(id: string): Promise<RegisteredTable | null> {
    const found = await this.#catalog.get(tableKey(id));
    return found === null ? null : registered(found);
  }

  /**
   * Returns a table by its id or view name, in any case.
   *
   * @throws `table_not_registered` with the nearest name
   */
  async find(reference: string): Promise<RegisteredTable> {
    const byId = await this.get(reference);
    if (byId !== null) return byId;
    const [byView] = await this.list({ viewName: reference });
    if (byView !== undefined) return byView;
    throw await notRegistered(this.#catalog, reference);
  }

  /** Returns the registered tables that match, ordered by id. */
  async list(filter: TableFilter = {}): Promise<readonly RegisteredTable[]> {
    const found = await this.#catalog.query(
      {
        ...(filter.source === undefined ? {} : { source: filter.source }),
        ...(filter.bucket === undefined ? {} : { bucket: filter.bucket }),
        ...(filter.queryMode === undefined ? {} : { query_mode: filter.queryMode }),
        ...(filter.viewName === undefined ? {} : { view_key: filter.viewName.toLowerCase() }),
      },
      allTables,
    );
    return found.map(registered).filter((table) => isWanted(table, filter));
  }

  /**
   * Registers a table. `source` and `sourceTable` are enough.
   *
   * @param options `expectedVersion` refers to the version of the whole registry
   * @throws `table_exists`, `table_view_taken`, `table_version_stale`, `table_contradiction`, and the errors of invalid
   * fields
   */
  async register(change: TableChange, options: ChangeOptions = {}): Promise<TableWrite> {
    const what = nameOf(change);
    const settings = newSettings(checkChange(change, what), what);
    return this.#write(options, async (view) => {
      checkRegistryVersion(view, options.expectedVersion);
      const after = this.#newRecord(settings, options.actor);
      const existing = await view.get(tableKey(after.id));
      if (existing === null) return { before: null, after };
      throw new AgnesError("table_exists", { id: after.id, existing: recordOf(existing.record)!.id });
    });
  }

  /**
   * Changes a table. A missing field keeps its value, `null` resets it to its default. The merged settings must not
   * contradict each other.
   *
   * @throws `table_not_registered`, `table_version_stale`, `table_view_taken`, `table_field_fixed`, `table_contradiction`,
   * and the errors of invalid fields
   */
  async update(id: string, change: TableChange, options: ChangeOptions = {}): Promise<TableWrite> {
    const checked = checkChange(change, formatValue(id));
    return this.#write(options, async (view) => {
      const before = await present(view, id, options.expectedVersion);
      const { version: _version, ...record } = before;
      return { before, after: changedRecord(record, checked) };
    });
  }

  /** Renames the view of a table. Its id and data stay. Throws the errors of `update`. */
  renameView(id: string, viewName: string, options: ChangeOptions = {}): Promise<TableWrite> {
    return this.update(id, { viewName }, options);
  }

  /**
   * Unregisters a table and removes its resources.
   * @throws `table_not_registered`, `table_version_stale`
   */
  async unregister(id: string, options: ChangeOptions = {}): Promise<Unregistration> {
    let table: RegisteredTable | undefined;
    const { sequence } = await this.#transact(options, async (view) => {
      table = await present(view, id, options.expectedVersion);
      return [{ kind: "delete", rowKey: tableKey(id) }];
    });
    const resources = resourcesOf(table!);
    if (options.dryRun === true) return { table: table!, resources, failures: [], dryRun: true };
    const event = { table: table!, version: sequence, resources };
    const failures = await announce(event, this.#listeners, this.#log);
    return { table: table!, resources, failures, dryRun: false };
  }

  /** Calls `listener` after each unregistration made through this object. Returns a function that removes it. */
  onUnregister(listener: UnregisterListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Compares the tables of a source with the registry and registers the new ones. Of registered tables only
   * `sourceMetadata` changes. Tables that a user unregistered stay unregistered, unless `again` is set.
   */
  async registerDiscovered(
    source: string,
    discovered: readonly TableInfo[],
    options: DiscoverOptions = {},
  ): Promise<RegistrationPlan> {
    const planOn = (tables: readonly RegisteredTable[]) =>
      planRegistration(source, discovered, tables, {
        capabilities: options.capabilities,
        checkTable: this.#checkTable,
      });
    const plan = planOn(await this.list());
    if (changesNothing(plan)) return plan;
    const declined =
      options.again === true
        ? () => Promise.resolve(new Map<string, TableAudit>())
        : unregisteredTables(this.#catalog, source);
    if (options.dryRun === true) return withoutDeclined(plan, await declined());
    return this.#registerNew(planOn, declined, options.actor);
  }

  /** Returns the folder of each bucket that has one, ordered by bucket. */
  async folders(): Promise<Readonly<Record<string, string>>> {
    return foldersOf(await this.#catalog.query({}, allFolders));
  }

  /**
   * Sets the folder of a bucket; `null` clears it. The change is an entry of the same log.
   * @param options `expectedVersion` refers to the version of the whole registry
   * @throws `table_field_invalid`, `table_version_stale`
   */
  async setFolder(bucket: string, folder: string | null, options: ChangeOptions = {}): Promise<FolderWrite> {
    const before = (await this.setFolders({ [bucket]: folder }, options)).get(bucket) ?? null;
    return { before, changed: before !== folder, dryRun: options.dryRun === true };
  }

  /**
   * Sets the folders of several buckets in one change; `null` clears one. Other buckets keep theirs.
   * @param options `expectedVersion` refers to the version of the whole registry
   * @returns the previous folders of the buckets that had one
   * @throws `table_field_invalid`, `table_version_stale`
   */
  setFolders(
    folders: Readonly<Record<string, string | null>>,
    options: ChangeOptions = {},
  ): Promise<ReadonlyMap<string, string>> {
    return writeFolders((decide) => this.#transact(options, decide), folders, options.expectedVersion);
  }

  /**
   * Registers or changes all tables of a document. The document is checked before anything is written. Up to some
   * hundreds of tables are written in one step, more in several: after an interruption, the same import again writes
   * the rest. Tables that are not in the document stay. With `skipInvalid`, invalid entries are skipped and listed.
   *
   * @throws `table_import_refused` with all invalid tables, `table_version_stale`
   */
  async import(document: RegistryDocument, options: ImportOptions = {}): Promise<ImportOutcome> {
    let outcome: ImportOutcome | undefined;
    const { skipInvalid = false } = options;
    const { notes = [] } = document;
    await writeInEntries(
      (decide) => this.#transact(options, decide),
      async (view, isBegun) => {
        if (!isBegun) checkRegistryVersion(view, options.expectedVersion);
        const tables = (await view.query({}, allTables)).map(registered);
        const stamp = this.#stamp(options.actor);
        const plan = planImport(document, tables, { ...stamp, checkTable: this.#checkTable, skipInvalid });
        const folders = planFolders(document, foldersOf(await view.query({}, allFolders)));
        const { outcomes, skipped } = plan;
        // A plan made after the first entry would report its tables as unchanged.
        if (!isBegun)
          outcome = { tables: outcomes, folders, skipped, notes, dryRun: options.dryRun === true };
        const rows = [
          ...plan.records.map(tableRow),
          ...folders.map(({ bucket, folder }) => folderRow(bucket, folder)),
        ];
        return { plan, items: rows.map((row) => ({ row })) };
      },
    );
    return outcome!;
  }

  /**
   * Returns the changes of one table or of the whole registry, with actor, time, and the states before and after. Default:
   * the oldest 1,000 versions.
   */
  history(options: RegistryHistoryOptions = {}): Promise<readonly RegistryChange[]> {
    return readHistory(this.#catalog, options);
  }

  /** Iterates over all changes from a version on, oldest first, for exports of any length. */
  async *changes(from = 1): AsyncIterable<RegistryChange> {
    for await (const entry of this.#catalog.entries({ from })) yield* changesOf(entry);
  }

  /** Closes the registry. Idempotent. */
  close(): Promise<void> {
    return this.#catalog.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Decides on one table and writes it. Its view name is checked in the same transaction. */
  async #write(options: ChangeOptions, decide: Decide): Promise<TableWrite> {
    let decided: Decision | undefined;
    const { sequence, changes } = await this.#transact(options, async (view) => {
      decided = await decide(view);
      this.#checkTable(decided.after, decided.after.id);
      await checkViewName(view, decided.after);
      return [{ kind: "put", record: tableRow(decided.after) }];
    });
    const { before, after } = decided!;
    const version = changes.length > 0 ? sequence : (before?.version ?? 0);
    return {
      table: { ...after, version },
      changed: changedFields(before, after),
      dryRun: options.dryRun === true,
    };
  }

  /** Registers the new tables of a plan, in as many entries as needed. */
  async #registerNew(
    planOn: (tables: readonly RegisteredTable[]) => RegistrationPlan,
    declined: () => Promise<ReadonlyMap<string, TableAudit>>,
    actor: string | undefined,
  ): Promise<RegistrationPlan> {
    const { plan, written } = await writeInEntries(
      (decide) => this.#transact(actor === undefined ? {} : { actor }, decide),
      async (view) => {
        const tables = (await view.query({}, allTables)).map(registered);
        // Read again each time, because a table may have been unregistered since.
        const decided = withoutDeclined(planOn(tables), await declined());
        return {
          plan: decided,
          items: newRows(decided, tables, (settings) => this.#newRecord(settings, actor)),
        };
      },
    );
    const registeredByName = new Map(written.map(({ candidate }) => [candidate.table, candidate]));
    const candidates = plan.candidates.map((candidate) => registeredByName.get(candidate.table) ?? candidate);
    return { ...plan, candidates };
  }

  #transact(
    options: ChangeOptions,
    decide: (view: View) => Promise<readonly Edit<RegistryRow>[]>,
  ): Promise<Commit<RegistryRow>> {
    return transact(this.#catalog, { ...options, actor: options.actor ?? this.#actor }, decide);
  }

  #newRecord(settings: TableSettings, actor: string | undefined): TableRecord {
    const { at, by } = this.#stamp(actor);
    return { id: tableId(settings.source, settings.name), ...settings, registeredBy: by, registeredAt: at };
  }

  #stamp(actor: string | undefined): { readonly at: string; readonly by: string } {
    return { at: this.#host.now().toISOString(), by: actor ?? this.#actor };
  }
}
