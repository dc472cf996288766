import type { CatalogSchema, CatalogStore, IndexedRow, LogEntry, Lookup } from "agnes/catalog";
import { AgnesError } from "agnes/kit";

import { Directory } from "./directory.ts";
import type { ReadEntity, TableGateway } from "./gateway.ts";
import { RowFinder } from "./find-rows.ts";
import { Layout, LOG_BLOCK } from "./layout.ts";
import { fromProperties, toProperties } from "./long-text.ts";
import { readMany } from "./read-many.ts";
import { RowWriter, toRow, versionOf } from "./row-writer.ts";
import { rebuildRows } from "./rebuild.ts";
import { unwritten, type Remaining } from "./unwritten.ts";

/** The key of the sequence number up to which rows are written, in the index table. */
const APPLIED = "applied";
/** Maximum number of pages to scan for the newest row if that sequence number is missing. */
const EARLY_PAGES = 20;

/** Options of `AzureStore`. */
export interface AzureStoreOptions {
  readonly catalog: string;
  readonly schema: CatalogSchema;
  /** The table of the indexes. */
  readonly table: TableGateway;
  /** The table of the write-ahead log, the schema and the checkpoint. */
  readonly log: TableGateway;
  readonly recheckMs: number;
  /** Throws if the tables contain data of another program. Called before a catalog is created in them. */
  readonly refuseForeign?: () => Promise<void>;
}

/** One catalog in two tables: the log, and rows for each index key, each with the whole record. */
export class AzureStore implements CatalogStore {
  // An entity is limited to 1 MiB of UTF-16, including keys and names.
  readonly maxEntryBytes = 480_000;
  readonly recheckMs: number;
  readonly #options: AzureStoreOptions;
  readonly #layout: Layout;
  readonly #rows: RowWriter;
  readonly #directory: Directory;
  readonly #finder: RowFinder;
  /** All entries up to this one, from the first applied one on, are passed to the row writer. */
  #applied = 0;

  constructor(options: AzureStoreOptions) {
    this.recheckMs = options.recheckMs;
    this.#options = options;
    this.#layout = new Layout(options.catalog, options.schema.indexKeys);
    this.#rows = new RowWriter(options.table);
    this.#directory = new Directory(options.table, this.#layout.records);
    this.#finder = new RowFinder(options.table, this.#layout, (entity) => this.#row(entity));
  }

