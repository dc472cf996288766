import type { Host, Log } from "../base/mod.ts";
import type { CatalogStorage, IndexValue } from "./storage.ts";

/** The value of the row key: one string, or one for each field of a composite key. */
export type RowKey = string | readonly string[];

/** Index keys and the values they must have; all must hold, none means every record. */
export type CatalogFilter<R> = { readonly [K in keyof R & string]?: IndexValue };

/** What `openCatalog` needs. */
export interface CatalogOptions {
  readonly storage: CatalogStorage;
  /** Names the catalog inside the storage. */
  readonly name: string;
  /** The field, or fields, whose values identify a record. They hold strings. */
  readonly rowKey: string | readonly string[];
  /** Fields that answer a lookup without a scan. They hold strings, numbers, booleans or null. */
  readonly indexKeys: readonly string[];
  /**
   * For state that is no audit: the log keeps at least so many of its newest entries, and may drop those before. Everyone
   * who opens the catalog says the same. Only `fileStorage` drops any, 256 at a time. Default: every entry is kept.
   */
  readonly keepEntries?: number;
  /** Who writes; goes into each entry of the log. Default: the user of the environment, else `unknown`. */
  readonly actor?: string;
  readonly host?: Pick<Host, "now" | "monotonicMs" | "random" | "sleep" | "env">;
  readonly log?: Log;
  /** How long one call to the storage may take. Default 10,000. */
  readonly callTimeoutMs?: number;
  /** How long a write goes on trying against other writers and a failing storage. Default 30,000. */
  readonly retryBudgetMs?: number;
}

/** A record with what identifies its state. */
export interface Versioned<R> {
  readonly record: R;
  /** The sequence of the entry that last changed it. */
  readonly version: number;
}

/** Which part of the matching records to give. */
export interface QueryOptions {
  /** First row key, included; of a composite key, its first parts are enough. */
  readonly rowFrom?: RowKey;
  /** Last row key, included; of a composite key, its first parts are enough. */
  readonly rowTo?: RowKey;
  readonly limit?: number;
}

/** How a write may be made conditional, and who does it. */
export interface WriteOptions {
  /** The version the record must have; 0 when it must not exist. */
  readonly expectedVersion?: number;
  /** The version the whole catalog must have. */
  readonly expectedSequence?: number;
  /** Overrides the actor of the catalog. */
  readonly actor?: string;
}

/** One change to be made by `transact`. */
export type Edit<R> =
  | { readonly kind: "put"; readonly record: R; readonly expectedVersion?: number }
  | { readonly kind: "delete"; readonly rowKey: RowKey; readonly expectedVersion?: number };

/** One change that was made. */
export interface CommittedChange<R> {
  readonly kind: "insert" | "replace" | "delete";
  readonly rowKey: RowKey;
  readonly before: R | null;
  readonly after: R | null;
}

/** What a write did. */
export interface Commit<R> {
  /** The version of the catalog, and of every record changed. */
  readonly sequence: number;
  /** Empty when everything was so already; nothing was then written. */
  readonly changes: readonly CommittedChange<R>[];
}

/** What one `insert` did. */
export interface Inserted {
  /** The version of the record now. */
  readonly version: number;
  /** `false` when the very same record was there already. */
  readonly changed: boolean;
}

/** One entry of the log, as the audit trail shows it. */
export interface HistoryEntry<R> extends Commit<R> {
  readonly id: string;
  /** ISO 8601, by the writer's clock. */
  readonly at: string;
  readonly actor: string;
}

/** Which entries `history` gives. */
export interface HistoryOptions {
  /** Only changes of this record, deleted or not. */
  readonly rowKey?: RowKey;
  /** First sequence. Default 1. */
  readonly from?: number;
  /** Last sequence. Default: the newest. */
  readonly to?: number;
  /** At most so many. Default 1,000. */
  readonly limit?: number;
  /** Which end to begin at. Default `oldest`. */
  readonly first?: "oldest" | "newest";
}

/** The state that a decision is made on. */
export interface CatalogView<R> {
  /** The version of the catalog the decision holds for. */
  readonly sequence: number;
  get(rowKey: RowKey): Promise<Versioned<R> | null>;
  query(filter: CatalogFilter<R>, options?: QueryOptions): Promise<readonly Versioned<R>[]>;
}

/** What `recover` did. */
export interface Recovered {
  /** The version of the catalog. */
  readonly sequence: number;
  /** How many entries were brought into the indexes. */
  readonly replayed: number;
}

/** An event-sourced, multi-index catalog; see `openCatalog`. */
export interface Catalog<R extends object> extends AsyncDisposable {
  readonly name: string;
  /** Adds a record, or replaces the one of the same row key. */
  insert(record: R, options?: WriteOptions): Promise<Inserted>;
  /** Adds or replaces records in one entry of the log: all of them, or none. */
  insertMany(records: readonly R[], options?: Omit<WriteOptions, "expectedVersion">): Promise<Commit<R>>;
  /** Deletes one record by row key, or all that match a filter; a filter without a key needs a range. */
  delete(target: RowKey | CatalogFilter<R>, options?: WriteOptions & QueryOptions): Promise<Commit<R>>;
  /** The record, or `null` when there is none. */
  get(rowKey: RowKey): Promise<Versioned<R> | null>;
  /** The records that match, ordered by row key. */
  query(filter: CatalogFilter<R>, options?: QueryOptions): Promise<readonly Versioned<R>[]>;
  /**
   * Decides on the present state and writes all edits in one entry. Another writer in between makes it
   * decide again, so `decide` may run several times and should do nothing else.
   */
  transact(
    decide: (view: CatalogView<R>) => readonly Edit<R>[] | Promise<readonly Edit<R>[]>,
    options?: Omit<WriteOptions, "expectedVersion">,
  ): Promise<Commit<R>>;
  /** The version of the catalog: the sequence of the newest entry, 0 when there is none. */
  version(): Promise<number>;
  /** Entries of the log. */
  history(options?: HistoryOptions): Promise<readonly HistoryEntry<R>[]>;
  /** All entries from a sequence on, oldest first, for exports of any length. */
  entries(options?: { readonly from?: number }): AsyncIterable<HistoryEntry<R>>;
  /** Brings entries that a dead writer left behind into the indexes; opening does so too. */
  recover(): Promise<Recovered>;
  /** Makes the indexes anew from the whole log. */
  rebuildIndexes(): Promise<Recovered>;
  close(): Promise<void>;
}
