import { AgnesError, createHost, silentLog, currentActor } from "../base/mod.ts";
import { EventLog } from "./event-log.ts";
import { changesOf, historyOf } from "./history.ts";
import { keyRange, keyText, rowKeyOf, wholeKey } from "./keys.ts";
import { isIndexValue, keyOf, toSchema, toStored } from "./schema.ts";
import type { CatalogSchema, IndexedRow, JsonRecord, LoggedChange, Lookup } from "./storage.ts";
import type {
  Catalog,
  CatalogFilter,
  CatalogOptions,
  CatalogView,
  Commit,
  Edit,
  HistoryEntry,
  HistoryOptions,
  Inserted,
  QueryOptions,
  Recovered,
  RowKey,
  Versioned,
  WriteOptions,
} from "./types.ts";

/**
 * Opens a catalog: records with a row key that can be looked up by any index key. Each change is kept in a log,
 * forever or as long as `keepEntries` requires.
 *
 * The first open fixes the row key and the index keys. Entries that a crashed writer did not index are added to the
 * indexes. Any number of processes can open the same catalog.
 *
 * @throws `catalog_schema_differs`, `catalog_corrupt`, `catalog_unavailable`, `timed_out`
 * @example
 * ```ts
 * import { fileStorage, openCatalog } from "agnes/catalog";
 *
 * interface Book { isbn: string; author: string; year: number }
 * await using books = await openCatalog<Book>({
 *   storage: fileStorage({ directory: "state" }), name: "books", rowKey: "isbn", indexKeys: ["author", "year"],
 * });
 * const { version } = await books.insert({ isbn: "978-0", author: "Woolf", year: 1927 });
 * await books.insert({ isbn: "978-0", author: "Woolf", year: 1928 }, { expectedVersion: version });
 * console.log(await books.query({ author: "Woolf" }));
 * ```
 */
export async function openCatalog<R extends object>(options: CatalogOptions): Promise<Catalog<R>> {
  const host = options.host ?? createHost();
  const schema = toSchema(options.rowKey, options.indexKeys);
  const { keepEntries } = options;
  if (keepEntries !== undefined && !(Number.isSafeInteger(keepEntries) && keepEntries > 0)) {
    throw new AgnesError("invalid_input", {
      what: `keepEntries of catalog ${options.name}`,
      reason: `${keepEntries} is not a whole number above 0`,
    });
  }
  const log = await EventLog.open({
    catalog: options.name,
    storage: options.storage,
    schema,
    retention: keepEntries === undefined ? {} : { keepEntries },
    host,
    log: options.log ?? silentLog,
    actor: options.actor ?? currentActor(host),
    callTimeoutMs: options.callTimeoutMs ?? 10_000,
    retryBudgetMs: options.retryBudgetMs ?? 30_000,
  });
  return new OpenCatalog<R>(options.name, schema, log);
}

type Decide<R> = (view: CatalogView<R>) => readonly Edit<R>[] | Promise<readonly Edit<R>[]>;

class OpenCatalog<R extends object> implements Catalog<R> {
  readonly name: string;
  readonly #schema: CatalogSchema;
  readonly #log: EventLog;

  constructor(name: string, schema: CatalogSchema, log: EventLog) {
    this.name = name;
    this.#schema = schema;
    this.#log = log;
  }

