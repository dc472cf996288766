import { AgnesError } from "../../base/mod.ts";
import { quoteIdentifier } from "../../duckdb/mod.ts";
import type { Row } from "../../kit/mod.ts";
import { partsDirectory } from "../format/paths.ts";
import type { TableJob } from "../job/job.ts";
import type { TablePlan } from "../job/plan.ts";
import { columnsOf } from "../schema/column.ts";
import { readParquet } from "../schema/select.ts";
import { discard, type StagedPart } from "../write/staged.ts";
import type { CheckedChange } from "./checked-changes.ts";
import { only, stageRows, versionedKey, withColumns } from "./stage-rows.ts";
import type { StoredOrder } from "./stored-order.ts";

/**
 * Compares the keys, versions and parents of changes by converting them once, exactly as rows are stored, and ranking
 * them in DuckDB. So 1 equals "1.00" in a decimal column, and texts are ordered by their bytes.
 *
 * @throws `value_invalid`
 */
export async function rankChanges(job: TableJob, changes: readonly CheckedChange[]): Promise<StoredOrder> {
  const { plan, previous } = job;
  const names = comparedColumns(plan, changes);
  const compared = comparedRows(plan, changes);
  if (names.length === 0 || compared.length === 0) return { has: () => false, rankOf: () => null };
  const { services, directory } = job.run;
  await services.host.files.makeDirectory(partsDirectory(directory, plan.name));
  const columns = columnsOf(plan.info.schema, names).map(
    (column) => previous?.columns.find(({ name }) => name === column.name) ?? column,
  );
  const rejected = new Set<number>();
  const part = await stageRows(
    withColumns(job, names, names),
    compared.map(({ values }) => values),
    columns,
    {
      add: ({ row, column, value, reason }) => {
        const { number, isRejected } = compared[row - 1]!;
        if (!isRejected)
          throw new AgnesError("value_invalid", { table: plan.name, row: number, column, value, reason });
        rejected.add(row - 1);
      },
    },
  );
  try {
    const ranks = await ranksOf(job, part, names);
    const kept = compared.filter((_, at) => !rejected.has(at));
    const found = new Map(kept.map(({ row }, at) => [row, at]));
    const places = new Map(names.map((name, at) => [name, at]));
    return {
      has: (row) => found.has(row),
      rankOf: (row, column) => {
        const at = found.get(row);
        const rank = at === undefined ? NULL_RANK : ranks[places.get(column)!]![at]!;
        return rank === NULL_RANK ? null : rank;
      },
    };
  } finally {
    await discard(job.run, [part]);
  }
}

const NULL_RANK = -1;

/** The ranks of the values of each column, in the order of the rows. */
async function ranksOf(
  { run, signal }: TableJob,
  part: StagedPart,
  columns: readonly string[],
): Promise<readonly Int32Array[]> {
  const list = columns.map((name) => {
    const column = quoteIdentifier(name);
    return `CAST(CASE WHEN ${column} IS NULL THEN ${NULL_RANK} ELSE dense_rank() OVER (ORDER BY ${column}) END AS INTEGER)`;
  });
  const ranks = columns.map(() => new Int32Array(part.rows));
  await using connection = await run.database.connect();
  const { batches } = await connection.stream(
    `SELECT ${list.join(", ")} FROM ${readParquet([part.path])} ORDER BY file_row_number`,
    { signal },
  );
  let start = 0;
  for await (const batch of batches) {
    for (const [at, all] of ranks.entries()) all.set(batch.getChildAt(at)!.toArray() as Int32Array, start);
    start += batch.numRows;
  }
  return ranks;
}

/** The columns of keys, versions and parents, in the order of the schema. */
function comparedColumns(plan: TablePlan, changes: readonly CheckedChange[]): readonly string[] {
  const wanted = new Set(versionedKey(plan));
  for (const change of changes)
    if (change.kind === "replace") for (const column of Object.keys(change.parent)) wanted.add(column);
  return plan.info.schema.fields.map(({ name }) => String(name)).filter((name) => wanted.has(name));
}

interface ComparedRow {
  /** The row of the change. */
  readonly row: Row;
  /** Its values to convert. */
  readonly values: Row;
  /** The number of the change, counted from 1. */
  readonly number: number;
  readonly isRejected: boolean;
}

function comparedRows(plan: TablePlan, changes: readonly CheckedChange[]): readonly ComparedRow[] {
  const key = versionedKey(plan);
  return changes.flatMap((change): readonly ComparedRow[] => {
    const { number } = change;
    if (change.kind === "upsert") return [{ row: change.row, values: change.row, number, isRejected: false }];
    if (change.kind === "delete")
      return [{ row: change.key, values: only(change.key, key), number, isRejected: false }];
    const accepted = new Set(change.rows);
    return [
      { row: change.parent, values: change.parent, number, isRejected: false },
      ...change.members.map((row) => {
        const isRejected = !accepted.has(row);
        return { row, values: isRejected ? only(row, plan.primaryKey) : row, number, isRejected };
      }),
    ];
  });
}
