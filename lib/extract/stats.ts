import type { AgnesError } from "../base/mod.ts";
import type { SchemaChange } from "./format/extract-state.ts";
import type { Strategy } from "../tables/mod.ts";

/** The result of one run. */
export interface ExtractStats {
  readonly runId: string;
  /** The generation that is published now; null when nothing ever was. */
  readonly generation: number | null;
  /** Whether this run published it. */
  readonly published: boolean;
  /** Tables that were brought up to date with something new. */
  readonly tablesExtracted: number;
  readonly tablesFailed: number;
  /** Tables of which the source had nothing new. */
  readonly tablesSkipped: number;
  /** Rows and bytes of all tables of the request as they are published now. */
  readonly totalRows: number;
  readonly totalBytes: number;
  readonly schemaChanges: readonly (SchemaChange & { readonly table: string })[];
  readonly errors: readonly { readonly table: string; readonly error: AgnesError }[];
  readonly tables: readonly TableStats[];
  readonly elapsedMs: number;
}

/** What became of one table. */
export interface TableStats {
  /** The immutable id of the table. */
  readonly id: string;
  readonly name: string;
  /** `unchanged`: the source had nothing new; `failed`: what was published before stays. */
  readonly status: "extracted" | "unchanged" | "failed";
  readonly strategy: Strategy;
  /** Whether the whole table was read, not only what is new. */
  readonly full: boolean;
  /** Rows the connector gave. */
  readonly rowsRead: number;
  /** Rows that were removed because the source said that they are gone. */
  readonly rowsDeleted: number;
  /** Rows rejected because a value did not fit, and the file they are in. */
  readonly rowsQuarantined: number;
  readonly quarantinePath?: string;
  /** Rows and bytes published now. */
  readonly rows: number;
  readonly sizeBytes: number;
  /** Parts there are, and how many of them this run wrote. */
  readonly parts: number;
  readonly partsWritten: number;
  readonly schemaChanges: readonly SchemaChange[];
  /** What the owner should know: rows were appended for want of a key, a remote view could not be written. */
  readonly notes: readonly string[];
  readonly error?: AgnesError;
  readonly elapsedMs: number;
}

/** How far a table is. */
export interface ExtractProgress {
  readonly table: string;
  readonly phase: "reading" | "merging" | "done" | "failed";
  /** What the connector reports of its work, such as `exporting` or `downloading 3 of 12`; absent: nothing. */
  readonly sourcePhase?: string;
  /** Which window of a first load is read, of how many; absent: the table is read at once. */
  readonly window?: { readonly number: number; readonly total: number };
  /** Rows read so far. */
  readonly rows: number;
  /** Bytes of Parquet written so far. */
  readonly sizeBytes: number;
  readonly rowsPerSecond: number;
  /** Rows there will be, when the source says so. */
  readonly totalRows?: number;
  /** Bytes of files read so far, as they are on the disk; absent when rows come without files. */
  readonly bytesRead?: number;
  /** Bytes there are to read, when the source knows them; absent once more than that was read. */
  readonly totalBytes?: number;
  readonly elapsedMs: number;
}

/** The figures of a table that was read in several rounds, one for each window of its first load. */
export function withEarlier(earlier: TableStats | undefined, last: TableStats): TableStats {
  if (earlier === undefined) return last;
  return {
    ...last,
    status: last.status === "unchanged" ? earlier.status : last.status,
    full: earlier.full || last.full,
    rowsRead: earlier.rowsRead + last.rowsRead,
    rowsDeleted: earlier.rowsDeleted + last.rowsDeleted,
    rowsQuarantined: earlier.rowsQuarantined + last.rowsQuarantined,
    partsWritten: earlier.partsWritten + last.partsWritten,
    schemaChanges: [...earlier.schemaChanges, ...last.schemaChanges],
    notes: [...new Set([...earlier.notes, ...last.notes])],
    elapsedMs: earlier.elapsedMs + last.elapsedMs,
  };
}

/** Adds the figures of the tables up. */
export function summarise(
  tables: readonly TableStats[],
  run: Pick<ExtractStats, "runId" | "generation" | "published" | "elapsedMs">,
): ExtractStats {
  const count = (status: TableStats["status"]) => tables.filter((table) => table.status === status).length;
  return {
    ...run,
    tablesExtracted: count("extracted"),
    tablesFailed: count("failed"),
    tablesSkipped: count("unchanged"),
    totalRows: tables.reduce((sum, table) => sum + table.rows, 0),
    totalBytes: tables.reduce((sum, table) => sum + table.sizeBytes, 0),
    schemaChanges: tables.flatMap(({ name, schemaChanges }) =>
      schemaChanges.map((change) => ({ ...change, table: name })),
    ),
    errors: tables.flatMap(({ name, error }) => (error === undefined ? [] : [{ table: name, error }])),
    tables,
  };
}
