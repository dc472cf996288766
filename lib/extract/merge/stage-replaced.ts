import { AgnesError, formatValue } from "../../base/mod.ts";
import { quoteIdentifier, type Connection } from "../../duckdb/mod.ts";
import { TOMBSTONES_KEPT, type PublishedTable, type Tombstone } from "../format/extract-state.ts";
import type { TableJob } from "../job/job.ts";
import { keysMatch, readParquet } from "../schema/select.ts";
import type { Quarantine } from "../write/quarantine.ts";
import { discard, type StagedPart } from "../write/staged.ts";
import { candidateParts, partsRelation } from "./candidates.ts";
import type { Delta } from "./delta.ts";
import type { ReplacedParents } from "./last-changes.ts";
import { stageRows, withColumns } from "./stage-rows.ts";
import { keyText } from "./tombstones.ts";

/** The published rows that a batch of changes deletes because their parents no longer have them. */
export interface ReplacedRows {
  readonly rows: number;
  readonly tombstones: readonly Tombstone[];
}

interface ReplacedFrom {
  readonly previous: PublishedTable;
  readonly quarantine: Quarantine | null;
  readonly replaced: readonly ReplacedParents[];
  /** A relation of keys whose rows in the delta win regardless of their version. */
  readonly settledKeys: string | undefined;
}

let nextReplaced = 1;

/**
 * Adds the published rows of replaced parents to the deletions of a delta, except the members of the parents and rows
 * that the delta already changes. The delta must already contain its rows and other deletions.
 *
 * @throws `replace_invalid`
 */
export async function stageReplaced(
  job: TableJob,
  connection: Connection,
  delta: Delta,
  from: ReplacedFrom,
): Promise<ReplacedRows> {
  const { signal, plan } = job;
  const result: { rows: number; tombstones: Tombstone[] } = { rows: 0, tombstones: [] };
  for (const family of from.replaced) {
    const gone = quoteIdentifier(`replaced_${nextReplaced++}`);
    const staged: StagedPart[] = [];
    try {
      await findGone(job, connection, delta, { ...from, family, gone, staged });
      const key = plan.primaryKey.map(quoteIdentifier).join(", ");
      await connection.run(`INSERT INTO ${delta.deleted} BY NAME SELECT ${key} FROM ${gone}`, { signal });
      // Remaining rows of these keys in the delta are older than the deleted rows.
      await connection.run(
        `DELETE FROM ${delta.rows} d USING ${gone} g WHERE ${keysMatch(plan.primaryKey, "d", "g")}`,
        { signal },
      );
      const [count] = await connection.rows<{ n: bigint }>(`SELECT count(*) AS n FROM ${gone}`, { signal });
      result.rows += Number(count!.n);
      if (plan.cursor === undefined) continue;
      const added = await connection.rows<Tombstone>(
        `SELECT ${keyText(plan.primaryKey, "g")} AS key, CAST(g.agnes_version AS VARCHAR) AS version
         FROM ${gone} g WHERE g.agnes_version IS NOT NULL LIMIT ${TOMBSTONES_KEPT}`,
        { signal },
      );
      for (const tombstone of added) result.tombstones.push(tombstone);
    } finally {
      await connection.run(`DROP TABLE IF EXISTS ${gone}`).catch(() => {});
      await discard(job.run, staged);
    }
  }
  return result;
}

/** Creates the table `gone`: the keys of the published rows to delete, and their versions. */
async function findGone(
  job: TableJob,
  connection: Connection,
  delta: Delta,
  from: ReplacedFrom & {
    readonly family: ReplacedParents;
    readonly gone: string;
    /** Receives the staged parts, to be discarded. */
    readonly staged: StagedPart[];
  },
): Promise<void> {
  const { plan, signal } = job;
  const { family, gone, previous, quarantine, settledKeys, staged } = from;
  const key = plan.primaryKey;
  const known = new Set(previous.columns.map(({ name }) => name));
  const missing = family.columns.find((column) => !known.has(column));
  if (missing !== undefined) {
    throw new AgnesError("replace_invalid", {
      table: plan.name,
      column: missing,
      value: formatValue(family.parents[0]![missing]),
      reason: "the published table has no such column yet; sync it first",
    });
  }
  const stage = async (
    columns: readonly string[],
    rows: ReplacedParents["parents"],
    rejects: typeof quarantine,
  ) => {
    const published = previous.columns.filter(({ name }) => columns.includes(name));
    const ignored = rejects === null && quarantine !== null ? { add: () => {} } : rejects;
    const part = await stageRows(withColumns(job, columns), rows, published, ignored);
    staged.push(part);
    return readParquet([part.path]);
  };
  const { columns } = family;
  const parents = await stage(columns, family.parents, quarantine);
  const memberColumns = [...new Set([...key, ...columns])];
  // Invalid values are reported when the rows themselves are staged.
  const members = await stage(memberColumns, family.members, null);
  const first = previous.columns.find(({ name }) => name === key[0])!;
  const candidates = columns.includes(first.name)
    ? await candidateParts(connection, previous.parts, parents, first, signal)
    : previous.parts;
  const cursor = previous.columns.find(({ name }) => name === plan.cursor);
  const wanted = previous.columns.filter(
    (column) => column === cursor || memberColumns.includes(column.name),
  );
  const published = partsRelation(job.run, candidates, wanted, previous.schemas);
  const list = key.map((column) => `o.${quoteIdentifier(column)}`).join(", ");
  const version = cursor === undefined ? null : quoteIdentifier(cursor.name);
  const isSettled =
    settledKeys === undefined ? "false" : `EXISTS (FROM ${settledKeys} s WHERE ${keysMatch(key, "s", "d")})`;
  const stands = version === null ? "true" : `((o.${version} > d.${version}) IS NOT TRUE OR ${isSettled})`;
  await connection.run(
    `CREATE TABLE ${gone} AS
     SELECT ${list}, ${version === null ? "NULL" : `max(o.${version})`} AS agnes_version
     FROM ${published} o SEMI JOIN ${parents} p ON ${keysMatch(columns, "o", "p")}
     WHERE NOT EXISTS (FROM ${members} m WHERE ${keysMatch(memberColumns, "m", "o")})
       AND NOT EXISTS (FROM ${delta.deleted} x WHERE ${keysMatch(key, "x", "o")})
       AND NOT EXISTS (FROM ${delta.rows} d WHERE ${keysMatch(key, "d", "o")} AND ${stands})
     GROUP BY ${list}`,
    { signal },
  );
}
