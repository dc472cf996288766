import { quoteIdentifier } from "../../duckdb/mod.ts";
import type { Connection } from "../../duckdb/mod.ts";
import type { PublishedColumn } from "../schema/column.ts";
import { readParquet } from "../schema/select.ts";
import { columnList } from "../schema/view.ts";
import type { TableContext } from "../services.ts";
import type { StagedPart } from "../write/staged.ts";

/** New and changed rows in a table of the run's database, one row for each key. */
export interface Delta {
  /** Quoted names of tables: the rows, and the keys of rows that were deleted. */
  readonly rows: string;
  readonly deleted: string;
}

let nextDelta = 1;

/** Names for the tables of one merge, unique in the process. */
export function deltaNames(): Delta {
  const number = nextDelta++;
  return { rows: quoteIdentifier(`delta_${number}`), deleted: quoteIdentifier(`deleted_${number}`) };
}

/**
 * Loads staged parts into the delta's table. Of several rows with one key the last of the read stays.
 *
 * The parts are read in their order and by the number of the row, so the same read always gives the same rows.
 */
export async function loadDelta(
  context: TableContext,
  connection: Connection,
  delta: Delta,
  staged: readonly StagedPart[],
  columns: readonly PublishedColumn[],
  key: readonly string[],
): Promise<void> {
  const { signal } = context;
  const list = columnList(columns);
  const source = orderedParts(staged, list);
  const unique =
    key.length === 0
      ? `SELECT ${list} FROM ${source}`
      : `SELECT ${list} FROM ${source} QUALIFY row_number() OVER (PARTITION BY ${key.map(quoteIdentifier).join(", ")} ORDER BY agnes_part DESC, agnes_row DESC) = 1`;
  await connection.run(`CREATE TABLE ${delta.rows} AS ${unique}`, { signal });
  const keys = columns.filter((column) => key.includes(column.name));
  if (keys.length === 0) return;
  await connection.run(
    `CREATE TABLE ${delta.deleted} (${keys.map(({ name, type }) => `${quoteIdentifier(name)} ${type}`).join(", ")})`,
    { signal },
  );
}

/** Forgets the tables of a merge. */
export async function dropDelta(connection: Connection, delta: Delta): Promise<void> {
  await connection.run(`DROP TABLE IF EXISTS ${delta.rows}`);
  await connection.run(`DROP TABLE IF EXISTS ${delta.deleted}`);
}

/** Staged parts with the place of each row in the read. */
export function orderedParts(staged: readonly StagedPart[], list: string): string {
  const selects = staged.map(
    ({ path }, at) =>
      `SELECT ${list}, ${at} AS agnes_part, file_row_number AS agnes_row FROM ${readParquet([path])}`,
  );
  return `(${selects.join(" UNION ALL ")})`;
}
