import { quoteIdentifier, quoteLiteral, type Connection } from "../../duckdb/mod.ts";
import type { TablePlan } from "../job/plan.ts";
import { TOMBSTONES_KEPT, type PublishedColumn, type Tombstone } from "../format/extract-state.ts";
import { definitionOf, publishedVersions } from "../job/definition.ts";
import { keysMatch, readParquet } from "../schema/select.ts";
import type { TableJob } from "../job/job.ts";
import type { StagedPart } from "../write/staged.ts";
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
  // Rows and tombstones without a version have no order, so the later one wins.
  const versions = tombstones.flatMap(({ key, version }) =>
    version === null ? [] : [`(${quoteLiteral(key)}, ${quoteLiteral(version)})`],
  );
  if (versions.length === 0) return;
  const name = quoteIdentifier(cursor.name);
  await connection.run(
    `DELETE FROM ${delta.rows} d USING (VALUES ${versions.join(", ")}) AS gone(key, version)
     WHERE gone.key = ${keyText(plan.primaryKey, "d")}
       AND d.${name} <= CAST(gone.version AS ${cursor.type})`,
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
     WHERE version IS NOT NULL ORDER BY key LIMIT ${TOMBSTONES_KEPT}`,
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

/**
 * Returns the tombstones of a table after a read of all rows: those of rows that the read did not yield, so that an
 * older event cannot restore them.
 *
 * @param staged the rows of the read
 */
export async function tombstonesAfterWhole(
  { previous, original, signal }: TableJob,
  connection: Connection,
  staged: readonly StagedPart[],
  columns: readonly PublishedColumn[],
): Promise<readonly Tombstone[]> {
  if (previous === undefined || previous.tombstones.length === 0) return [];
  const { key, cursor } = publishedVersions(previous);
  const now = publishedVersions({ definition: definitionOf(original) });
  const typesOf = (all: readonly PublishedColumn[]) =>
    JSON.stringify([...key, cursor].map((name) => all.find((column) => column.name === name)?.type));
  // Tombstones of another key or version cannot be compared with rows.
  const isSame =
    JSON.stringify({ key, cursor }) === JSON.stringify(now) && typesOf(columns) === typesOf(previous.columns);
  if (!isSame) return [];
  if (staged.length === 0) return previous.tombstones;
  const values = previous.tombstones.map((tombstone, at) => {
    const texts = JSON.parse(tombstone.key) as readonly string[];
    return `(${[at, ...texts.map(quoteLiteral)].join(", ")})`;
  });
  const names = key.map((_, at) => `k${at}`);
  const match = key.map((column, at) => `CAST(s.${quoteIdentifier(column)} AS VARCHAR) = gone.k${at}`);
  const rows = readParquet(staged.map(({ path }) => path));
  const found = await connection.rows<{ place: number }>(
    `SELECT DISTINCT gone.place FROM ${rows} s
     JOIN (VALUES ${values.join(", ")}) AS gone(place, ${names.join(", ")}) ON ${match.join(" AND ")}`,
    { signal },
  );
  const yielded = new Set(found.map(({ place }) => place));
  return previous.tombstones.filter((_, at) => !yielded.has(at));
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
