import { discard } from "../write/staged.ts";
import { quoteIdentifier, quoteLiteral, type Connection } from "../../duckdb/mod.ts";
import type { Row } from "../../kit/mod.ts";
import { TOMBSTONES_KEPT, type PublishedTable, type Tombstone } from "../format/extract-state.ts";
import type { TableJob } from "../job/job.ts";
import { keysMatch, readParquet } from "../schema/select.ts";
import type { Quarantine } from "../write/quarantine.ts";
import { partsRelation } from "./candidates.ts";
import type { Delta } from "./delta.ts";
import { stageRows, versionedKey, withColumns } from "./stage-rows.ts";
import { keyText } from "./tombstones.ts";

/**
 * Adds deletions to the delta and returns their tombstones. A table without a cursor column has none.
 *
 * @param isSettled whether they also delete newer published rows
 */
export async function stageDeletes(
  job: TableJob,
  connection: Connection,
  delta: Delta,
  from: {
    readonly previous: PublishedTable;
    readonly deletes: readonly Row[];
    readonly isSettled: boolean;
    readonly quarantine: Quarantine | null;
  },
): Promise<readonly Tombstone[]> {
  const { plan } = job;
  const { previous, deletes, isSettled, quarantine } = from;
  if (deletes.length === 0) return [];
  const cursor = previous.columns.find((column) => column.name === plan.cursor);
  const names = versionedKey({ primaryKey: plan.primaryKey, ...(cursor && { cursor: cursor.name }) });
  const wanted = previous.columns.filter((column) => names.includes(column.name));
  const keyed = withColumns(job, names, cursor === undefined ? [] : [cursor.name]);
  const staged = await stageRows(keyed, deletes, wanted, quarantine);
  try {
    const relation = readParquet([staged.path]);
    const keys = previous.columns.filter((column) => plan.primaryKey.includes(column.name));
    const list = keys.map((column) => `d.${quoteIdentifier(column.name)}`).join(", ");
    if (cursor === undefined) {
      await connection.run(`INSERT INTO ${delta.deleted} SELECT DISTINCT ${list} FROM ${relation} d`);
      return [];
    }
    const version = quoteIdentifier(cursor.name);
    const published = partsRelation(job.run, previous.parts, wanted, previous.schemas);
    const match = keysMatch(plan.primaryKey, "d", "o");
    // A deletion older than the published row does not apply, because the row was inserted again since.
    const applies = isSettled
      ? ""
      : ` WHERE NOT EXISTS (SELECT 1 FROM ${published} o WHERE ${match} AND o.${version} > d.${version})`;
    await connection.run(`INSERT INTO ${delta.deleted} SELECT DISTINCT ${list} FROM ${relation} d${applies}`);
    const known = isSettled ? [] : previous.tombstones.filter((tombstone) => tombstone.version !== null);
    const before = [["", null] as const, ...known.map((one) => [one.key, one.version] as const)].map(
      ([text, value]) => `(${quoteLiteral(text)}, ${value === null ? "NULL" : quoteLiteral(value)})`,
    );
    const tombstones = await connection.rows<Tombstone>(
      `SELECT gone.key, CAST(greatest(gone.version, CAST(before.version AS ${cursor.type})) AS VARCHAR) AS version
       FROM (SELECT ${keyText(plan.primaryKey, "d")} AS key,
           coalesce(d.${version}, (SELECT max(o.${version}) FROM ${published} o WHERE ${match})) AS version
         FROM ${relation} d) gone
       LEFT JOIN (VALUES ${before.join(", ")}) AS before(key, version) ON before.key = gone.key`,
    );
    // Without a version nothing is known to be older than the deletion.
    return tombstones.filter((tombstone) => tombstone.version !== null);
  } finally {
    await discard(job.run, [staged]);
  }
}

/** Adds tombstones to those of a table and drops the oldest if there are too many. */
export function withTombstones(
  tombstones: readonly Tombstone[],
  added: readonly Tombstone[],
  ended: ReadonlySet<string>,
): readonly Tombstone[] {
  if (added.length === 0 && ended.size === 0) return tombstones;
  const latest = new Map(added.map((tombstone) => [tombstone.key, tombstone]));
  const kept = tombstones.filter(({ key }) => !latest.has(key) && !ended.has(key));
  return [...kept, ...latest.values()].slice(-TOMBSTONES_KEPT);
}
