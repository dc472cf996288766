import { join } from "node:path";

import { temporaryPath } from "../../base/mod.ts";
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

/** The sum of hashes of a copy, for a staged part. */
export function hashSumOf({ sum }: { readonly sum?: bigint }): Pick<StagedPart, "hashSum"> {
  return sum === undefined ? {} : { hashSum: sum };
}

/** Makes a part that is most likely final durable at once, while others are still written. */
export async function finalOf(
  { services }: ExtractRun,
  path: string,
  { sha256 }: { readonly sha256?: string },
): Promise<Pick<StagedPart, "sha256">> {
  if (sha256 === undefined) return {};
  await services.host.files.sync(path);
  return { sha256 };
}

/** A path for a part that is being written. */
export function stagingPath({ plan, run: { services, directory } }: TableJob): string {
  return temporaryPath(services.host, join(partsDirectory(directory, plan.name), "part"));
}