  async insert(record: R, options: WriteOptions = {}): Promise<Inserted> {
    const { expectedVersion, ...rest } = options;
    const expected = expectedVersion === undefined ? {} : { expectedVersion };
    let version = 0;
    const commit = await this.#write(
      () => [{ kind: "put", record, ...expected }],
      rest,
      (current) => {
        version = current;
      },
    );
    const changed = commit.changes.length > 0;
    return { version: changed ? commit.sequence : version, changed };
  }

  insertMany(records: readonly R[], options: Omit<WriteOptions, "expectedVersion"> = {}): Promise<Commit<R>> {
    return this.transact(() => records.map((record) => ({ kind: "put", record })), options);
  }

  async delete(
    target: RowKey | CatalogFilter<R>,
    options: WriteOptions & QueryOptions = {},
  ): Promise<Commit<R>> {
    const { expectedVersion, expectedSequence, actor, ...range } = options;
    const expected = expectedVersion === undefined ? {} : { expectedVersion };
    const edit = (rowKey: RowKey): Edit<R> => ({ kind: "delete", rowKey, ...expected });
    const write = {
      ...(expectedSequence === undefined ? {} : { expectedSequence }),
      ...(actor === undefined ? {} : { actor }),
    };
    if (isRowKey(target)) return this.transact(() => [edit(target)], write);
    if (Object.keys(target).length === 0 && range.rowFrom === undefined && range.rowTo === undefined) {
      throw new AgnesError("invalid_input", {
        what: "the filter of a delete",
        reason: 'it would delete every record; pass { rowFrom: "" } to delete all',
      });
    }
    return this.transact(async (view) => {
      const found = await view.query(target, range);
      return found.map(({ record }) => edit(this.#rowKey(keyOf(this.#schema, record as JsonRecord))));
    }, write);
  }

  async get(rowKey: RowKey): Promise<Versioned<R> | null> {
    await this.#log.refresh("when due");
    return this.#get(rowKey);
  }

  async query(filter: CatalogFilter<R>, options: QueryOptions = {}): Promise<readonly Versioned<R>[]> {
    const lookup = this.#lookup(filter, options);
    await this.#log.refresh("when due");
    return this.#find(lookup);
  }

  transact(decide: Decide<R>, options: Omit<WriteOptions, "expectedVersion"> = {}): Promise<Commit<R>> {
    return this.#write(decide, options);
  }

  async version(): Promise<number> {
    await this.#log.refresh("now");
    return this.#log.sequence;
  }

  async history(options: HistoryOptions = {}): Promise<readonly HistoryEntry<R>[]> {
    await this.#log.refresh("now");
    const { rowKey, ...rest } = options;
    const key = rowKey === undefined ? undefined : this.#key(rowKey);
    return historyOf<R>(this.#log, this.#schema, { ...rest, ...(key === undefined ? {} : { key }) });
  }

  async *entries(options: { readonly from?: number } = {}): AsyncIterable<HistoryEntry<R>> {
    for await (const page of this.#log.pages(options.from ?? 1)) {
      for (const { changes, ...entry } of page)
        yield { ...entry, changes: changesOf<R>(this.#schema, changes) };
    }
  }

  recover(): Promise<Recovered> {
    return this.#log.recover();
  }

  rebuildIndexes(): Promise<Recovered> {
    return this.#log.rebuild();
  }

  close(): Promise<void> {
    return this.#log.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #write(
    decide: Decide<R>,
    options: Omit<WriteOptions, "expectedVersion">,
    onVersion: (current: number) => void = () => {},
  ): Promise<Commit<R>> {
    const written = await this.#log.commit(async (sequence) => {
      const { expectedSequence } = options;
      if (expectedSequence !== undefined && expectedSequence !== sequence) {
        throw await this.#conflict(undefined, expectedSequence, sequence);
      }
      return this.#changes(await decide(this.#view(sequence)), onVersion);
    }, options.actor);
    return { sequence: written.sequence, changes: changesOf<R>(this.#schema, written.changes) };
  }

  #view(sequence: number): CatalogView<R> {
    return {
      sequence,
      get: (rowKey) => this.#get(rowKey),
      query: async (filter, options = {}) => this.#find(this.#lookup(filter, options)),
    };
  }

  async #changes(
    edits: readonly Edit<R>[],
    onVersion: (current: number) => void,
  ): Promise<readonly LoggedChange[]> {
    const wanted = edits.map((edit) => {
      const after = edit.kind === "put" ? toStored(this.name, this.#schema, edit.record) : null;
      const key = edit.kind === "put" ? keyOf(this.#schema, after!) : this.#key(edit.rowKey);
      return { key, after, expectedVersion: edit.expectedVersion };
    });
    const rows = await this.#log.rows([...new Set(wanted.map(({ key }) => key))]);
    const { forgotten } = this.#log;
    // If a record has several edits, the last one wins.
    const changes = new Map<string, LoggedChange>();
    for (const { key, after, expectedVersion } of wanted) {
      const { record: before = null, version: previous = 0 } = rows.get(key) ?? {};
      const version = before === null ? 0 : previous;
      onVersion(version);
      if (expectedVersion !== undefined && expectedVersion !== version) {
        throw await this.#conflict(key, expectedVersion, version);
      }
      const isForgotten = previous === 0 && forgotten > 0;
      changes.set(key, { key, before, after, previous, ...(isForgotten && { forgotten }) });
    }
    return [...changes.values()].filter(
      ({ before, after }) => JSON.stringify(before) !== JSON.stringify(after),
    );
  }

  async #conflict(key: string | undefined, expected: number, actual: number): Promise<AgnesError> {
    const since = await historyOf<R>(this.#log, this.#schema, {
      ...(key === undefined ? {} : { key }),
      from: expected + 1,
      limit: 10,
      first: "newest",
    });
    const changedSince = since
      .map(({ sequence, actor, at, changes }) => {
        const kinds = [...new Set(changes.map(({ kind }) => kind))].join(", ");
        return `version ${sequence} by ${actor} at ${at} (${kinds})`;
      })
      .reverse();
    return new AgnesError("catalog_conflict", {
      catalog: this.name,
      ...(key === undefined ? {} : { key: keyText([this.#rowKey(key)].flat()) }),
      expectedVersion: expected,
      actualVersion: actual,
      changedSince,
    });
  }

  #lookup(filter: CatalogFilter<R>, options: QueryOptions): Lookup {
    const where = Object.entries(filter).map(([field, value]) => {
      const reason = !this.#schema.indexKeys.includes(field)
        ? `its index keys are ${this.#schema.indexKeys.join(", ") || "none"}`
        : "the value should be a string, a number, a boolean or null";
      if (this.#schema.indexKeys.includes(field) && isIndexValue(value)) return { field, value };
      throw new AgnesError("catalog_filter_invalid", { catalog: this.name, field, reason });
    });
    const range = keyRange(options, this.#schema.rowKey.length);
    return { where, range, ...(options.limit === undefined ? {} : { limit: options.limit }) };
  }

  async #find(lookup: Lookup): Promise<readonly Versioned<R>[]> {
    return (await this.#log.find(lookup)).map((row) => versioned<R>(row));
  }

  async #get(rowKey: RowKey): Promise<Versioned<R> | null> {
    const row = await this.#log.row(this.#key(rowKey));
    return row === null || row.record === null ? null : versioned<R>(row);
  }

  #key(rowKey: RowKey): string {
    return keyText(wholeKey(rowKey, this.#schema.rowKey.length));
  }

  #rowKey(key: string): RowKey {
    return rowKeyOf(key, this.#schema.rowKey.length);
  }
}

function versioned<R>(row: IndexedRow): Versioned<R> {
  return { record: row.record as R, version: row.version };
}

function isRowKey(target: unknown): target is RowKey {
  return typeof target === "string" || Array.isArray(target);
}
