import type { AgnesError } from "../base/mod.ts";
import type { SourceJob } from "../kit/mod.ts";
import type { SchemaChange } from "./format/extract-state.ts";
import type { Strategy } from "../tables/mod.ts";

/** The result of a run. */
export interface ExtractStats {
  /** The id of the run; with `agnes.sync`, that of its record in the history. */
  readonly runId: string;
  /** The current generation; null if nothing has been published. */
  readonly generation: number | null;
  /** Whether this run published it. */
  readonly published: boolean;
  /** Tables with new data. */
  readonly tablesExtracted: number;
  readonly tablesFailed: number;
  /** Tables without new data. */
  readonly tablesSkipped: number;
  /** Published rows and bytes of all requested tables. */
  readonly totalRows: number;
  readonly totalBytes: number;
  readonly schemaChanges: readonly (SchemaChange & { readonly table: string })[];
  readonly errors: readonly { readonly table: string; readonly error: AgnesError }[];
  readonly tables: readonly TableStats[];
  readonly elapsedMs: number;
}

/** The result of one table. */
export interface TableStats {
  /** The immutable id of the table. */
  readonly id: string;
  readonly name: string;
  /** `unchanged`: the source had no new data; `failed`: the published data is kept. */
  readonly status: "extracted" | "unchanged" | "failed";
  readonly strategy: Strategy;
  /** Whether the whole table was read instead of only new rows. False if its rows come from events alone. */
  readonly full: boolean;
  /** Rows that the connector yielded. */
  readonly rowsRead: number;
  /** Rows removed because the source reported them as deleted, or because a key census did not find their keys. */
  readonly rowsDeleted: number;
  /** Rows quarantined because of an invalid value. */
  readonly rowsQuarantined: number;
  /** The file with the quarantined rows. */
  readonly quarantinePath?: string;
  /** Rows that pushed events upserted and deleted; missing if none did. */
  readonly events?: { readonly upserts: number; readonly deletes: number };
  /** Published rows and bytes. */
  readonly rows: number;
  readonly sizeBytes: number;
  /** Number of parts of the table, and of those that this run wrote. */
  readonly parts: number;
  readonly partsWritten: number;
  readonly schemaChanges: readonly SchemaChange[];
  /** Notes for the owner, for example that rows were appended because the table has no key. */
  readonly notes: readonly string[];
  /** The jobs that the source reported, also of a table that failed; missing if it reported none. */
  readonly jobs?: readonly SourceJob[];
  readonly error?: AgnesError;
  readonly elapsedMs: number;
}

/** The progress of one table. */
export interface ExtractProgress {
  readonly table: string;
  readonly phase: "reading" | "merging" | "done" | "failed";
  /** The phase that the connector reports, such as `exporting` or `downloading 3 of 12`. */
  readonly sourcePhase?: string;
  /** The current window of a first load and the number of windows; absent if the table is read at once. */
  readonly window?: { readonly number: number; readonly total: number };
  /** Rows read so far. */
  readonly rows: number;
  /** Bytes of Parquet written so far. */
  readonly sizeBytes: number;
  readonly rowsPerSecond: number;
  /** Expected number of rows, if the source reports it. */
  readonly totalRows?: number;
  /** Bytes of source files read so far, as stored; absent if the source yields rows instead of files. */
  readonly bytesRead?: number;
  /** Expected number of bytes, if the source reports it; absent after more than that was read. */
  readonly totalBytes?: number;
  readonly elapsedMs: number;
}

/** Adds the figures of earlier rounds, one for each window of a first load. */
export function withEarlier(earlier: TableStats | undefined, last: TableStats): TableStats {
  if (earlier === undefined) return last;
  const jobs = [...(earlier.jobs ?? []), ...(last.jobs ?? [])];
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
    ...(jobs.length === 0 ? {} : { jobs }),
    elapsedMs: earlier.elapsedMs + last.elapsedMs,
  };
}

/** Sums the figures of all tables. */
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
