import { quoteIdentifier, quoteLiteral, type Connection } from "../../duckdb/mod.ts";
import type { TablePlan } from "../job/plan.ts";
import { TOMBSTONES_KEPT, type PublishedColumn, type Tombstone } from "../format/extract-state.ts";
import { keysMatch } from "../schema/select.ts";
import type { TableJob } from "../job/job.ts";
import { candidateParts, partsRelation } from "./candidates.ts";
import type { Delta } from "./delta.ts";

/** Removes rows from a delta whose tombstone has the same or a newer version. */
export async function dropTombstoned(
  connection: Connection,
  delta: Delta,
  tombstones: readonly Tombstone[],
  columns: readonly PublishedColumn[],
  plan: Pick<TablePlan, "primaryKey" | "cursor">,
): Promise<void> {
  const cursor = columns.find((column) => column.name === plan.cursor);
  if (tombstones.length === 0 || cursor === undefined) return;
  const values = tombstones
    .map(({ key, version }) => `(${quoteLiteral(key)}, ${version === null ? "NULL" : quoteLiteral(version)})`)
    .join(", ");
  const name = quoteIdentifier(cursor.name);
  await connection.run(
    `DELETE FROM ${delta.rows} d USING (VALUES ${values}) AS gone(key, version)
     WHERE gone.key = ${keyText(plan.primaryKey, "d")}
       AND (gone.version IS NULL OR d.${name} IS NULL OR d.${name} <= CAST(gone.version AS ${cursor.type}))`,
  );
}

/**
 * Returns the tombstones of a table after a read whose deletions are in the delta.
 *
 * A read includes every version up to its cursor, so no older event may restore a row that it yielded as deleted. A row
 * that a read yields ends the tombstone of an earlier read. Sources without pushed events need no tombstones.
 *
 * @param reached the high-water mark after the read
 */
export async function tombstonesAfterRead(
  job: TableJob,
  connection: Connection,
  delta: Delta,
  columns: readonly PublishedColumn[],
  reached: string | undefined,
): Promise<readonly Tombstone[]> {
  const { plan, signal } = job;
  const { source } = job.run;
  const { parts, schemas, tombstones } = job.previous!;
  const cursor = columns.find((column) => column.name === plan.cursor);
  const key = plan.primaryKey;
  const isNeeded = source.connector.stream !== undefined && cursor !== undefined && key.length > 0;
  if (!isNeeded) return tombstones;
  const keyColumns = columns.filter(({ name }) => key.includes(name));
  const first = keyColumns.find(({ name }) => name === key[0])!;
  const candidates = await candidateParts(connection, parts, delta.deleted, first, signal);
  const wanted = columns.filter((column) => column === cursor || keyColumns.includes(column));
  const published = partsRelation(job.run, candidates, wanted, schemas);
  const version = `o.${quoteIdentifier(cursor.name)}`;
  const least = reached === undefined ? "NULL" : quoteLiteral(reached);
  const added = await connection.rows<Tombstone>(
    `SELECT * FROM (
       SELECT ${keyText(key, "d")} AS key, 'read' AS by,
         CAST(greatest(max(${version}), CAST(${least} AS ${cursor.type})) AS VARCHAR) AS version
       FROM ${delta.deleted} d LEFT JOIN ${published} o ON ${keysMatch(key, "d", "o")} GROUP BY ALL)
     WHERE version IS NOT NULL LIMIT ${TOMBSTONES_KEPT}`,
    { signal },
  );
  const ended = new Set(added.map((tombstone) => tombstone.key));
  if (tombstones.some(({ by }) => by === "read")) {
    const text = keyText(key, "d");
    const known = tombstones.map((tombstone) => quoteLiteral(tombstone.key)).join(", ");
    const back = await connection.rows<{ key: string }>(
      `SELECT ${text} AS key FROM ${delta.rows} d WHERE ${text} IN (${known})`,
      { signal },
    );
    for (const row of back) ended.add(row.key);
  }
  const kept = tombstones.filter((tombstone) => tombstone.by !== "read" || !ended.has(tombstone.key));
  return [...kept, ...added].slice(-TOMBSTONES_KEPT);
}

/** Whether two lists contain the same tombstones, in any order. */
export function sameTombstones(one: readonly Tombstone[], other: readonly Tombstone[]): boolean {
  const texts = (tombstones: readonly Tombstone[]) =>
    tombstones.map(({ key, version, by }) => JSON.stringify([key, version, by ?? null])).sort();
  return one === other || JSON.stringify(texts(one)) === JSON.stringify(texts(other));
}

/** Returns the SQL of a key as JSON text, the format of `Tombstone.key`. */
export function keyText(key: readonly string[], alias: string): string {
  const texts = key.map((column) => `CAST(${alias}.${quoteIdentifier(column)} AS VARCHAR)`);
  return `CAST(to_json([${texts.join(", ")}]) AS VARCHAR)`;
}
