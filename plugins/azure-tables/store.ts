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

/** Beside the rows, how far they are brought in. */
const APPLIED = "applied";
/** So many pages of rows are looked at when it is not known how far they are. */
const EARLY_PAGES = 20;

/** What a store works on. */
export interface AzureStoreOptions {
  readonly catalog: string;
  readonly schema: CatalogSchema;
  /** The table of the indexes. */
  readonly table: TableGateway;
  /** The table of the write-ahead log, the schema and the checkpoint. */
  readonly log: TableGateway;
  readonly recheckMs: number;
  /** Throws when the tables hold what another program wrote; asked before a catalog is made in them. */
  readonly refuseForeign?: () => Promise<void>;
}

/** One catalog in two tables: the log, and rows for every index key, each with the whole record. */
export class AzureStore implements CatalogStore {
  // An entity holds 1 MiB of UTF-16, keys and names included.
  readonly entrySizeBytesMax = 480_000;
  readonly recheckMs: number;
  readonly #options: AzureStoreOptions;
  readonly #layout: Layout;
  readonly #rows: RowWriter;
  readonly #directory: Directory;
  readonly #finder: RowFinder;
  /** Every entry up to here, from the first that was given, was taken over. */
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
    return text === null
      ? this.#corrupt("its schema", "it is not whole")
      : (JSON.parse(text) as CatalogSchema);
  }

  /** A catalog without a schema is new; unless there is anything of it, and then its schema, or its log, is lost. */
  async #checkNew(): Promise<void> {
    const { log, table } = this.#options;
    const first = this.#layout.entry(1);
    if ((await log.get(first.partitionKey, first.rowKey)) !== null) {
      this.#corrupt("its schema", "it is missing, though there is a log");
    }
    const isLost = async () =>
      this.#corrupt("its log", "it is missing, though the indexes hold what it said");
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
   * How far the rows are brought in is kept beside them; the log keeps the same, so that each of the two tables tells
   * what the other should hold.
   */
  async checkpoint(): Promise<number> {
    const { log, table } = this.#options;
    const [checkpoint, applied] = await Promise.all([
      this.#sequenceOf(log, "checkpoint"),
      this.#sequenceOf(table, APPLIED),
    ]);
    // Whoever was killed early has left rows, but not how far they are.
    const reached = Math.max(checkpoint, applied === 0 ? await this.#newestRow() : applied);
    if (reached > 0 && (await this.#readBlock(reached, 1))[0]?.sequence !== reached) {
      this.#corrupt(`entry ${reached}`, "it is missing, though the indexes hold it");
    }
    // Where one of the two is lost or older, as from a backup or in a new table, the log is read and brought in again.
    return Math.min(checkpoint, applied);
  }

  async advance(sequence: number): Promise<void> {
    await this.#rows.drain();
    await this.#raise(this.#options.table, APPLIED, sequence);
    await this.#raise(this.#options.log, "checkpoint", sequence);
  }

  async apply(entries: readonly LogEntry[], origin: "written" | "read" = "written"): Promise<void> {
    const rowsOf = (some: readonly LogEntry[]) => some.flatMap((entry) => this.#layout.rows(entry));
    const remaining: Remaining =
      origin === "written"
        ? (row) => row
        : await unwritten(this.#options.table, rowsOf(this.#unknown(entries)));
    // What comes a second time is written, or waits to be; let in again, it would pass for the newest state. It may
    // have come while the rows were read.
    const fresh = this.#unknown(entries);
    this.#applied = Math.max(this.#applied, ...fresh.map(({ sequence }) => sequence));
    for (const { changes } of fresh) {
      for (const { key } of changes) this.#directory.add(this.#layout.record(key).rowKey);
    }
    const rows = rowsOf(fresh).flatMap((row) => {
      // An older version that still waits to be written would pass for the newest, though a newer one is written.
      const isWaiting = this.#rows.find(row.partitionKey, row.rowKey) !== undefined;
      return remaining(row) ?? (isWaiting ? row : []);
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
    return Number.isSafeInteger(sequence) ? sequence : this.#corrupt(`its ${rowKey}`, "it is no number");
  }

  /** The largest version among the rows of a catalog that cannot have many. */
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

  async #raise(table: TableGateway, rowKey: string, sequence: number): Promise<void> {
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
        if (text === null) this.#corrupt(place, "its checksum does not fit its content");
        const entry = JSON.parse(text) as LogEntry;
        if (this.#layout.entry(entry.sequence).rowKey !== entity.rowKey) {
          this.#corrupt(place, `it holds entry ${entry.sequence}`);
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
    return this.#corrupt(`the row ${entity.partitionKey} ${entity.rowKey}`, "it is not whole");
  }

  #corrupt(place: string, reason: string): never {
    throw new AgnesError("catalog_corrupt", { catalog: this.#options.catalog, place, reason });
  }
}
