import type { CatalogSchema, CatalogStore, IndexedRow, JsonRecord, LogEntry, Lookup } from "agnes/catalog";
import { AgnesError } from "agnes/kit";

import { Directory } from "./directory.ts";
import type { ReadEntity, TableGateway } from "./gateway.ts";
import { isCut, lowerBoundKey, upperBoundKey } from "./key-text.ts";
import { Layout, LOG_BLOCK, ROW_LENGTH } from "./layout.ts";
import { fromProperties, toProperties } from "./long-text.ts";
import { readMany } from "./read-many.ts";
import { RowWriter, toRow } from "./row-writer.ts";
import { rebuildRows } from "./rebuild.ts";

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
  /** Every entry up to here, from the first that was given, was taken over. */
  #applied = 0;

  constructor(options: AzureStoreOptions) {
    this.recheckMs = options.recheckMs;
    this.#options = options;
    this.#layout = new Layout(options.catalog, options.schema.indexKeys);
    this.#rows = new RowWriter(options.table);
    this.#directory = new Directory(options.table, this.#layout.records);
  }

  async lockSchema(schema: CatalogSchema): Promise<CatalogSchema> {
    const { log } = this.#options;
    const keys = { partitionKey: this.#layout.meta, rowKey: "schema" };
    const there = await log.get(keys.partitionKey, keys.rowKey);
    if (there === null) {
      const first = this.#layout.entry(1);
      if ((await log.get(first.partitionKey, first.rowKey)) !== null) {
        this.#corrupt("its schema", "it is missing, though there is a log");
      }
      await this.#options.refuseForeign?.();
      await log.create({ ...keys, values: toProperties(JSON.stringify(schema)) });
    }
    const stored = there ?? (await log.get(keys.partitionKey, keys.rowKey));
    const text = stored === null ? null : fromProperties(stored.values);
    return text === null
      ? this.#corrupt("its schema", "it is not whole")
      : (JSON.parse(text) as CatalogSchema);
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

  async checkpoint(): Promise<number> {
    const there = await this.#options.log.get(this.#layout.meta, "checkpoint");
    if (there === null) return 0;
    const sequence = Number(there.values["sequence"]);
    return Number.isSafeInteger(sequence) ? sequence : this.#corrupt("its checkpoint", "it is no number");
  }

  async advance(sequence: number): Promise<void> {
    await this.#rows.drain();
    const { log } = this.#options;
    const keys = { partitionKey: this.#layout.meta, rowKey: "checkpoint" };
    for (;;) {
      const there = await log.get(keys.partitionKey, keys.rowKey);
      if (there !== null && Number(there.values["sequence"]) >= sequence) return;
      const entity = { ...keys, values: { sequence: String(sequence) } };
      if (there === null ? await log.create(entity) : await log.replace(entity, there.etag)) return;
    }
  }

  async apply(entries: readonly LogEntry[]): Promise<void> {
    // What comes a second time is written, or waits to be; let in again, it would pass for the newest state.
    const fresh = entries.filter(({ sequence }) => sequence > this.#applied);
    this.#applied = Math.max(this.#applied, ...fresh.map(({ sequence }) => sequence));
    for (const { changes } of fresh) {
      for (const { key } of changes) this.#directory.add(this.#layout.record(key).rowKey);
    }
    await this.#rows.add(fresh.flatMap((entry) => this.#layout.rows(entry)));
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
    const [first] = lookup.where;
    const { partitionKey, prefix } =
      first === undefined
        ? { partitionKey: this.#layout.records, prefix: "" }
        : this.#layout.value(first.field, first.value);
    const found: IndexedRow[] = [];
    let inOrder = true;
    const range = bounds(prefix, lookup.range);
    for await (const page of this.#options.table.query({ partitionKey, ...range })) {
      for (const entity of page) {
        inOrder &&= !isCut(entity.rowKey.slice(prefix.length));
        const row = this.#row(entity);
        if (matches(row, lookup)) found.push(row);
      }
      if (inOrder && lookup.limit !== undefined && found.length >= lookup.limit) break;
    }
    found.sort((a, b) => (a.key < b.key ? -1 : 1));
    return lookup.limit === undefined ? found : found.slice(0, lookup.limit);
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

function bounds(
  prefix: string,
  range: Lookup["range"],
): { readonly rowFrom?: string; readonly rowBefore?: string } {
  const before = range.before === undefined ? null : upperBoundKey(range.before, ROW_LENGTH);
  const from = range.from === undefined ? "" : lowerBoundKey(range.from, ROW_LENGTH);
  // "." is the character after the "-" that ends every prefix.
  const end = prefix === "" ? null : `${prefix.slice(0, -1)}.`;
  const rowBefore = before === null ? end : prefix + before;
  return {
    ...(prefix + from === "" ? {} : { rowFrom: prefix + from }),
    ...(rowBefore === null ? {} : { rowBefore }),
  };
}

function matches(row: { readonly key: string; readonly record: JsonRecord | null }, lookup: Lookup): boolean {
  const { from, before } = lookup.range;
  return (
    row.record !== null &&
    (from === undefined || row.key >= from) &&
    (before === undefined || row.key < before) &&
    lookup.where.every(({ field, value }) => row.record![field] === value)
  );
}
