import type { Host, Log } from "../base/mod.ts";
import type { CatalogStorage, IndexValue } from "./storage.ts";

/** The value of the row key: one string, or one for each field of a composite key. */
export type RowKey = string | readonly string[];

/** Index keys and the values they must have. All conditions must hold; an empty filter matches every record. */
export type CatalogFilter<R> = { readonly [K in keyof R & string]?: IndexValue };

/** Options of `openCatalog`. */
export interface CatalogOptions {
  /** Where the catalog is stored: `fileStorage`, `memoryStorage` or a storage of a plugin. */
  readonly storage: CatalogStorage;
  /** The name of the catalog, unique within the storage. */
  readonly name: string;
  /** The field or fields that identify a record. Their values are strings. */
  readonly rowKey: string | readonly string[];
  /** Fields that can be filtered by without a scan. Their values are strings, numbers, booleans or null. */
  readonly indexKeys: readonly string[];
  /**
   * For state that needs no audit trail: the log keeps at least this many of its newest entries and may drop older
   * ones. Use the same value each time the catalog is opened. Only `fileStorage` drops entries, 256 at a time.
   * Default: all entries are kept.
   */
  readonly keepEntries?: number;
  /** Who writes; recorded in each log entry. Default: the user from the environment, or `unknown`. */
  readonly actor?: string;
  /** Replaces the clock and the environment, for tests. Default: the host of this process. */
  readonly host?: Pick<Host, "now" | "monotonicMs" | "random" | "sleep" | "env" | "userName">;
  /** Receives warnings, such as a change that is stored but not indexed yet. Default: discarded. */
  readonly log?: Log;
  /** Timeout of one call to the storage, in milliseconds. Default: 10,000. */
  readonly callTimeoutMs?: number;
  /** How long a write is retried after conflicts with other writers and storage errors, in milliseconds. Default: 30,000. */
  readonly retryBudgetMs?: number;
}

/** A record and its version. */
export interface Versioned<R> {
  readonly record: R;
  /** The sequence number of the entry that last changed the record. */
  readonly version: number;
}

/** Which of the matching records to return. */
export interface QueryOptions {
  /** First row key, inclusive. For a composite key, its leading parts are enough. */
  readonly rowFrom?: RowKey;
  /** Last row key, inclusive. For a composite key, its leading parts are enough. */
  readonly rowTo?: RowKey;
  /** Maximum number of records. Default: all. */
  readonly limit?: number;
}

/** Conditions of a write, and its actor. */
export interface WriteOptions {
  /** The version the record must have, 0 if it must not exist; otherwise `catalog_conflict`. Default: not checked. */
  readonly expectedVersion?: number;
  /** The version the whole catalog must have; otherwise `catalog_conflict`. Default: not checked. */
  readonly expectedSequence?: number;
  /** The author of the change. Default: the actor of the catalog. */
  readonly actor?: string;
}

/** One change for `transact` to make. */
export type Edit<R> =
  | { readonly kind: "put"; readonly record: R; readonly expectedVersion?: number }
  | { readonly kind: "delete"; readonly rowKey: RowKey; readonly expectedVersion?: number };

/** One committed change. */
export interface CommittedChange<R> {
  readonly kind: "insert" | "replace" | "delete";
  readonly rowKey: RowKey;
  /** `null` for an insert. */
  readonly before: R | null;
  /** `null` for a delete. */
  readonly after: R | null;
}

/** The result of a write. */
export interface Commit<R> {
  /** The version of the catalog and of each changed record. */
  readonly sequence: number;
  /** Empty if the records already had this state; nothing is written in that case. */
  readonly changes: readonly CommittedChange<R>[];
}

/** The result of one `insert`. */
export interface Inserted {
  /** The current version of the record. */
  readonly version: number;
  /** `false` if an identical record already existed. */
  readonly changed: boolean;
}

