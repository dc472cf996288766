import { quoteIdentifier, type Connection } from "../../duckdb/mod.ts";
import type { PublishedColumn } from "../format/extract-state.ts";
import { keysMatch, readParquet } from "../schema/select.ts";
import { columnList } from "../schema/view.ts";
import type { TableJob } from "../job/job.ts";
import { discard, type StagedPart } from "../write/staged.ts";
import { writeSql } from "./merge.ts";

/** The rows of a read after its own deletions. */
export interface RemainingRows {
  readonly parts: readonly StagedPart[];
  readonly rowsDeleted: number;
}

let nextGone = 1;

/** Applies the deletions of a read to the earlier rows of the same read. */
export async function applyDeletions(
  job: TableJob,
  connection: Connection,
  staged: readonly StagedPart[],
  columns: readonly PublishedColumn[],
): Promise<RemainingRows> {
  const last = staged.findLastIndex((part) => part.kind === "deletions");
  if (last === -1) return { parts: staged, rowsDeleted: 0 };
  const { signal } = job;
  const key = job.plan.primaryKey;
  const keys = columns.filter((column) => key.includes(column.name));
  const table = `gone_${nextGone++}`;
  const cast = keys.map(
    ({ name, type }) => `CAST(${quoteIdentifier(name)} AS ${type}) AS ${quoteIdentifier(name)}`,
  );
  const all = staged.flatMap(({ kind, path }, at) =>
    kind === "deletions"
      ? [`SELECT ${cast.join(", ")}, ${at} AS agnes_place FROM ${readParquet([path])}`]
      : [],
  );
  try {
    await connection.run(
      `CREATE TABLE ${table} AS SELECT ${columnList(keys)}, max(agnes_place) AS agnes_place
       FROM (${all.join(" UNION ALL ")}) GROUP BY ${columnList(keys)}`,
      { signal },
    );
    const parts: StagedPart[] = [];
    let rowsDeleted = 0;
    for (const [at, part] of staged.entries()) {
      if (part.kind === "deletions") {
        await discard(job.run, [part]);
        continue;
      }
      const left = at > last ? part : await remainingRows(job, connection, part, { table, at, columns });
      rowsDeleted += part.rows - left.rows;
      if (left.rows > 0) parts.push(left);
      else await discard(job.run, [left]);
    }
    return { parts, rowsDeleted };
  } finally {
    await connection.run(`DROP TABLE IF EXISTS ${table}`).catch(() => {});
  }
}

async function remainingRows(
  job: TableJob,
  connection: Connection,
  part: StagedPart,
  gone: { readonly table: string; readonly at: number; readonly columns: readonly PublishedColumn[] },
): Promise<StagedPart> {
  const { table, at, columns } = gone;
  const laterDeletions = `(FROM ${table} WHERE agnes_place > ${at}) d ON ${keysMatch(job.plan.primaryKey, "p", "d")}`;
  const rows = `(SELECT *, file_row_number AS agnes_row FROM ${readParquet([part.path])}) p`;
  const hit = await connection.rows(`SELECT 1 FROM ${rows} SEMI JOIN ${laterDeletions} LIMIT 1`, {
    signal: job.signal,
  });
  if (hit.length === 0) return part;
  const sql = `SELECT ${columnList(columns)} FROM ${rows} ANTI JOIN ${laterDeletions} ORDER BY agnes_row`;
  const rewritten = await writeSql(job, sql, part.origin, { ordered: true });
  await discard(job.run, [part]);
  return rewritten;
}
