import type { FileReading, JsonValue, RemoteAttachInfo } from "../../kit/mod.ts";
import type { QueryMode, SchemaPolicy } from "../../tables/mod.ts";

/** What a source has published, as one generation of its `extract.duckdb` says it. */
export interface ExtractState {
  /** The absolute path of `extracts/<source>`. */
  readonly directory: string;
  readonly generation: Generation;
  readonly tables: readonly PublishedTable[];
  readonly remotes: readonly RemoteAttachInfo[];
  /** Ids of the last pushed events that were merged, oldest first. */
  readonly eventIds: readonly string[];
}

/** One column as it is published; types are DuckDB's. */
export interface PublishedColumn {
  readonly name: string;
  readonly type: string;
  readonly nullable: boolean;
  readonly description?: string;
}

/** One difference between two descriptions of a table. */
export type SchemaChange =
  | { readonly kind: "added"; readonly column: string; readonly type: string }
  | {
      readonly kind: "removed";
      readonly column: string;
      readonly type: string;
      /** Whether the published table still has it, without new values. */
      readonly kept?: true;
    }
  /** Its name differs in upper and lower case only. */
  | { readonly kind: "renamed"; readonly column: string; readonly from: string }
  | {
      readonly kind: "type_changed";
      readonly column: string;
      readonly from: string;
      readonly to: string;
      /** The published type, when it is not that of the source. */
      readonly published?: string;
    }
  | { readonly kind: "nullability_changed"; readonly column: string; readonly nullable: boolean }
  | { readonly kind: "reading_changed"; readonly from: string; readonly to: string }
  | { readonly kind: "reordered"; readonly from: readonly string[]; readonly to: readonly string[] };

/** One published state of an extract. */
export interface Generation {
  readonly number: number;
  readonly runId: string;
  readonly kind: "run" | "stream" | "rollback";
  readonly plugin: string;
  readonly pluginVersion: string;
  readonly startedAt: Date;
  readonly finishedAt: Date;
  /** Where the extract was when it was published; its views hold this path. */
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
  /** Every published layout of the table, oldest first; parts name theirs by version. */
  readonly schemas: readonly SchemaVersion[];
  readonly cursor?: { readonly column: string; readonly value: string };
  /** What the connector asked to be given at the next read. */
  readonly state?: JsonValue;
  /** How far the first load is that goes by windows, ISO 8601; absent: it is finished, or the table was read at once. */
  readonly loadedUntil?: string;
  /** How the files of the table were read, when it is made of files. */
  readonly reading?: FileReading;
  /** What was asked of the source, as text; when it changes the table is read anew. */
  readonly definition: string;
  /**
   * For tables with a key over origins: whether a row of one origin took the place of a row of another, which would come
   * back if the first one went. Absent is unknown.
   */
  readonly shadowed?: boolean;
  /** The loosest rules by which rows were rejected that belong to the table; absent when none are missing. */
  readonly rejecting?: RejectRules;
  /** What all rows amount to, whatever their order; absent until it was needed. */
  readonly fingerprint?: string;
  /** Rows that pushed events or reads deleted, so that an older event cannot bring them back. */
  readonly tombstones: readonly Tombstone[];
  /** For a remote table: where it is inside the attached database. */
  readonly remote?: { readonly alias: string; readonly path: readonly string[]; readonly reason?: string };
}

/** Rules of a quarantine. */
export interface RejectRules {
  /** The share of the rows read, in percent, that could be rejected. */
  readonly maxPercent: number;
  /** With `freeze`, rows were rejected whose values `evolve` widens a column for. */
  readonly schemaPolicy: SchemaPolicy;
}

/**
 * How parts are written now; parts of another format are rewritten at the next run of their table.
 *
 * 1, also where none is noted: Parquet version 2, with encodings that few readers know. 2: version 1.
 */
export const PART_FORMAT = 2;

/** One Parquet file; never changed once it has its name. */
export interface Part {
  /** Relative to the extract's directory, with `/`. */
  readonly path: string;
  readonly rows: number;
  readonly sizeBytes: number;
  readonly sha256: string;
  /** How its file is written; see `PART_FORMAT`. */
  readonly format: number;
  /** The version of the layout its columns have. */
  readonly schemaVersion: number;
  /** `2026-01`, or `unknown`; for partitioned tables. */
  readonly partition: string | null;
  /** What the rows were made from, when the connector told. */
  readonly origin: string | null;
  /** Bounds of the first key column and of the cursor, as text; null is unknown. */
  readonly keyMin: string | null;
  readonly keyMax: string | null;
  readonly cursorMin: string | null;
  readonly cursorMax: string | null;
}

/** One layout that a table had. */
export interface SchemaVersion {
  readonly version: number;
  readonly generation: number;
  readonly changedAt: Date;
  readonly columns: readonly PublishedColumn[];
  readonly sourceColumns: readonly PublishedColumn[];
  readonly changes: readonly SchemaChange[];
}

/** How many deleted rows a table remembers. */
export const TOMBSTONES_KEPT = 10_000;

/** A deleted row: its key as JSON text, and the newest version known of it. */
export interface Tombstone {
  readonly key: string;
  /** A value of the cursor column; null bars every later version. */
  readonly version: string | null;
  /** Present when a read yielded the deletion: it bars older events, but not rows that a later read yields. */
  readonly by?: "read";
}

/** The table of that name, ignoring case as DuckDB does. */
export function findTable(state: ExtractState | null, name: string): PublishedTable | undefined {
  const folded = name.toLowerCase();
  return state?.tables.find((table) => table.name.toLowerCase() === folded);
}
