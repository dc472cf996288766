import { quoteIdentifier, type Connection } from "../../duckdb/mod.ts";
import type { Granularity } from "../../tables/mod.ts";
import type { TableJob } from "../job/job.ts";
import type { StagedPart } from "../write/staged.ts";
import { writePartitionedParts } from "../write/write-part.ts";

/** The temporary column with the partition of a row. */
const LABEL = "agnes_partition";

const LENGTHS: Readonly<Record<Granularity, number>> = { day: 10, month: 7, year: 4 };

/** Whether the label of a partition has this granularity. `unknown` fits every granularity. */
export function labelFits(label: string, granularity: Granularity): boolean {
  return label === "unknown" || label.length === LENGTHS[granularity];
}

/**
 * Writes the rows of a SELECT into one part for each partition, in one pass.
 *
 * @param label the SQL expression of a row's partition
 * @throws `rows_lost`
 */
export async function writePartitions(
  job: TableJob,
  connection: Connection,
  sql: string,
  list: string,
  label: string,
): Promise<readonly StagedPart[]> {
  const labelled = `SELECT ${list}, ${label} AS ${quoteIdentifier(LABEL)} FROM (${sql})`;
  const parts = await writePartitionedParts(job, labelled, LABEL, { connection });
  return parts.toSorted((a, b) => (a.partition < b.partition ? -1 : 1));
}
