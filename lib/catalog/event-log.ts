import { AgnesError, isAgnesError, messageOf, Mutex, type Host, type Log } from "../base/mod.ts";
import { newEntry } from "./new-entry.ts";
import { isTransient, RetryBudget } from "./retry.ts";
import { checkSchema } from "./schema.ts";
import { countChanges, slices } from "./slices.ts";
import { persist, repeat, timed } from "./storage-calls.ts";
import type {
  CatalogSchema,
  CatalogStorage,
  CatalogStore,
  IndexedRow,
  LogEntry,
  LoggedChange,
  LogRetention,
  Lookup,
} from "./storage.ts";
import type { Recovered } from "./types.ts";

/** Entries per read. */
const PAGE = 256;
/** Changes between two writes of the checkpoint; recovery replays at most about this many. */
const CHECKPOINT_CHANGES = 500;
/** Changes indexed by one call. A call with more of them gets the longer timeout. */
const CHANGES_AT_ONCE = 500;
/** Changes replayed by one call. Large slices need few requests to skip rows that are already indexed. */
const CHANGES_REPLAYED_AT_ONCE = 10_000;
/** Timeout factor of calls that load all indexes. */
const LOAD_FACTOR = 12;

export interface EventLogOptions {
  readonly catalog: string;
  readonly storage: CatalogStorage;
  readonly schema: CatalogSchema;
  readonly retention: LogRetention;
  readonly host: Pick<Host, "now" | "monotonicMs" | "random" | "sleep">;
  readonly log: Log;
  readonly actor: string;
  readonly callTimeoutMs: number;
  readonly retryBudgetMs: number;
}

/** The result of a commit. */
export interface Written {
  readonly sequence: number;
  readonly changes: readonly LoggedChange[];
}

/**
 * The write-ahead log of a catalog and the indexes derived from it.
 *
 * Commits are optimistic: a writer appends an entry at the sequence number after the state it decided on. If another
 * writer has taken that number, it decides again. The indexes change only after the append.
 */
export class EventLog {
  readonly #store: CatalogStore;
  readonly #options: EventLogOptions;
  readonly #indexing = new Mutex();
  readonly #writing = new Mutex();
  readonly #advancing = new Mutex();
  /** All entries up to this one are in the indexes. */
  #cursor: number;
  /** The last entry that is known to exist. */
  #known: number;
  #checkpoint: number;
  #changesSinceCheckpoint = 0;
  #checkedAtMs: number;
  #closed = false;

  private constructor(store: CatalogStore, options: EventLogOptions, checkpoint: number) {
    this.#store = store;
    this.#options = options;
    this.#cursor = checkpoint;
    this.#known = checkpoint;
    this.#checkpoint = checkpoint;
    this.#checkedAtMs = options.host.monotonicMs();
  }

  static async open(options: EventLogOptions): Promise<EventLog> {
    const { catalog, host, retention, schema } = options;
    const attempt = <T>(operation: string, work: () => Promise<T>) => persist(options, operation, work);
    const store = await attempt("open", () => options.storage.open(catalog, schema, retention));
    checkSchema(catalog, await attempt("read the schema", () => store.lockSchema(schema)), schema);
    const checkpoint = await persist(options, "load the indexes", () => store.checkpoint(), LOAD_FACTOR);
    const log = new EventLog(store, { ...options, host }, checkpoint);
    // If the end of the log is lost, new entries would reuse the numbers of lost ones.
    if (checkpoint > 0)
      await log.slice(checkpoint, checkpoint, "it is missing, although the indexes contain it");
    await log.refresh("now");
    // Saves the next open the same replay.
    if (log.sequence > checkpoint) log.#advanceSoon();
    return log;
  }

  /** The sequence number of the newest indexed entry. */
  get sequence(): number {
    return this.#cursor;
  }

  /** Keys deleted by an entry up to this one may be missing from the indexes. Read it after the lookup. */
  get forgotten(): number {
    return this.#store.forgotten?.() ?? 0;
  }

  /** Adds new entries to the indexes: now, or when one is known to exist or `recheckMs` have passed. */
  async refresh(mode: "now" | "when due"): Promise<void> {
    this.#checkOpen();
    const idleMs = this.#options.host.monotonicMs() - this.#checkedAtMs;
    const due = this.#cursor < this.#known || idleMs >= this.#store.recheckMs;
    if (mode === "now" || due) await this.#indexing.share(() => this.#replay());
  }

  /** Decides and appends, and repeats both after a conflict with another writer. */
  commit(
    decide: (sequence: number) => Promise<readonly LoggedChange[]>,
    actor = this.#options.actor,
  ): Promise<Written> {
    return this.#writing.run(() => this.#commit(decide, actor));
  }

  /** Looks up a key in the indexes. */
  async row(key: string): Promise<IndexedRow | null> {
    return (await this.rows([key])).get(key) ?? null;
  }

  /** Looks up keys in the indexes. */
  async rows(keys: readonly string[]): Promise<ReadonlyMap<string, IndexedRow>> {
    const found = await this.#persist("look up records", () => this.#store.get(keys));
    await this.#witness(found.values());
    return found;
  }

