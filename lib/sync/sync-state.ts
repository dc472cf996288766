import type { Host, Log } from "../base/mod.ts";
import { openCatalog, type Catalog, type CatalogStorage } from "../catalog/mod.ts";
import type { ExtractStats } from "../extract/mod.ts";

/** Only the last run of a table is needed; the registry has the audit trail. */
const KEPT_RUNS = 256;

interface TableState {
  readonly source: string;
  readonly table: string;
  /** The start of the last successful sync; ISO 8601. */
  readonly succeededAt: string;
}

/** The time of the last successful sync of each table, including syncs without new rows. */
export class SyncState implements AsyncDisposable {
  readonly #catalog: Catalog<TableState>;

  private constructor(catalog: Catalog<TableState>) {
    this.#catalog = catalog;
  }

  static async open(options: {
    readonly storage: CatalogStorage;
    readonly host: Host;
    readonly log: Log;
  }): Promise<SyncState> {
    const { storage, host, log } = options;
    const keys = { rowKey: ["source", "table"], indexKeys: ["source"] };
    const services = { storage, host, log };
    const catalog = await openCatalog<TableState>({
      name: "sync",
      ...keys,
      ...services,
      keepEntries: KEPT_RUNS,
    });
    return new SyncState(catalog);
  }

  /** The start of the last successful sync of each table of a source, by name. Other tables are missing. */
  async succeeded(source: string): Promise<ReadonlyMap<string, Date>> {
    const found = await this.#catalog.query({ source });
    return new Map(found.map(({ record }) => [record.table, new Date(record.succeededAt)]));
  }

  /** Records the tables that a run of a source synced, with the start of the run. */
  async record(source: string, began: Date, tables: ExtractStats["tables"]): Promise<void> {
    const succeededAt = began.toISOString();
    const succeeded = tables.filter(({ status }) => status !== "failed");
    await this.#catalog.insertMany(succeeded.map(({ name: table }) => ({ source, table, succeededAt })));
  }

  /** Removes a table, so that it counts as new when it is registered again. */
  async forget(source: string, table: string): Promise<void> {
    await this.#catalog.delete([source, table]);
  }

  /** Reads all entries of the log and returns their number. Throws `catalog_corrupt` with the damaged part. */
  async verify(): Promise<number> {
    let entries = 0;
    for await (const _entry of this.#catalog.entries()) entries += 1;
    return entries;
  }

  close(): Promise<void> {
    return this.#catalog.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