  async lockSchema(schema: CatalogSchema): Promise<CatalogSchema> {
    const { log } = this.#options;
    const keys = { partitionKey: this.#layout.meta, rowKey: "schema" };
    const there = await log.get(keys.partitionKey, keys.rowKey);
    if (there === null) {
      await this.#options.refuseForeign?.();
      await this.#checkNew();
      await log.create({ ...keys, values: toProperties(JSON.stringify(schema)) });
    }
    const stored = there ?? (await log.get(keys.partitionKey, keys.rowKey));
    const text = stored === null ? null : fromProperties(stored.values);
    return text === null ? this.#corrupt("its schema", "it is damaged") : (JSON.parse(text) as CatalogSchema);
  }

  /** A catalog without a schema is new. If it has entries or rows, its schema or its log is lost. */
  async #checkNew(): Promise<void> {
    const { log, table } = this.#options;
    const first = this.#layout.entry(1);
    if ((await log.get(first.partitionKey, first.rowKey)) !== null) {
      this.#corrupt("its schema", "it is missing, although there is a log");
    }
    const isLost = async () =>
      this.#corrupt("its log", "it is missing, although the indexes contain its entries");
    if ((await table.get(this.#layout.meta, APPLIED)) !== null) await isLost();
    for (const partitionKey of [this.#layout.records, ...this.#layout.indexes]) {
      for await (const page of table.query({ partitionKey, pageSize: 1 }))
        if (page.length > 0) await isLost();
    }
  }

  append(entry: LogEntry): Promise<boolean> {
    const values = toProperties(JSON.stringify(entry));
    return this.#options.log.create({ ...this.#layout.entry(entry.sequence), values });
  }

  async read(from: number, limit: number): Promise<readonly LogEntry[]> {
    const found: LogEntry[] = [];
    while (found.length < limit) {
      const next = from + found.length;
      const most = Math.min(limit - found.length, LOG_BLOCK - ((next - 1) % LOG_BLOCK));
      const page = await this.#readBlock(next, most);
      found.push(...page);
      if (page.length < most) break;
    }
    return found;
  }

  /**
   * Both tables store the sequence number up to which rows are written, so that each of them reveals a loss in the
   * other.
   */
  async checkpoint(): Promise<number> {
    const { log, table } = this.#options;
    const [checkpoint, applied] = await Promise.all([
      this.#sequenceOf(log, "checkpoint"),
      this.#sequenceOf(table, APPLIED),
    ]);
    // A writer that was killed early has left rows without that sequence number.
    const reached = Math.max(checkpoint, applied === 0 ? await this.#newestRow() : applied);
    if (reached > 0 && (await this.#readBlock(reached, 1))[0]?.sequence !== reached) {
      this.#corrupt(`entry ${reached}`, "it is missing, although the indexes contain it");
    }
    // If one of the two is lost or older, as in a backup or a new table, the log is replayed.
    return Math.min(checkpoint, applied);
  }

  async advance(sequence: number): Promise<void> {
    await this.#rows.drain();
    await this.#setAtLeast(this.#options.table, APPLIED, sequence);
    await this.#setAtLeast(this.#options.log, "checkpoint", sequence);
  }

  async apply(entries: readonly LogEntry[], origin: "written" | "read" = "written"): Promise<void> {
    const rowsOf = (some: readonly LogEntry[]) => some.flatMap((entry) => this.#layout.rows(entry));
    const remaining: Remaining =
      origin === "written"
        ? (row) => row
        : await unwritten(this.#options.table, rowsOf(this.#unknown(entries)));
    // Entries that arrive twice are written or pending; applied again, they would appear as the newest state. They may
    // have arrived while the rows were read.
    const fresh = this.#unknown(entries);
    this.#applied = Math.max(this.#applied, ...fresh.map(({ sequence }) => sequence));
    for (const { changes } of fresh) {
      for (const { key } of changes) this.#directory.add(this.#layout.record(key).rowKey);
    }
    const rows = rowsOf(fresh).flatMap((row) => {
      // A pending older version would appear as the newest, although a newer one is written.
      const isPending = this.#rows.find(row.partitionKey, row.rowKey) !== undefined;
      return remaining(row) ?? (isPending ? row : []);
    });
    await this.#rows.add(rows);
  }

  #unknown(entries: readonly LogEntry[]): readonly LogEntry[] {
    return entries.filter(({ sequence }) => sequence > this.#applied);
  }

  async #sequenceOf(table: TableGateway, rowKey: string): Promise<number> {
    const there = await table.get(this.#layout.meta, rowKey);
    if (there === null) return 0;
    const sequence = Number(there.values["sequence"]);
    return Number.isSafeInteger(sequence) ? sequence : this.#corrupt(`its ${rowKey}`, "it is not a number");
  }

  /** The largest version among the rows of a catalog that has few. */
  async #newestRow(): Promise<number> {
    let newest = 0;
    let pages = 0;
    for await (const page of this.#options.table.query({ partitionKey: this.#layout.records })) {
      for (const entity of page) newest = Math.max(newest, versionOf(entity));
      pages += 1;
      if (pages === EARLY_PAGES) break;
    }
    return newest;
  }

  async #setAtLeast(table: TableGateway, rowKey: string, sequence: number): Promise<void> {
    const keys = { partitionKey: this.#layout.meta, rowKey };
    for (;;) {
      const there = await table.get(keys.partitionKey, keys.rowKey);
      if (there !== null && Number(there.values["sequence"]) >= sequence) return;
      const entity = { ...keys, values: { sequence: String(sequence) } };
      if (there === null ? await table.create(entity) : await table.replace(entity, there.etag)) return;
    }
  }

  async get(keys: readonly string[]): Promise<ReadonlyMap<string, IndexedRow>> {
    const found = new Map<string, IndexedRow>();
    const unknown: string[] = [];
    for (const key of keys) {
      const { partitionKey, rowKey } = this.#layout.record(key);
      const waiting = this.#rows.find(partitionKey, rowKey);
      if (waiting !== undefined) found.set(key, waiting);
      else if (!this.#directory.lacks(rowKey)) unknown.push(key);
    }
    const rows = unknown.map((key) => this.#layout.record(key).rowKey);
    const read = await readMany(this.#options.table, this.#layout.records, rows);
    for (const [at, key] of unknown.entries()) {
      const entity = read.get(rows[at]!);
      if (entity === undefined) await this.#directory.missed(() => this.#rows.drain());
      else found.set(key, this.#row(entity, key));
    }
    return found;
  }

  async find(lookup: Lookup): Promise<readonly IndexedRow[]> {
    await this.#rows.drain();
    return this.#finder.find(lookup);
  }

  async rebuild(entries: AsyncIterable<readonly LogEntry[]>): Promise<void> {
    await this.#rows.drain();
    await rebuildRows(this.#options.table, this.#layout, entries);
  }

  async close(): Promise<void> {
    await this.#rows.drain();
  }

  async #readBlock(from: number, limit: number): Promise<readonly LogEntry[]> {
    const found: LogEntry[] = [];
    const { partitionKey, rowKey } = this.#layout.entry(from);
    const query = { partitionKey, rowFrom: rowKey, pageSize: Math.min(limit, 1000) };
    for await (const page of this.#options.log.query(query)) {
      for (const entity of page) {
        const place = `entry ${from + found.length} (${entity.partitionKey} ${entity.rowKey})`;
        const text = fromProperties(entity.values);
        if (text === null) this.#corrupt(place, "its checksum does not match its content");
        const entry = JSON.parse(text) as LogEntry;
        if (this.#layout.entry(entry.sequence).rowKey !== entity.rowKey) {
          this.#corrupt(place, `it contains entry ${entry.sequence}`);
        }
        found.push(entry);
        if (found.length === limit) return found;
      }
    }
    return found;
  }

  #row(entity: ReadEntity, key?: string): IndexedRow {
    const row = toRow(entity);
    if (row !== null && (key === undefined || row.key === key)) return row;
    return this.#corrupt(`the row ${entity.partitionKey} ${entity.rowKey}`, "it is damaged");
  }

  #corrupt(place: string, reason: string): never {
    throw new AgnesError("catalog_corrupt", { catalog: this.#options.catalog, place, reason });
  }
}
