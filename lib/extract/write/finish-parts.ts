import { createHash } from "node:crypto";
import { basename, join } from "node:path";

import { eachOf, type Files } from "../../base/mod.ts";
import { quoteIdentifier } from "../../duckdb/mod.ts";
import type { TableJob } from "../job/job.ts";
import { readParquet } from "../schema/select.ts";
import { PART_FORMAT, type Part } from "../format/extract-state.ts";
import { partsDirectory, relativePartPath } from "../format/paths.ts";
import { statedRange, type StagedPart } from "./staged.ts";

/** Number of files to hash and sync at once. */
const FILES_AT_ONCE = 4;

/** The columns whose bounds are stored with each part. */
export interface BoundedColumns {
  readonly key: string | undefined;
  readonly cursor: string | undefined;
}

/**
 * Makes the bytes of staged parts durable and renames them to their content hash; `publish` makes the names durable.
 *
 * Nothing refers to them until they are published. If the process crashes before, the next sweep removes them.
 */
export async function finishParts(
  job: TableJob,
  staged: readonly StagedPart[],
  schemaVersion: number,
  bounded: BoundedColumns,
): Promise<readonly Part[]> {
  const { files } = job.run.services.host;
  const directory = partsDirectory(job.run.directory, job.plan.name);
  const stated = new Map(staged.map((part) => [part.path, statedBounds(part, bounded)]));
  const unknown = staged.filter(({ path }) => stated.get(path) === null);
  const measured = await measureBounds(job, unknown, bounded);
  return eachOf(staged, FILES_AT_ONCE, async (part): Promise<Part> => {
    const { path, rows, sizeBytes, partition, origin } = part;
    await files.chmod(path, 0o644);
    const durable = part.sha256 === undefined ? files.sync(path) : undefined;
    const [sha256] = await Promise.all([part.sha256 ?? sha256OfFile(files, path, sizeBytes), durable]);
    const name = `${sha256.slice(0, 32)}.parquet`;
    await files.rename(path, join(directory, name));
    return {
      path: relativePartPath(basename(directory), name),
      rows,
      sizeBytes,
      sha256,
      format: PART_FORMAT,
      schemaVersion,
      partition,
      origin,
      ...(stated.get(path) ?? measured.get(path) ?? NO_BOUNDS),
    };
  });
}

const CHUNK_BYTES = 1024 * 1024;

/**
 * Returns the SHA-256 of a file as 64 hexadecimal digits.
 *
 * @param expectedBytes the approximate size of the file, to limit the memory for small files
 */
export async function sha256OfFile(
  files: Files,
  path: string,
  expectedBytes: number = Number.POSITIVE_INFINITY,
): Promise<string> {
  const hash = createHash("sha256");
  const chunkBytes = Math.min(CHUNK_BYTES, Math.max(1, expectedBytes));
  for await (const chunk of files.readChunks(path, chunkBytes)) hash.update(chunk);
  return hash.digest("hex");
}

type Bounds = Pick<Part, "keyMin" | "keyMax" | "cursorMin" | "cursorMax">;

type PathBounds = Bounds & { readonly path: string };

const NO_BOUNDS: Bounds = { keyMin: null, keyMax: null, cursorMin: null, cursorMax: null };

/** The bounds in the COPY statistics of a part; null if one is missing. */
function statedBounds(part: StagedPart, { key, cursor }: BoundedColumns): Bounds | null {
  const [first, second] = [statedRange(part, key), statedRange(part, cursor)];
  if (first === null || second === null) return null;
  return { keyMin: first.min, keyMax: first.max, cursorMin: second.min, cursorMax: second.max };
}

/** Measures the bounds of parts whose statistics lack them: long texts, NaN, and types without an order in Parquet. */
async function measureBounds(
  job: TableJob,
  parts: readonly StagedPart[],
  { key, cursor }: BoundedColumns,
): Promise<ReadonlyMap<string, Bounds>> {
  if (parts.length === 0) return new Map();
  const bound = (column: string | undefined, side: "min" | "max") =>
    column === undefined ? "NULL" : `CAST(${side}(${quoteIdentifier(column)}) AS VARCHAR)`;
  const relation = readParquet(
    parts.map(({ path }) => path),
    ", filename='agnes_file'",
  );
  await using connection = await job.run.database.connect();
  const found = await connection.rows<PathBounds>(
    `SELECT agnes_file AS path, ${bound(key, "min")} AS "keyMin", ${bound(key, "max")} AS "keyMax",
       ${bound(cursor, "min")} AS "cursorMin", ${bound(cursor, "max")} AS "cursorMax"
     FROM ${relation} GROUP BY agnes_file`,
    { signal: job.signal },
  );
  return new Map(found.map(({ path, ...each }) => [path, each]));
}
