import type { Host, Log } from "../base/mod.ts";
import { openCatalog, type Catalog, type CatalogStorage } from "../catalog/mod.ts";
import type { ExtractStats } from "../extract/mod.ts";

/** Nobody asks which run brought a table up to date before the last one; the registry has the audit. */
const KEPT_RUNS = 256;

interface TableState {
  readonly source: string;
  readonly table: string;
  /** When the last sync that succeeded began; ISO 8601. */
  readonly succeededAt: string;
}

/** When each table was last brought up to date, also when there was nothing new. */
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

  /** When the last successful sync of each table of a source began, by name; what never succeeded is missing. */
  async succeeded(source: string): Promise<ReadonlyMap<string, Date>> {
    const found = await this.#catalog.query({ source });
    return new Map(found.map(({ record }) => [record.table, new Date(record.succeededAt)]));
  }

  /** Keeps which tables a run of a source brought up to date, as of the moment it began. */
  async record(source: string, began: Date, tables: ExtractStats["tables"]): Promise<void> {
    const succeededAt = began.toISOString();
    const succeeded = tables.filter(({ status }) => status !== "failed");
    await this.#catalog.insertMany(succeeded.map(({ name: table }) => ({ source, table, succeededAt })));
  }

  /** Forgets a table, so that it is as new when it is registered again. */
  async forget(source: string, table: string): Promise<void> {
    await this.#catalog.delete([source, table]);
  }

  /** Reads all that is kept of the log; gives how many entries that are. Throws `catalog_corrupt` naming what is damaged. */
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
