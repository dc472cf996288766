/** A JSON value. */
export type JsonValue =
  string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** A stored record. */
export type JsonRecord = { readonly [field: string]: JsonValue };

/** A value that an index can be looked up by. */
export type IndexValue = string | number | boolean | null;

/** The keys of a catalog, fixed on the first open. */
export interface CatalogSchema {
  /** The fields that together identify a record. */
  readonly rowKey: readonly string[];
  /** The fields that can be filtered by without a scan. */
  readonly indexKeys: readonly string[];
}

/** One change of a record in a log entry. */
export interface LoggedChange {
  /** The text of the record's row key. */
  readonly key: string;
  /** The whole record before the change; `null` if it did not exist. */
  readonly before: JsonRecord | null;
  /** The whole record after the change; `null` if it was deleted. */
  readonly after: JsonRecord | null;
  /** The sequence number of the previous entry that changed this key; 0 if there is none or it is forgotten. */
  readonly previous: number;
  /** With a `previous` of 0: entries up to this one may have changed the key and are forgotten. Default: 0. */
  readonly forgotten?: number;
}

/** One entry of the write-ahead log. Its changes are atomic. */
export interface LogEntry {
  /** 1 for the first entry, without gaps. */
  readonly sequence: number;
  /** Unique. A writer compares it to find out whether an entry is its own. */
  readonly id: string;
  /** The time by the writer's clock, ISO 8601. For display only, never for ordering. */
  readonly at: string;
  readonly actor: string;
  readonly changes: readonly LoggedChange[];
}

/** The state of a key in the indexes. */
export interface IndexedRow {
  /** The text of the record's row key. */
  readonly key: string;
  /** The sequence number of the entry that last changed the key. */
  readonly version: number;
  /** `null` if the record is deleted. */
  readonly record: JsonRecord | null;
}

/** Keys from `from` (inclusive) to `before` (exclusive), in the order of JavaScript strings. */
export interface KeyRange {
  /** Default: from the first key. */
  readonly from?: string;
  /** Default: to the last key. */
  readonly before?: string;
}

/** A lookup in the indexes. */
export interface Lookup {
  /** All conditions must hold. An empty list matches every record. */
  readonly where: readonly { readonly field: string; readonly value: IndexValue }[];
  readonly range: KeyRange;
  /** Maximum number of rows. Default: all. */
  readonly limit?: number;
}

/**
 * The log and the indexes of one catalog. The engine does everything else.
 *
 * A method that fails throws `catalog_unavailable` if the same call may succeed later, or `catalog_corrupt` if stored
 * data is damaged. A call that throws may still have taken effect.
 */
export interface CatalogStore {
  /** Maximum size of an entry, in bytes of its JSON text. */
  readonly maxEntryBytes: number;
  /**
   * How long reads rely on the indexes before they check the log for entries that a crashed writer did not index, in
   * milliseconds. Use 0 if that check is cheap.
   */
  readonly recheckMs: number;
  /** Stores the schema if there is none, and returns the stored schema. */
  lockSchema(schema: CatalogSchema): Promise<CatalogSchema>;
  /** Stores the entry, durably. Returns `false` if its sequence number is taken. */
  append(entry: LogEntry): Promise<boolean>;
  /**
   * Makes all entries up to `sequence` durable, including those of other writers. Throws if it fails. Omit it if every
   * entry that can be read is durable.
   */
  settle?(sequence: number): Promise<void>;
  /**
   * Returns up to `limit` entries from `from` on, in order and without gaps. Returns none if `from` precedes the
   * first kept entry.
   */
  read(from: number, limit: number): Promise<readonly LogEntry[]>;
  /** Returns the sequence number of the first kept entry. Omit it if all entries are kept. */
  first?(): Promise<number>;
  /** Loads the indexes, and returns the sequence number up to which they contain all entries. May be called again. */
  checkpoint(): Promise<number>;
  /** Moves the checkpoint forward to `sequence`. */
  advance(sequence: number): Promise<void>;
  /**
   * Adds entries to the indexes, in order. Idempotent, also when newer entries are already indexed. Entries with the
   * origin "read" come from the log, so their writer has probably indexed them. Default: "written".
   */
  apply(entries: readonly LogEntry[], origin?: "written" | "read"): Promise<void>;
  /** Looks up keys in the indexes. Omits keys that no entry has changed and keys that are forgotten. */
  get(keys: readonly string[]): Promise<ReadonlyMap<string, IndexedRow>>;
  /**
   * The indexes may have forgotten keys that were deleted by an entry up to this one; the log still has them. Never
   * decreases. Omit it if no key is forgotten.
   */
  forgotten?(): number;
  /** Returns the matching records, ordered by key, without deleted ones. */
  find(lookup: Lookup): Promise<readonly IndexedRow[]>;
  /** Rebuilds the indexes from all kept entries, which are passed in order. */
  rebuild(entries: AsyncIterable<readonly LogEntry[]>): Promise<void>;
  close(): Promise<void>;
}

/** Retention of the log of a catalog. */
export interface LogRetention {
  /** Number of newest entries to keep. Older ones may be dropped once the indexes do not need them. Default: all. */
  readonly keepEntries?: number;
}

/** Stores catalogs: in memory, in a folder or in a service. */
export interface CatalogStorage {
  /** Opens the store of one catalog, and creates it if it does not exist. */
  open(catalog: string, schema: CatalogSchema, retention?: LogRetention): Promise<CatalogStore>;
}