  /** Queries the indexes. */
  async find(lookup: Lookup): Promise<readonly IndexedRow[]> {
    const found = await this.#persist("look up records", () => this.#store.find(lookup));
    await this.#witness(found);
    return found;
  }

  /** Reads a range of entries that are known to exist. Dropped entries are omitted. */
  async slice(from: number, to: number, reason?: string): Promise<readonly LogEntry[]> {
    const entries = await this.#read(from, to - from + 1);
    if (entries.at(-1)?.sequence === to) return entries;
    const first = await this.#first();
    if (first <= from + entries.length) this.corrupt(from + entries.length, reason);
    return first > to ? [] : this.slice(first, to, reason);
  }

  /** Reads the entries from a sequence number on, page by page. */
  async *pages(from: number): AsyncIterable<readonly LogEntry[]> {
    this.#checkOpen();
    for (let next = from; ;) {
      const page = await this.#read(next, PAGE);
      const first = page.length === 0 ? await this.#first() : next;
      if (page.length === 0 && first <= next) return next <= this.#known ? this.corrupt(next) : undefined;
      next = first;
      if (page.length === 0) continue;
      yield page;
      next = page.at(-1)!.sequence + 1;
    }
  }

  /** Indexes missing entries and moves the checkpoint. */
  async recover(): Promise<Recovered> {
    const before = this.#cursor;
    await this.refresh("now");
    await this.#advancing.run(() => this.#advance());
    return { sequence: this.#cursor, replayed: this.#cursor - before };
  }

  /** Rebuilds the indexes from the log. */
  async rebuild(): Promise<Recovered> {
    this.#checkOpen();
    // Without a timeout, because the log can have any length.
    await this.#indexing.run(() => repeat(this.#options, () => this.#store.rebuild(this.pages(1))));
    await this.recover();
    return { sequence: this.#cursor, replayed: this.#cursor };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#writing.idle();
    await this.#indexing.idle();
    await this.#advancing.run(() => this.#advance());
    await this.#persist("close", () => this.#store.close());
  }

  async #commit(
    decide: (sequence: number) => Promise<readonly LoggedChange[]>,
    actor: string,
  ): Promise<Written> {
    const budget = new RetryBudget(this.#options.host, this.#options.retryBudgetMs);
    await this.refresh("when due");
    for (;;) {
      const base = this.#cursor;
      const decision = await decide(base).then(
        (changes) => ({ changes }),
        (error: unknown) => ({ error }),
      );
      if ("error" in decision || decision.changes.length === 0) {
        // The state may be stale or contain half an entry of another writer: valid only if nothing is newer.
        await this.refresh("now");
        if (this.#cursor === base) {
          if ("error" in decision) throw decision.error;
          // Acknowledges existing state with the same durability as a write.
          await this.#settle(base);
          return { sequence: base, changes: [] };
        }
      } else {
        const { changes } = decision;
        const content = { sequence: base + 1, actor, changes };
        const entry = newEntry(this.#options, this.#store.maxEntryBytes, content);
        if (await this.#append(entry)) {
          await this.#index(entry);
          return entry;
        }
        await this.refresh("now");
      }
      if (!(await budget.again())) {
        const { attempts, waitedMs } = budget;
        throw new AgnesError("catalog_busy", { catalog: this.#options.catalog, attempts, waitedMs });
      }
    }
  }

  /** Returns whether the entry is in the log. A failed call may have taken effect, so failures are verified. */
  async #append(entry: LogEntry): Promise<boolean> {
    const budget = new RetryBudget(this.#options.host, this.#options.retryBudgetMs);
    let isFirst = true;
    for (; ; isFirst = false) {
      let doubt: unknown = new Error("its sequence number is taken, but no entry can be read there");
      let isTaken = false;
      try {
        if (await this.#call("append", () => this.#store.append(entry))) return this.#exists(entry);
        isTaken = true;
      } catch (error) {
        if (isAgnesError(error, "catalog_outcome_unknown")) throw error;
        doubt = error;
        if (!isTransient(error) && !(await this.#peek(entry.sequence))) throw error;
      }
      // The number is taken: by another writer, or by an earlier attempt of this one that seemed to fail.
      const there = await this.#peek(entry.sequence);
      if (there !== undefined && there.id !== entry.id) return false;
      if (there !== undefined) {
        // A readable entry is not necessarily durable.
        await this.#settle(entry.sequence).catch((error: unknown) => this.#outcomeUnknown(entry, error));
        return this.#exists(entry);
      }
      // The entry was dropped since. It belongs to another writer, unless an earlier attempt appended it.
      const isDropped = isTaken && (await this.#first()) > entry.sequence;
      if (isDropped && isFirst) return false;
      if (isDropped || !(await budget.again())) this.#outcomeUnknown(entry, doubt);
    }
  }

  async #settle(sequence: number): Promise<void> {
    if (sequence > 0) await this.#persist("make entries durable", async () => this.#store.settle?.(sequence));
  }

  #outcomeUnknown({ sequence, id }: LogEntry, doubt: unknown): never {
    const details = { catalog: this.#options.catalog, sequence, entry: id, reason: messageOf(doubt) };
    throw new AgnesError("catalog_outcome_unknown", details, { cause: doubt });
  }

  async #peek(sequence: number): Promise<LogEntry | undefined> {
    try {
      return (await this.#read(sequence, 1))[0];
    } catch (error) {
      if (isTransient(error)) return undefined;
      throw error;
    }
  }

  #exists(entry: LogEntry): true {
    this.#known = Math.max(this.#known, entry.sequence);
    return true;
  }

  /** The entry is durable, so a failure to index it does not fail the write: the next reader retries. */
  async #index(entry: LogEntry): Promise<void> {
    try {
      await this.#indexing.run(async () => {
        if (this.#cursor === entry.sequence - 1) await this.#apply([entry], "written");
        else await this.#replay();
      });
    } catch (error) {
      this.#options.log.warn("a change is in the log, but is not indexed yet", {
        catalog: this.#options.catalog,
        sequence: entry.sequence,
        reason: messageOf(error),
      });
    }
  }

  async #replay(): Promise<void> {
    const checkedAtMs = this.#options.host.monotonicMs();
    for (;;) {
      const page = await this.#read(this.#cursor + 1, PAGE);
      if (page.length === 0 && (await this.#catchUp())) continue;
      if (page.length === 0) break;
      await this.#apply(page, "read");
      if (page.length < PAGE) break;
    }
    if (this.#cursor < this.#known) this.corrupt(this.#cursor + 1);
    this.#checkedAtMs = checkedAtMs;
  }

  /** The first kept entry. */
  async #first(): Promise<number> {
    return this.#persist("read the log", async () => (await this.#store.first?.()) ?? 1);
  }

  /** Reloads the indexes if entries that they lack were dropped. Returns whether it did. */
  async #catchUp(): Promise<boolean> {
    if ((await this.#first()) <= this.#cursor + 1) return false;
    const checkpoint = await persist(
      this.#options,
      "load the indexes",
      () => this.#store.checkpoint(),
      LOAD_FACTOR,
    );
    if (checkpoint <= this.#cursor) this.corrupt(this.#cursor + 1);
    this.#cursor = checkpoint;
    this.#known = Math.max(this.#known, checkpoint);
    return true;
  }

  async #apply(entries: readonly LogEntry[], origin: "written" | "read"): Promise<void> {
    const changesMax = origin === "read" ? CHANGES_REPLAYED_AT_ONCE : CHANGES_AT_ONCE;
    for (const slice of slices(entries, changesMax)) {
      const changes = countChanges(slice);
      const factor = changes > CHANGES_AT_ONCE ? LOAD_FACTOR : 1;
      await persist(this.#options, "index entries", () => this.#store.apply(slice, origin), factor);
      this.#cursor = slice.at(-1)!.sequence;
      this.#known = Math.max(this.#known, this.#cursor);
      this.#changesSinceCheckpoint += changes;
      if (this.#changesSinceCheckpoint >= CHECKPOINT_CHANGES) this.#advanceSoon();
    }
  }

  /** A row is written after its entry, so the log must contain the version of each row. */
  async #witness(rows: Iterable<IndexedRow>): Promise<void> {
    for (const { version } of rows) this.#known = Math.max(this.#known, version);
    if (this.#cursor < this.#known) await this.#indexing.run(() => this.#replay());
  }

  /** Moves the checkpoint in the background. */
  #advanceSoon(): void {
    this.#changesSinceCheckpoint = 0;
    this.#advancing.run(() => this.#advance()).catch((error: unknown) => this.#notAdvanced(error));
  }

  async #advance(): Promise<void> {
    const sequence = this.#cursor;
    if (sequence <= this.#checkpoint) return;
    try {
      await this.#call("move the checkpoint", () => this.#store.advance(sequence));
      this.#checkpoint = sequence;
    } catch (error) {
      if (!isTransient(error)) throw error;
      this.#notAdvanced(error);
    }
  }

  #notAdvanced(error: unknown): void {
    this.#options.log.warn("the checkpoint could not be moved; recovery will take longer", {
      catalog: this.#options.catalog,
      reason: messageOf(error),
    });
  }

  async #read(from: number, limit: number): Promise<readonly LogEntry[]> {
    const entries = await this.#persist("read the log", () => this.#store.read(from, limit));
    for (const [at, entry] of entries.entries()) {
      if (entry.sequence !== from + at) return this.corrupt(from + at);
    }
    return entries;
  }

  /** @throws `catalog_corrupt` naming an entry */
  corrupt(sequence: number, reason = "it is missing, although later entries exist"): never {
    const place = `entry ${sequence}`;
    throw new AgnesError("catalog_corrupt", { catalog: this.#options.catalog, place, reason });
  }

  #call<T>(operation: string, work: () => Promise<T>): Promise<T> {
    return timed(this.#options, operation, work);
  }

  #persist<T>(operation: string, work: () => Promise<T>): Promise<T> {
    return persist(this.#options, operation, work);
  }

  #checkOpen(): void {
    if (this.#closed) throw new AgnesError("catalog_closed", { catalog: this.#options.catalog });
  }
}
