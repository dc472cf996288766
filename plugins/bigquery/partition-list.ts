import { quoteIdentifier, type ReadOptions } from "agnes/kit";

import { errors } from "./errors.ts";
import type { TablePath } from "./names.ts";
import { parameterOf } from "./parameters.ts";
import { isSelectable, type TimePartitioning } from "./partitions.ts";
import type { BigQueryTable } from "./schemas.ts";
import type { Slice } from "./slice.ts";
import type { Source } from "./source.ts";

/** A list of partitions bills 10 MiB. */
const LIST_BYTES_MAX = 100 * 1024 ** 2;
const LIST_ROWS = 1000;
const TABLE = "agnes_table";

/** The partitions of a table at one time. */
export interface PartitionList {
  /** A time before the list was made, as ISO 8601 text. */
  readonly at: string;
  /** Sorted by id. */
  readonly partitions: readonly Slice[];
}

/**
 * Lists the partitions of a table, by one query that bills 10 MiB.
 * @returns null if some rows belong to no partition that a condition selects
 * @throws `bigquery/partitions_unknown`
 */
export async function listPartitions(
  { jobs, settings }: Source,
  { path, table, partitioning, location, name, signal, onJob }: ListRequest,
): Promise<PartitionList | null> {
  const from = [path.project, path.dataset, "INFORMATION_SCHEMA", "PARTITIONS"];
  const result = await jobs.run({
    sql:
      "SELECT partition_id, total_rows, total_logical_bytes, last_modified_time " +
      `FROM ${from.map((part) => quoteIdentifier(part, "bigquery")).join(".")} WHERE table_name = @${TABLE}`,
    parameters: [parameterOf(TABLE, "STRING", path.table)],
    location,
    isMetadata: true,
    limitBytes: Math.min(LIST_BYTES_MAX, settings.maxBytesPerQuery),
    what: `the partitions of table ${name}`,
    signal,
    onJob,
  });
  const fail = (reason: string) => errors.partitions_unknown({ table: name, reason });
  if (result.startedMs === undefined) throw fail("BigQuery does not report when the list was made");
  const partitions: Slice[] = [];
  for await (const rows of result.rows(LIST_ROWS)) {
    for (const row of rows) {
      const id = textOf(row["partition_id"]);
      if (id === null) throw fail("a partition has no id");
      const hasRows = textOf(row["total_rows"]) !== "0";
      if (!isSelectable(id, partitioning)) {
        if (hasRows) return null;
        continue;
      }
      const modified = textOf(row["last_modified_time"]);
      const sizeBytes = Number(row["total_logical_bytes"] ?? Number.POSITIVE_INFINITY);
      partitions.push({ id, modified, sizeBytes });
    }
  }
  // An empty list is also the response to a request in another location.
  if (partitions.length === 0 && table.numRows !== 0) throw fail("the list of its partitions is empty");
  partitions.sort((a, b) => (a.id < b.id ? -1 : 1));
  return { at: new Date(result.startedMs).toISOString(), partitions };
}

/** A table whose partitions are listed. */
export interface ListRequest {
  readonly path: TablePath;
  readonly table: BigQueryTable;
  readonly partitioning: TimePartitioning;
  readonly location: string | undefined;
  /** The name of the table, for errors. */
  readonly name: string;
  readonly signal: AbortSignal;
  /** Receives the job that lists them. */
  readonly onJob: ReadOptions["onJob"] | undefined;
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
