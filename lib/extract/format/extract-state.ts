import type { FileReading, JsonValue, RemoteAttachInfo } from "../../kit/mod.ts";
import type { QueryMode, SchemaPolicy } from "../../tables/mod.ts";

/** The published state of a source: one generation of its `extract.duckdb`. */
export interface ExtractState {
  /** The absolute path of `extracts/<source>`. */
  readonly directory: string;
  readonly generation: Generation;
  readonly tables: readonly PublishedTable[];
  readonly remotes: readonly RemoteAttachInfo[];
  /** Ids of the most recently merged events, oldest first. */
  readonly eventIds: readonly string[];
}

/** A published column with its DuckDB type. */
export interface PublishedColumn {
  readonly name: string;
  readonly type: string;
  readonly nullable: boolean;
  readonly description?: string;
}

/** A difference between two descriptions of a table. */
export type SchemaChange =
  | { readonly kind: "added"; readonly column: string; readonly type: string }
  | {
      readonly kind: "removed";
      readonly column: string;
      readonly type: string;
      /** Whether the published table still has the column, without new values. */
      readonly kept?: true;
    }
  /** The name differs only in case. */
  | { readonly kind: "renamed"; readonly column: string; readonly from: string }
  | {
      readonly kind: "type_changed";
      readonly column: string;
      readonly from: string;
      readonly to: string;
      /** The published type if it differs from that of the source. */
      readonly published?: string;
    }
  | { readonly kind: "nullability_changed"; readonly column: string; readonly nullable: boolean }
  | { readonly kind: "reading_changed"; readonly from: string; readonly to: string }
  | { readonly kind: "reordered"; readonly from: readonly string[]; readonly to: readonly string[] };

/** One published state of an extract. */
export interface Generation {
  readonly number: number;
  readonly runId: string;
  /** What published it. Earlier versions wrote `run` for an unregistration. */
  readonly kind: "run" | "stream" | "rollback" | "unregister";
  /** Who requested a rollback. Absent for other kinds, and if an earlier version published it. */
  readonly actor?: string;
  readonly plugin: string;
  readonly pluginVersion: string;
  readonly startedAt: Date;
  readonly finishedAt: Date;
  /** The folder of the extract when it was published. Its views refer to this path. */
  readonly directory: string;
}

/** One table of an extract. */
export interface PublishedTable {
  readonly name: string;
  readonly description: string;
  readonly rows: number;
  readonly sizeBytes: number;
  readonly extractedAt: Date;
  readonly mode: QueryMode;
  /** The published columns; empty for a remote table without a view. */
  readonly columns: readonly PublishedColumn[];
  /** The columns as the source last described them. */
  readonly sourceColumns: readonly PublishedColumn[];
  readonly parts: readonly Part[];
  /** The published layouts of the table, oldest first. Parts refer to them by version. */
  readonly schemas: readonly SchemaVersion[];
  readonly cursor?: { readonly column: string; readonly value: string };
  /** The connector's state for the next read. */
  readonly state?: JsonValue;
  /**
   * End of the last published window of the first load, ISO 8601; absent if the load is complete or used no windows.
   */
  readonly loadedUntil?: string;
  /**
   * When the last read of all keys began, ISO 8601: a key census, or a full read of a table with one. Absent if there was
   * none.
   */
  readonly censusAt?: string;
  /** How the files of the table were read, if it consists of files. */
  readonly reading?: FileReading;
  /** The definition of the table; if it changes, the table is read in full. See `definitionOf`. */
  readonly definition: string;
  /**
   * For tables with a key and origins: whether a row of one origin replaced a row of another, which must reappear when
   * the first one is removed. Absent if unknown.
   */
  readonly shadowed?: boolean;
  /** The loosest rules under which rows were rejected or values set to null; absent if none are missing. */
  readonly rejecting?: RejectRules;
  /** Content fingerprint of all rows, independent of their order; absent until it is needed. */
  readonly fingerprint?: string;
  /** Rows deleted by pushed events or reads, so that older events cannot restore them. */
  readonly tombstones: readonly Tombstone[];
  /** For a remote table: its path inside the attached database. */
  readonly remote?: { readonly alias: string; readonly path: readonly string[]; readonly reason?: string };
}

/** Rules for values that do not fit. */
export interface RejectRules {
  /** The number of rejected rows, some perhaps several times; absent if an earlier version did not count them. */
  readonly rows?: number;
  /** The maximum percentage of rejected rows; absent if none were rejected. */
  readonly maxPercent?: number;
  /** Whether values that do not fit were set to null. */
  readonly nulled?: true;
  /** `freeze` also rejects values for which `evolve` would widen a column. */
  readonly schemaPolicy: SchemaPolicy;
}

/**
 * The current part format. Parts of another format are rewritten at the next run of their table.
 *
 * 1 (the default for parts without a format): Parquet version 2, with encodings that few readers support. 2: Parquet
 * version 1.
 */
export const PART_FORMAT = 2;

/** An immutable Parquet file. */
export interface Part {
  /** Relative to the folder of the extract, with `/` as the separator. */
  readonly path: string;
  readonly rows: number;
  readonly sizeBytes: number;
  readonly sha256: string;
  /** See `PART_FORMAT`. */
  readonly format: number;
  /** The version of its layout in `PublishedTable.schemas`. */
  readonly schemaVersion: number;
  /** For partitioned tables: the partition, such as `2026-01` or `unknown`. */
  readonly partition: string | null;
  /** The origin of the rows, such as a file, if the connector names one. */
  readonly origin: string | null;
  /** Bounds of the first key column and of the cursor, as text; null if unknown. */
  readonly keyMin: string | null;
  readonly keyMax: string | null;
  readonly cursorMin: string | null;
  readonly cursorMax: string | null;
}

/** A layout of a table. */
export interface SchemaVersion {
  readonly version: number;
  readonly generation: number;
  readonly changedAt: Date;
  readonly columns: readonly PublishedColumn[];
  readonly sourceColumns: readonly PublishedColumn[];
  readonly changes: readonly SchemaChange[];
}

/** Maximum number of tombstones to keep for a table. */
export const TOMBSTONES_KEPT = 10_000;

/** A deleted row: its key as JSON text and its newest known version. */
export interface Tombstone {
  readonly key: string;
  /** A value of the cursor column; null blocks nothing. */
  readonly version: string | null;
  /** Set if a read yielded the deletion: it blocks older events, but not rows of later reads. */
  readonly by?: "read";
}

/** Finds a table by name, ignoring case as DuckDB does. */
export function findTable(state: ExtractState | null, name: string): PublishedTable | undefined {
  const folded = name.toLowerCase();
  return state?.tables.find((table) => table.name.toLowerCase() === folded);
}
