import { AgnesError, eachOf } from "../../base/mod.ts";
import { copyToParquet, parquetFooter, type CopyInput, type CopyOptions } from "../../duckdb/mod.ts";
import type { TablePlan } from "../job/plan.ts";
import type { TableJob } from "../job/job.ts";
import { stagingPath, type StagedPart } from "./staged.ts";
import type { WriteTarget } from "./write-target.ts";

/** Options of `writePart`. */
export interface PartOptions extends Pick<CopyOptions, "ordered" | "largeRowGroups" | "connection"> {
  readonly kind?: StagedPart["kind"];
  readonly origin?: string | null;
  readonly counted?: string | undefined;
  /** Whether to hash and sync the part at once, and which row hash to add up. Default: neither. */
  readonly target?: Pick<WriteTarget, "rowHash" | "isFinal">;
  /** Returns the number of rows passed to DuckDB, after all are written. Absent if only DuckDB knows it. */
  readonly yielded?: () => number;
}

/**
 * Writes a query or a stream into one part under a temporary name, and removes the file if that fails. The row count is
 * verified with an independent reader of the Parquet footer.
 *
 * @throws `rows_lost`, and the errors of `copyToParquet`
 */
export async function writePart(
  job: TableJob,
  input: CopyInput,
  options: PartOptions = {},
  onCopied: (sizeBytes: number) => void = () => {},
): Promise<StagedPart> {
  const { kind = "staged", origin = null, counted, target, yielded, ...copying } = options;
  const { plan, signal } = job;
  const { files } = job.run.services.host;
  const path = stagingPath(job);
  try {
    const copied = await copyToParquet(job.run.database, input, path, {
      ...copying,
      signal,
      statistics: boundedColumns(plan),
      hashed: target?.isFinal === true,
      ...(target?.rowHash != null && { sumOf: target.rowHash }),
    });
    const { rows, sizeBytes, columns, sha256, sum } = copied;
    onCopied(sizeBytes);
    const expected = yielded?.() ?? rows;
    checkCount(plan.name, expected, rows, "what DuckDB wrote");
    checkCount(plan.name, expected, (await parquetFooter(files, path)).rows, "the footer of the part");
    // A part that is probably final is synced now, while others are still being written.
    if (sha256 !== undefined) await files.sync(path);
    const figures = {
      ...(counted !== undefined && { counted }),
      ...(sum !== undefined && { hashSum: sum }),
      ...(sha256 !== undefined && { sha256 }),
    };
    return { kind, path, rows, sizeBytes, columns, partition: null, origin, ...figures };
  } catch (error) {
    await files.remove(path).catch(() => {});
    throw error;
  }
}

/** The part of one partition. */
export type PartitionedPart = Omit<StagedPart, "partition"> & { readonly partition: string };

/** Number of footers to read at once. */
const FILES_AT_ONCE = 8;

/**
 * Writes a query in one pass into one or more parts for each value of a column, in any order.
 *
 * The parts are hashed later, because the files are not known while DuckDB writes them.
 * @throws `rows_lost`, and the errors of `copyToParquet`
 */
export async function writePartitionedParts(
  job: TableJob,
  sql: string,
  partitionBy: string,
  options: Pick<CopyOptions, "connection"> = {},
): Promise<readonly PartitionedPart[]> {
  const { plan, signal } = job;
  const { files } = job.run.services.host;
  const directory = stagingPath(job);
  const parts: PartitionedPart[] = [];
  try {
    const statistics = boundedColumns(plan);
    const copied = await copyToParquet(job.run.database, { kind: "sql", sql }, directory, {
      ...options,
      signal,
      partitionBy,
      statistics,
    });
    await eachOf(copied.files, FILES_AT_ONCE, async (file) => {
      const { rows, sizeBytes } = await parquetFooter(files, file.path);
      const path = stagingPath(job);
      await files.rename(file.path, path);
      parts.push({
        kind: "staged",
        path,
        rows,
        sizeBytes,
        partition: file.partition,
        columns: file.columns,
        origin: null,
      });
    });
    const rows = parts.reduce((sum, part) => sum + part.rows, 0);
    checkCount(plan.name, copied.rows, rows, "the footers of the parts");
    return parts;
  } catch (error) {
    for (const { path } of parts) await files.remove(path).catch(() => {});
    throw error;
  } finally {
    await files.removeDirectory(directory);
  }
}

/** The columns with required statistics: nulls of the key, and bounds of the key and the cursor. */
function boundedColumns({ primaryKey, cursor }: TablePlan): readonly string[] {
  return cursor === undefined ? primaryKey : [...primaryKey, cursor];
}

/** @throws `rows_lost` */
export function checkCount(table: string, yielded: number, written: number, where: string): void {
  if (yielded !== written) throw new AgnesError("rows_lost", { table, yielded, written, where });
}
