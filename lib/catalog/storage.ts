/** A JSON value. */
export type JsonValue =
  string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** A record as it is stored. */
export type JsonRecord = { readonly [field: string]: JsonValue };

/** A value that an index can be asked for. */
export type IndexValue = string | number | boolean | null;

/** What is locked on the first open and the same ever after. */
export interface CatalogSchema {
  /** The fields that together identify a record. */
  readonly rowKey: readonly string[];
  /** The fields that answer a lookup without a scan. */
  readonly indexKeys: readonly string[];
}

/** One record changed by an entry. */
export interface LoggedChange {
  /** The key of the record; see `rowKeyText`. */
  readonly key: string;
  /** The whole record before; `null` when there was none. */
  readonly before: JsonRecord | null;
  /** The whole record after; `null` when it was deleted. */
  readonly after: JsonRecord | null;
  /** The sequence of the entry that last touched this key; 0 when none did, or when it is forgotten. */
  readonly previous: number;
  /** With a `previous` of 0: entries up to this one may have touched the key and are forgotten. Default 0. */
  readonly forgotten?: number;
}

/** One entry of the write-ahead log: all of its changes happen, or none. */
export interface LogEntry {
  /** 1 for the first entry, and no number is left out. */
  readonly sequence: number;
  /** Unique; tells a writer whether the entry that it finds is its own. */
  readonly id: string;
  /** The time by the writer's clock, ISO 8601; for people, never for ordering. */
  readonly at: string;
  readonly actor: string;
  readonly changes: readonly LoggedChange[];
}

/** What the indexes hold about a key. */
export interface IndexedRow {
  readonly key: string;
  /** The sequence of the entry that last touched the key. */
  readonly version: number;
  /** `null` once deleted. */
  readonly record: JsonRecord | null;
}

/** Keys from `from` (included) up to `before` (not included), in the order of JavaScript strings. */
export interface KeyRange {
  readonly from?: string;
  readonly before?: string;
}

/** A lookup in the indexes. */
export interface Lookup {
  /** All must hold; none means every record. */
  readonly where: readonly { readonly field: string; readonly value: IndexValue }[];
  readonly range: KeyRange;
  readonly limit?: number;
}

/**
 * One catalog's log and indexes. The engine does everything else.
 *
 * A method either does what it says or throws: `catalog_unavailable` when the same call may work later,
 * `catalog_corrupt` when what is stored cannot be understood. A call that throws may have taken effect.
 */
export interface CatalogStore {
  /** The largest entry that fits, in bytes of its JSON text. */
  readonly entrySizeBytesMax: number;
  /**
   * How long a read may trust the indexes before it looks into the log for entries whose writer died
   * before indexing them; 0 for stores where looking costs next to nothing.
   */
  readonly recheckMs: number;
  /** Stores the schema unless there is one, and gives the one that is stored. */
  lockSchema(schema: CatalogSchema): Promise<CatalogSchema>;
  /** Puts the entry at its sequence if nothing is there; `false` when something is. Durable when it resolves. */
  append(entry: LogEntry): Promise<boolean>;
  /**
   * Makes every entry up to one durable, whoever wrote it; left out where whatever can be read is durable. Throws
   * when that fails.
   */
  settle?(sequence: number): Promise<void>;
  /**
   * The entries from `from` on, in order and without gaps: `limit` of them, or fewer when there are no more; none when
   * `from` is before the first that is kept.
   */
  read(from: number, limit: number): Promise<readonly LogEntry[]>;
  /** The first entry that is kept. Left out where all are. */
  first?(): Promise<number>;
  /** The sequence up to which every entry is in the indexes; loads them, also when entries were dropped meanwhile. */
  checkpoint(): Promise<number>;
  /** Moves the checkpoint to `sequence`, never back. */
  advance(sequence: number): Promise<void>;
  /**
   * Brings entries into the indexes, in order. Doing so again, or late, changes nothing. Entries of `origin` "read"
   * come from the log, so that their writer has probably indexed them. Default "written".
   */
  apply(entries: readonly LogEntry[], origin?: "written" | "read"): Promise<void>;
  /** What the indexes hold about keys; one that no entry ever touched, or that is forgotten, is left out. */
  get(keys: readonly string[]): Promise<ReadonlyMap<string, IndexedRow>>;
  /**
   * The indexes may have forgotten keys that were deleted by an entry up to this one; it never gets less. The log still
   * tells of them. Left out where no key is forgotten.
   */
  forgotten?(): number;
  /** The records that match, ordered by key; deleted ones are left out. */
  find(lookup: Lookup): Promise<readonly IndexedRow[]>;
  /** Makes the indexes anew from the whole log, or from all that is kept of it, given in order. */
  rebuild(entries: AsyncIterable<readonly LogEntry[]>): Promise<void>;
  close(): Promise<void>;
}

/** What a storage may do with the log of a catalog. */
export interface LogRetention {
  /** Entries before so many of the newest may be dropped, as soon as the indexes no longer need them. Default: none. */
  readonly keepEntries?: number;
}

/** A place that holds catalogs: memory, a folder, an Azure Tables account. */
export interface CatalogStorage {
  /** Opens the store of one catalog, making it when it is new. */
  open(catalog: string, schema: CatalogSchema, retention?: LogRetention): Promise<CatalogStore>;
}
