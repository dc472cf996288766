import type { Host, Log } from "../base/mod.ts";
import { openCatalog, type Catalog, type CatalogStorage } from "../catalog/mod.ts";
import type { ExtractStats } from "../extract/mod.ts";

interface TableState {
  readonly source: string;
  readonly table: string;
  /** When the last try began, and the last that succeeded; ISO 8601. */
  readonly triedAt: string;
  readonly succeededAt: string | null;
}

/** When each table was last tried and last brought up to date, also when there was nothing new. */
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
    return new SyncState(await openCatalog<TableState>({ name: "sync", storage, host, log, ...keys }));
  }

  /** When the last successful sync of each table of a source began, by name; what never succeeded is missing. */
  async succeeded(source: string): Promise<ReadonlyMap<string, Date>> {
    const found = await this.#catalog.query({ source });
    return new Map(
      found.flatMap(({ record: { table, succeededAt } }) =>
        succeededAt === null ? [] : [[table, new Date(succeededAt)] as const],
      ),
    );
  }

  /** Keeps what a run of a source did, as of the moment it began. */
  async record(source: string, began: Date, tables: ExtractStats["tables"]): Promise<void> {
    const triedAt = began.toISOString();
    await this.#catalog.transact(async (view) => {
      const before = await view.query({ source });
      const succeeded = new Map(before.map(({ record }) => [record.table, record.succeededAt]));
      return tables.map(({ name: table, status }) => ({
        kind: "put",
        record: {
          source,
          table,
          triedAt,
          succeededAt: status === "failed" ? (succeeded.get(table) ?? null) : triedAt,
        },
      }));
    });
  }

  close(): Promise<void> {
    return this.#catalog.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
