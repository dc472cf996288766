import { quoteIdentifier, type Connection } from "../../duckdb/mod.ts";
import type { PublishedColumn, Part, PublishedTable } from "../format/extract-state.ts";
import { keysMatch } from "../schema/select.ts";
import type { TableJob } from "../job/job.ts";
import { candidateParts, partsRelation } from "./candidates.ts";
import type { Delta } from "./delta.ts";

/** The published rows that a delta replaces or removes. */
export interface AffectedRows {
  /** Quoted name of a table with the key of each affected row and its part (`agnes_part`). */
  readonly table: string;
  /** The parts with affected rows, by `agnes_part`. */
  readonly parts: ReadonlyMap<number, Part>;
  /** Number of affected rows that the delta deletes. */
  readonly deleted: number;
}

/** For deltas that may arrive out of order: an older version does not replace a newer published one. */
export interface NewestWins {
  /** The column that orders the versions of a row. */
  readonly column: string;
  /** A relation of keys whose rows win regardless of their version. */
  readonly settled?: string;
}

let nextAffected = 1;

/**
 * Finds the published rows with keys of a delta, in the parts whose bounds match.
 *
 * @param newest for deltas that may arrive out of order
 */
export async function findAffected(
  job: TableJob,
  connection: Connection,
  delta: Delta,
  published: Pick<PublishedTable, "parts" | "schemas">,
  columns: readonly PublishedColumn[],
  key: readonly string[],
  newest: NewestWins | undefined,
): Promise<AffectedRows> {
  const { signal } = job;
  const table = quoteIdentifier(`affected_${nextAffected++}`);
  const keyColumns = columns.filter((column) => key.includes(column.name));
  const first = keyColumns.find((column) => column.name === key[0])!;
  const keyList = keyColumns.map((column) => quoteIdentifier(column.name)).join(", ");
  const allKeys = `(SELECT ${keyList} FROM ${delta.rows} UNION ALL SELECT ${keyList} FROM ${delta.deleted})`;
  const candidates = await candidateParts(connection, published.parts, allKeys, first, signal);
  const wanted = columns.filter((column) => key.includes(column.name) || column.name === newest?.column);
  const relation = partsRelation(job.run, candidates, wanted, published.schemas);
  const grouped = keyColumns.map((column) => `o.${quoteIdentifier(column.name)}`).join(", ");
  const version = newest === undefined ? "NULL" : `max(o.${quoteIdentifier(newest.column)})`;
  await connection.run(
    `CREATE TABLE ${table} AS
     SELECT ${grouped},
       min(o.agnes_part) AS agnes_part, max(o.agnes_part) AS agnes_last, ${version} AS agnes_version
     FROM ${relation} o SEMI JOIN ${allKeys} d ON ${keysMatch(key, "o", "d")} GROUP BY ${grouped}`,
    { signal },
  );
  if (newest !== undefined) {
    const { column, settled } = newest;
    const open =
      settled === undefined ? "" : ` AND NOT EXISTS (FROM ${settled} s WHERE ${keysMatch(key, "s", "d")})`;
    await connection.run(
      `DELETE FROM ${delta.rows} d USING ${table} t
       WHERE ${keysMatch(key, "d", "t")} AND t.agnes_version > d.${quoteIdentifier(column)}${open}`,
      { signal },
    );
  }
  await dropUnchanged(job, connection, delta, table, { published, candidates, columns, key });
  await connection.run(
    `DELETE FROM ${table} t WHERE NOT EXISTS (SELECT 1 FROM ${allKeys} d WHERE ${keysMatch(key, "t", "d")})`,
    { signal },
  );
  const [gone] = await connection.rows<{ n: bigint }>(
    `SELECT count(*) AS n FROM ${table} t SEMI JOIN ${delta.deleted} d ON ${keysMatch(key, "t", "d")}`,
    { signal },
  );
  return {
    table,
    parts: await partsIn(job, connection, table, candidates),
    deleted: Number(gone?.n ?? 0n),
  };
}

/** Removes rows from the delta that equal the published ones, because a source may yield unchanged rows again. */
async function dropUnchanged(
  job: TableJob,
  connection: Connection,
  delta: Delta,
  affected: string,
  rows: {
    readonly published: Pick<PublishedTable, "schemas">;
    readonly candidates: readonly Part[];
    readonly columns: readonly PublishedColumn[];
    readonly key: readonly string[];
  },
): Promise<void> {
  const { published, candidates, columns, key } = rows;
  const parts = await partsIn(job, connection, affected, candidates);
  if (parts.size === 0) return;
  const same = columns
    .map(({ name }) => `d.${quoteIdentifier(name)} IS NOT DISTINCT FROM o.${quoteIdentifier(name)}`)
    .join(" AND ");
  await connection.run(
    `DELETE FROM ${delta.rows} WHERE rowid IN (
       SELECT d.rowid FROM ${delta.rows} d
       JOIN ${partsRelation(job.run, [...parts.values()], columns, published.schemas)} o ON ${keysMatch(key, "d", "o")}
       JOIN ${affected} t ON ${keysMatch(key, "d", "t")}
       WHERE t.agnes_part = t.agnes_last AND ${same})`,
    { signal: job.signal },
  );
}

async function partsIn(
  job: TableJob,
  connection: Connection,
  affected: string,
  candidates: readonly Part[],
): Promise<ReadonlyMap<number, Part>> {
  const places = await connection.rows<{ place: number }>(
    `SELECT DISTINCT agnes_part AS place FROM ${affected} UNION SELECT agnes_last FROM ${affected}`,
    { signal: job.signal },
  );
  return new Map(places.map(({ place }) => [place, candidates[place]!]));
}
