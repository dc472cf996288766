import { join } from "node:path";

import { temporaryPath } from "../../base/mod.ts";
import type { ColumnStatistics, CopyResult } from "../../duckdb/mod.ts";
import type { FileChunk } from "../../kit/mod.ts";
import { partsDirectory } from "../format/paths.ts";
import type { ExtractRun, TableJob } from "../job/job.ts";

/** A Parquet file under a temporary name, with rows or with deleted keys. */
export interface StagedPart {
  readonly kind: "staged" | "deletions";
  /** The absolute path of the temporary file. */
  readonly path: string;
  readonly rows: number;
  readonly sizeBytes: number;
  /** The statistics of the key and cursor columns; see `CopyResult`. */
  readonly columns: CopyResult["columns"];
  /** Number of quarantined rows of its file. Default: 0. */
  readonly rejected?: number;
  /** Number of valid rows of its file, including those that its conditions excluded. Default: `rows`. */
  readonly rowsRead?: number;
  readonly partition: string | null;
  readonly origin: string | null;
  /**
   * The scope of its row numbers: a file or the whole read, of which it holds all rows in order except rejected ones.
   * Absent if row numbers are not known, because rows were filtered or are unordered.
   */
  readonly counted?: string;
  /** The SHA-256 of the file, if it was hashed and synced when it was written; see `WriteTarget.isFinal`. */
  readonly sha256?: string;
  /** The sum of the row hashes, if requested; see `WriteTarget.rowHash`. */
  readonly hashSum?: bigint;
}

/** The parts of a read. */
export interface WrittenParts {
  readonly parts: readonly StagedPart[];
  /** Rows that the connector yielded, including filtered ones if they could be counted. */
  readonly rowsRead: number;
}

/** The scope of row numbers in an Arrow stream: the whole read. */
export const WHOLE_READ = "";

/** The scope of row numbers in a file. */
export function countedIn({ origin }: FileChunk, number: number): string {
  return origin ?? `\0${number}`;
}

/**
 * The range of a column in the statistics of a part; null if it is missing. Both bounds are null if there are no
 * values.
 */
export function statedRange(
  { columns, rows }: StagedPart,
  column: string | undefined,
): Pick<ColumnStatistics, "min" | "max"> | null {
  if (column === undefined) return { min: null, max: null };
  const found = columns[column];
  if (found === undefined) return rows === 0 ? { min: null, max: null } : null;
  const isKnown = found.nulls === rows || (found.min !== null && found.max !== null);
  return isKnown ? found : null;
}

/** Returns a temporary path for a part. */
export function stagingPath({ plan, run: { services, directory } }: TableJob): string {
  return temporaryPath(services.host, join(partsDirectory(directory, plan.name), "part"));
}

/** Removes parts that will not be published. */
export async function discard(
  { services }: ExtractRun,
  parts: readonly (StagedPart | Promise<StagedPart>)[],
): Promise<void> {
  for (const settled of await Promise.allSettled(parts.map(async (part) => part))) {
    if (settled.status === "fulfilled") await services.host.files.remove(settled.value.path).catch(() => {});
  }
}
