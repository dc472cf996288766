import { join } from "node:path";

import { copyToParquet, parquetFooter, quoteIdentifier, type Connection } from "../../duckdb/mod.ts";
import type { Granularity } from "../../tables/mod.ts";
import type { TableJob } from "../job/job.ts";
import { stagingPath, type StagedPart } from "../write/staged.ts";
import { checkCount } from "../write/write-stream.ts";

/** The column that says which partition a row goes to while partitions are written. */
const LABEL = "agnes_partition";

const LENGTHS: Readonly<Record<Granularity, number>> = { day: 10, month: 7, year: 4 };

/** Whether a partition's label is one of this granularity; `unknown` always is. */
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
  const { signal, plan } = job;
  const { services } = job.run;
  const directory = stagingPath(job);
  try {
    const labelled = `SELECT ${list}, ${label} AS ${quoteIdentifier(LABEL)} FROM (${sql})`;
    const copied = await copyToParquet(job.run.database, { kind: "sql", sql: labelled }, directory, {
      connection,
      signal,
      partitionBy: LABEL,
    });
    const written = await collect(job, directory);
    const rows = written.reduce((sum, part) => sum + part.rows, 0);
    checkCount(plan.name, copied.rows, rows, "the footers of the partitions");
    return written;
  } finally {
    await services.host.files.removeDirectory(directory);
  }
}

async function collect(job: TableJob, directory: string): Promise<readonly StagedPart[]> {
  const { files } = job.run.services.host;
  const staged: StagedPart[] = [];
  for (const folder of (await files.list(directory)) ?? []) {
    const partition = decodeURIComponent(folder.slice(folder.indexOf("=") + 1));
    for (const name of (await files.list(join(directory, folder))) ?? []) {
      const from = join(directory, folder, name);
      const path = stagingPath(job);
      const { rows } = await parquetFooter(from);
      const sizeBytes = (await files.stat(from))?.sizeBytes ?? 0;
      await files.rename(from, path);
      if (rows > 0) staged.push({ kind: "staged", path, rows, sizeBytes, partition, origin: null });
      else await files.remove(path);
    }
  }
  return staged;
}
