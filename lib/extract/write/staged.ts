import { join } from "node:path";

import { temporaryPath } from "../../base/mod.ts";
import type { ColumnStatistics, CopyResult } from "../../duckdb/mod.ts";
import type { FileChunk } from "../../kit/mod.ts";
import { partsDirectory } from "../format/paths.ts";
import type { ExtractRun, TableJob } from "../job/job.ts";

/** A Parquet file that is written but has no final name yet: rows, or the keys of rows that are gone. */
export interface StagedPart {
  readonly kind: "staged" | "deletions";
  /** The absolute path of the temporary file. */
  readonly path: string;
  readonly rows: number;
  readonly sizeBytes: number;
  /** What the copy that made it says of the key and the cursor; see `CopyResult`. */
  readonly columns: CopyResult["columns"];
  /** How many rows of its file went to the quarantine; absent: none. */
  readonly rejected?: number;
  readonly partition: string | null;
  readonly origin: string | null;
  /**
   * What its rows are counted in: it holds all of that but the rejected rows, in their order. Absent: rows were left out
   * by a condition, or came in any order, so a row's place is not known.
   */
  readonly counted?: string;
  /** The SHA-256 of the file, when it was hashed and synced as soon as it was written; see `WriteTarget.isFinal`. */
  readonly sha256?: string;
  /** The sum of the hashes of its rows, when it was asked for; see `WriteTarget.rowHash`. */
  readonly hashSum?: bigint;
}

/** What the rows of an Arrow stream are counted in: the whole read. */
export const WHOLE_READ = "";

/** What the rows of a file are counted in. */
export function countedIn({ origin }: FileChunk, number: number): string {
  return origin ?? `\0${number}`;
}

/** The least and the greatest value of a column in a part, as its copy told them, both null without a value; null: it did not. */
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

/** A path for a part that is being written. */
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