/** One entry of the audit trail. */
export interface HistoryEntry<R> extends Commit<R> {
  /** Unique in the catalog. */
  readonly id: string;
  /** ISO 8601, by the writer's clock. */
  readonly at: string;
  readonly actor: string;
}

/** Which entries `history` returns. */
export interface HistoryOptions {
  /** Only changes of this record, which may be deleted. */
  readonly rowKey?: RowKey;
  /** First sequence number. Default: 1. */
  readonly from?: number;
  /** Last sequence number. Default: the newest. */
  readonly to?: number;
  /** Maximum number of entries. Default: 1,000. */
  readonly limit?: number;
  /** Whether the oldest or the newest entries come first. Default: `oldest`. */
  readonly first?: "oldest" | "newest";
}

/** The state that `transact` decides on. */
export interface CatalogView<R> {
  /** The version of the catalog in this view. */
  readonly sequence: number;
  /** Returns the record, or `null` if there is none. */
  get(rowKey: RowKey): Promise<Versioned<R> | null>;
  /** Returns the matching records, ordered by row key. */
  query(filter: CatalogFilter<R>, options?: QueryOptions): Promise<readonly Versioned<R>[]>;
}

/** The result of `recover`. */
export interface Recovered {
  /** The version of the catalog. */
  readonly sequence: number;
  /** Number of entries added to the indexes. */
  readonly replayed: number;
}

/**
 * An event-sourced catalog with several indexes; see `openCatalog`.
 *
 * All methods throw `catalog_unavailable`, `timed_out`, `catalog_corrupt` and `catalog_closed`. Writes also throw
 * `catalog_record_invalid`, `catalog_too_large`, `catalog_conflict` if an expected version differs, `catalog_busy` if other
 * writers win until `retryBudgetMs` is over, and `catalog_outcome_unknown` if it is not known whether the change was
 * stored. A filter by a field that is not indexed throws `catalog_filter_invalid`.
 */
export interface Catalog<R extends object> extends AsyncDisposable {
  /** The name of the catalog in its storage. */
  readonly name: string;
  /** Adds a record, or replaces the record with the same row key. */
  insert(record: R, options?: WriteOptions): Promise<Inserted>;
  /** Adds or replaces records atomically, in one log entry. */
  insertMany(records: readonly R[], options?: Omit<WriteOptions, "expectedVersion">): Promise<Commit<R>>;
  /** Deletes one record by row key, or all records that match a filter. An empty filter requires a range. */
  delete(target: RowKey | CatalogFilter<R>, options?: WriteOptions & QueryOptions): Promise<Commit<R>>;
  /** Returns the record, or `null` if there is none. */
  get(rowKey: RowKey): Promise<Versioned<R> | null>;
  /** Returns the matching records, ordered by row key. */
  query(filter: CatalogFilter<R>, options?: QueryOptions): Promise<readonly Versioned<R>[]>;
  /**
   * Calls `decide` with the current state and writes the returned edits atomically, in one log entry. If another
   * writer commits in between, `decide` is called again, so it must have no side effects.
   */
  transact(
    decide: (view: CatalogView<R>) => readonly Edit<R>[] | Promise<readonly Edit<R>[]>,
    options?: Omit<WriteOptions, "expectedVersion">,
  ): Promise<Commit<R>>;
  /** Returns the version of the catalog: the sequence number of the newest entry, or 0 if there is none. */
  version(): Promise<number>;
  /** Returns entries of the log. Default: the oldest 1,000. */
  history(options?: HistoryOptions): Promise<readonly HistoryEntry<R>[]>;
  /** Iterates over all entries from a sequence number on, oldest first. For exports of any length. */
  entries(options?: { readonly from?: number }): AsyncIterable<HistoryEntry<R>>;
  /** Adds entries of crashed writers to the indexes. Opening the catalog does this too. */
  recover(): Promise<Recovered>;
  /** Rebuilds the indexes from the whole log. */
  rebuildIndexes(): Promise<Recovered>;
  /** Closes the catalog; later calls throw `catalog_closed`. Idempotent. */
  close(): Promise<void>;
}
