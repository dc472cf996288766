import { openCatalog, verifyCatalog, type Catalog, type CatalogServices } from "../catalog/mod.ts";
import type { RegisteredTable } from "../tables/mod.ts";
import { placeOf, rowAfter, type Outcome, type RunRow, type TableRow } from "./stored.ts";

/** Only the last state is needed; the log has no audit. */
const KEEP_ENTRIES = 256;

type Row = TableRow | RunRow;

/** The metadata cache as stored in the state of the workspace. */
export class MetadataStore {
  readonly #catalog: Catalog<Row>;
  #waiting: Outcome[] = [];
  #next: Promise<ReadonlyMap<string, TableRow>> | undefined;
  #writing: Promise<unknown> = Promise.resolve();

  private constructor(catalog: Catalog<Row>) {
    this.#catalog = catalog;
  }

  static async open(services: CatalogServices): Promise<MetadataStore> {
    const keys = { rowKey: ["kind", "key"], indexKeys: [], keepEntries: KEEP_ENTRIES };
    return new MetadataStore(await openCatalog<Row>({ ...services, name: "metadata", ...keys }));
  }

  /** The rows of registered tables, by id. A row of another table under the same id counts as missing. */
  async rows(records: readonly RegisteredTable[]): Promise<ReadonlyMap<string, TableRow>> {
    const found = await this.#catalog.query({}, { rowFrom: ["table"], rowTo: ["table"] });
    const byKey = new Map(found.map(({ record }) => [record.key, record as TableRow]));
    return new Map(
      records.flatMap((record) => {
        const row = byKey.get(record.id.toLowerCase());
        return row?.place === placeOf(record) ? [[record.id, row] as const] : [];
      }),
    );
  }

  /** Stores a result, together with all others that wait for the disk. Returns the row. */
  async write(outcome: Outcome): Promise<TableRow> {
    this.#waiting.push(outcome);
    if (this.#next === undefined) {
      const next = this.#writing.then(() => this.#writeWaiting());
      this.#next = next;
      this.#writing = next.catch(() => {});
    }
    return (await this.#next).get(outcome.record.id.toLowerCase())!;
  }

  /** Removes what is stored of tables that are no longer registered as remote. */
  async keepOnly(records: readonly RegisteredTable[]): Promise<void> {
    const keys = new Set(records.map(({ id }) => id.toLowerCase()));
    await this.#catalog.transact(async (view) => {
      const rows = await view.query({}, { rowFrom: ["table"], rowTo: ["table"] });
      const gone = rows.filter(({ record }) => !keys.has(record.key));
      return gone.map(({ record }) => ({ kind: "delete", rowKey: ["table", record.key] }));
    });
  }

  /** Removes a table. */
  async forget(id: string): Promise<void> {
    await this.#catalog.delete(["table", id.toLowerCase()]);
  }

  /** The stored refresh of one table, or of all tables. */
  async run(key: string): Promise<RunRow | null> {
    return ((await this.#catalog.get(["run", key]))?.record ?? null) as RunRow | null;
  }

  async writeRun(run: RunRow): Promise<void> {
    await this.#catalog.insert(run);
  }

  async removeRun(key: string): Promise<void> {
    await this.#catalog.delete(["run", key]);
  }

  /** Changes with each write. */
  version(): Promise<number> {
    return this.#catalog.version();
  }

  /** Reads all of it, and returns the number of records. Throws `catalog_corrupt` with the damaged part. */
  verify(): Promise<number> {
    return verifyCatalog(this.#catalog);
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#catalog.close();
  }

  async #writeWaiting(): Promise<ReadonlyMap<string, TableRow>> {
    const outcomes = this.#waiting;
    this.#waiting = [];
    this.#next = undefined;
    const rows = new Map<string, TableRow>();
    await this.#catalog.transact(async (view) => {
      rows.clear();
      for (const outcome of outcomes) {
        const key = outcome.record.id.toLowerCase();
        const stored = rows.get(key) ?? (await view.get(["table", key]))?.record ?? null;
        rows.set(key, rowAfter(stored as TableRow | null, outcome));
      }
      return [...rows.values()].map((record) => ({ kind: "put", record }));
    });
    return rows;
  }
}
