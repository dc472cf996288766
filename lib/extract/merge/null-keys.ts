import { AgnesError, JsonText } from "../../base/mod.ts";
import { quoteIdentifier, type Connection } from "../../duckdb/mod.ts";
import type { PublishedColumn } from "../format/extract-state.ts";
import { readParquet } from "../schema/select.ts";
import { columnList } from "../schema/view.ts";
import type { TableJob } from "../job/job.ts";
import { NO_KEY, type Quarantine } from "../write/quarantine.ts";
import { discard, WHOLE_READ, type StagedPart } from "../write/staged.ts";
import { writeSql } from "./merge.ts";

/**
 * Removes rows with a null primary key from staged parts, because no later change could find them. The rows are
 * quarantined, or fail the table if it has no quarantine.
 *
 * @throws `primary_key_null`
 */
export async function withoutNullKeys(
  job: TableJob,
  connection: Connection,
  staged: readonly StagedPart[],
  columns: readonly PublishedColumn[],
  quarantine: Quarantine | null,
): Promise<readonly StagedPart[]> {
  const { plan, signal } = job;
  const { primaryKey, name } = plan;
  const isSuspect = ({ kind, columns: held }: StagedPart) =>
    kind === "staged" && primaryKey.some((column) => held[column]?.nulls !== 0);
  const suspects = staged.filter(isSuspect);
  if (suspects.length === 0) return staged;
  const absent = primaryKey.map((column) => `${quoteIdentifier(column)} IS NULL`).join(" OR ");
  const counted = await connection.rows<{ path: string; n: bigint }>(
    `SELECT agnes_file AS path, count(*) AS n
     FROM ${readParquet(
       suspects.map((part) => part.path),
       ", filename='agnes_file'",
     )} WHERE ${absent} GROUP BY agnes_file`,
    { signal },
  );
  if (counted.length === 0) return staged;
  if (quarantine === null) {
    const rows = counted.reduce((sum, { n }) => sum + Number(n), 0);
    throw new AgnesError("primary_key_null", { table: name, columns: primaryKey, rows });
  }
  const affected = new Set(counted.map(({ path }) => path));
  const list = columnList(columns);
  const kept: StagedPart[] = [];
  let before = 0;
  for (const part of staged) {
    if (affected.has(part.path)) {
      const relation = readParquet([part.path]);
      await quarantineRows(job, connection, relation, absent, { list, before, part, quarantine });
      const rest = `SELECT ${list} FROM ${relation} WHERE NOT (${absent})`;
      // The last row of a key wins, so rows keep their order.
      const rewritten = await writeSql(job, rest, part.origin, { ordered: true });
      await discard(job.run, rewritten.rows > 0 ? [part] : [part, rewritten]);
      if (rewritten.rows > 0) kept.push(rewritten);
    } else kept.push(part);
    if (part.counted === WHOLE_READ) before += part.rows;
  }
  return kept;
}

async function quarantineRows(
  job: TableJob,
  connection: Connection,
  relation: string,
  absent: string,
  into: {
    readonly list: string;
    /** Number of rows in earlier parts of the same count. */
    readonly before: number;
    readonly part: StagedPart;
    readonly quarantine: Quarantine;
  },
): Promise<void> {
  const { list, part, quarantine } = into;
  const { counted, origin } = part;
  const of = origin === null ? {} : { origin };
  const before = counted === WHOLE_READ ? into.before : 0;
  const { primaryKey } = job.plan;
  const result = await connection.stream(
    `SELECT CAST(agnes_row AS BIGINT) AS "row", CAST(to_json(t) AS VARCHAR) AS record FROM (
       SELECT ${list}, file_row_number AS agnes_row FROM ${relation} WHERE ${absent}) t`,
    { signal: job.signal },
  );
  for await (const batch of result.batches) {
    for (const { row, record: text } of batch.toArray() as Iterable<{ row: bigint; record: string }>) {
      const record = new JsonText(text.replace(/,"agnes_row(?:_\d+)?":\d+\}$/, "}"));
      const values = JSON.parse(record.text) as Record<string, unknown>;
      const column = primaryKey.find((one) => values[one] === null) ?? primaryKey[0]!;
      quarantine.addKept(
        { column, value: "null", reason: NO_KEY, record, ...of },
        counted === undefined ? undefined : { counted, kept: before + Number(row) + 1 },
      );
    }
  }
}
