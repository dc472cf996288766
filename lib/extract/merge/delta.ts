import { quoteIdentifier, type Connection } from "../../duckdb/mod.ts";
import type { PublishedColumn } from "../format/extract-state.ts";
import { readParquet } from "../schema/select.ts";
import { columnList } from "../schema/view.ts";
import type { TableJob } from "../job/job.ts";
import type { StagedPart } from "../write/staged.ts";

/** New and changed rows in tables of the run's database, one row for each key. */
export interface Delta {
  /** Quoted names of the tables with the rows and with the deleted keys. */
  readonly rows: string;
  readonly deleted: string;
}

let nextDelta = 1;

/** Returns table names for one merge that are unique in the process. */
export function deltaNames(): Delta {
  const number = nextDelta++;
  return { rows: quoteIdentifier(`delta_${number}`), deleted: quoteIdentifier(`deleted_${number}`) };
}

/**
 * Loads staged parts into the tables of the delta. The last of several rows with one key wins.
 *
 * Rows are ordered by part and row number, so the result is deterministic.
 */
export async function loadDelta(
  job: TableJob,
  connection: Connection,
  delta: Delta,
  staged: readonly StagedPart[],
  columns: readonly PublishedColumn[],
  key: readonly string[],
): Promise<void> {
  const { signal } = job;
  const list = columnList(columns);
  if (key.length === 0) {
    const all = `SELECT ${list} FROM ${orderedParts(staged, list)}`;
    await connection.run(`CREATE TABLE ${delta.rows} AS ${all}`, { signal });
    return;
  }
  const last = lastOfEachKey(key);
  const rows = `SELECT * FROM ${orderedChanges(staged, columns, key)} ${last}`;
  await connection.run(
    `CREATE TABLE ${delta.rows} AS SELECT ${list} FROM (${rows}) WHERE NOT agnes_deleted`,
    {
      signal,
    },
  );
  const keys = columns.filter((column) => key.includes(column.name));
  const gone = `SELECT * FROM ${orderedChanges(staged, keys, key)} ${last}`;
  await connection.run(
    `CREATE TABLE ${delta.deleted} AS SELECT ${columnList(keys)} FROM (${gone}) WHERE agnes_deleted`,
    { signal },
  );
}

/** Returns the SQL clause that keeps only the last row of each key. */
export function lastOfEachKey(key: readonly string[]): string {
  const columns = key.map(quoteIdentifier).join(", ");
  return `QUALIFY row_number() OVER (PARTITION BY ${columns} ORDER BY agnes_part DESC, agnes_row DESC) = 1`;
}

/** Returns a relation of staged rows and deletions with their positions in the read. Deletions have only their key. */
function orderedChanges(
  staged: readonly StagedPart[],
  columns: readonly PublishedColumn[],
  key: readonly string[],
): string {
  const keyOnly = columns.map(({ name, type }) => {
    const value = key.includes(name) ? quoteIdentifier(name) : "NULL";
    return `CAST(${value} AS ${type}) AS ${quoteIdentifier(name)}`;
  });
  const selects = staged.map(({ kind, path }, at) => {
    const list = kind === "deletions" ? keyOnly.join(", ") : columnList(columns);
    const place = `${at} AS agnes_part, file_row_number AS agnes_row`;
    return `SELECT ${list}, ${place}, ${kind === "deletions"} AS agnes_deleted FROM ${readParquet([path])}`;
  });
  return `(${selects.join(" UNION ALL ")})`;
}

/** Drops the tables of a merge. */
export async function dropDelta(connection: Connection, delta: Delta): Promise<void> {
  await connection.run(`DROP TABLE IF EXISTS ${delta.rows}`);
  await connection.run(`DROP TABLE IF EXISTS ${delta.deleted}`);
}

/** Returns a relation of staged parts with the position of each row in the read. */
export function orderedParts(staged: readonly StagedPart[], list: string): string {
  const selects = staged.map(
    ({ path }, at) =>
      `SELECT ${list}, ${at} AS agnes_part, file_row_number AS agnes_row FROM ${readParquet([path])}`,
  );
  return `(${selects.join(" UNION ALL ")})`;
}
