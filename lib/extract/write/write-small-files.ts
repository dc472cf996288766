import { join } from "node:path";

import { AgnesError, eachOf } from "../../base/mod.ts";
import {
  copyToParquet,
  FILE_COLUMN,
  openCsvFiles,
  parquetFooter,
  type ReadableChunk,
} from "../../duckdb/mod.ts";
import type { BatchSource, Piece } from "../read/batch-source.ts";
import { selectList } from "../schema/select.ts";
import type { TableJob } from "../job/job.ts";
import { stagingPath, type StagedPart } from "./staged.ts";
import { refuseDifferences } from "./write-file.ts";
import type { WriteTarget } from "./write-target.ts";
import { checkCount } from "./write-stream.ts";

/** A file that a read gave. */
export type FilePiece = Extract<Piece, { kind: "file" }>;

/** Files that follow one another in a read. */
export interface TakenFiles {
  readonly pieces: readonly FilePiece[];
  /** What the read failed with behind them; to be thrown once they are written, since one of them may be bad as well. */
  readonly failure: { readonly error: unknown } | null;
}

/** Starting a query takes as long as copying files of this size. */
const SMALL_FILE_BYTES = 128 * 1024;
/** DuckDB keeps a hundred files open while it writes; with more than that it would begin some of them again. */
const FILES_MAX = 96;
const FILES_AT_ONCE = 8;

/** Takes the next file of a read and, if it is small, those behind it that one query may be able to copy with it. */
export async function takeFiles(job: TableJob, source: BatchSource): Promise<TakenFiles> {
  const first = await source.peek();
  if (first?.kind !== "file") return { pieces: [], failure: null };
  source.shift();
  const pieces = [first];
  if ((await smallBytes(job, first)) === null) return { pieces, failure: null };
  try {
    while (pieces.length < FILES_MAX) {
      const next = await source.peek();
      if (next?.kind !== "file" || !isAlike(first, next)) break;
      source.shift();
      pieces.push(next);
    }
  } catch (error) {
    return { pieces, failure: { error } };
  }
  return { pieces, failure: null };
}

type SmallChunk = ReadableChunk & { readonly origin: string };

/** The bytes of a small file; null for any other. */
async function smallBytes({ run: { services } }: TableJob, { chunk }: FilePiece): Promise<number | null> {
  const { format, data, reading, origin } = chunk;
  if (format !== "csv" || typeof data !== "string" || reading === undefined || origin === undefined)
    return null;
  const found = await services.host.files.stat(data);
  return found !== null && found.sizeBytes <= SMALL_FILE_BYTES ? found.sizeBytes : null;
}

function isAlike({ chunk: one }: FilePiece, { chunk: other }: FilePiece): boolean {
  return one.reading === other.reading && JSON.stringify(one.constants) === JSON.stringify(other.constants);
}

/**
 * Copies small files in one query, each into a part of its own; by their places. Those that are missing in the answer
 * are to be written alone: they have no rows, another layout, or one of all of them is bad. Which one, and why, shows
 * then.
 */
export async function writeSmallFiles(
  job: TableJob,
  pieces: readonly FilePiece[],
  target: WriteTarget,
): Promise<ReadonlyMap<number, StagedPart>> {
  if (pieces.length < 2) return new Map();
  const directory = stagingPath(job);
  const parts = new Map<number, StagedPart>();
  try {
    await copyAll(job, pieces, target, directory, parts);
    return parts;
  } catch (error) {
    const { files } = job.run.services.host;
    for (const { path } of parts.values()) await files.remove(path).catch(() => {});
    if (job.signal.aborted || !(error instanceof AgnesError)) throw error;
    job.run.services.log.debug("files are read one by one", { table: job.plan.name, error });
    return new Map();
  } finally {
    await job.run.services.host.files.removeDirectory(directory);
  }
}

async function copyAll(
  job: TableJob,
  pieces: readonly FilePiece[],
  { columns, originCondition }: WriteTarget,
  directory: string,
  parts: Map<number, StagedPart>,
): Promise<void> {
  const { plan, signal } = job;
  const { database } = job.run;
  const sizes = await eachOf(pieces, FILES_AT_ONCE, (piece) => smallBytes(job, piece));
  const small = pieces.flatMap((piece, place) =>
    sizes[place] === null ? [] : [{ chunk: piece.chunk as SmallChunk, number: piece.number, place }],
  );
  if (small.length < 2) return;
  const opened = await openCsvFiles(
    small.map(({ chunk }) => chunk),
    { signal },
  );
  if (opened === null || opened.places.length < 2) return;
  const together = opened.places.map((place) => small[place]!);
  refuseDifferences(job, opened, together[0]!.number, false);
  const where = originCondition === null ? "" : ` WHERE ${originCondition}`;
  const sql = `SELECT ${selectList(columns, opened.present)}, ${FILE_COLUMN} FROM (${opened.select})${where}`;
  const copied = await copyToParquet(database, { kind: "sql", sql }, directory, {
    signal,
    partitionBy: FILE_COLUMN,
  });
  await collect(job, directory, together, { parts, isWhole: originCondition === null });
  const rows = [...parts.values()].reduce((sum, part) => sum + part.rows, 0);
  checkCount(plan.name, copied.rows, rows, "the footers of the parts");
  job.progress.readBytes([...parts.keys()].reduce((sum, place) => sum + sizes[place]!, 0));
}

/** Takes the parts out of the folders that are named by the numbers of their files. */
async function collect(
  job: TableJob,
  directory: string,
  together: readonly { readonly chunk: SmallChunk; readonly place: number }[],
  into: { readonly parts: Map<number, StagedPart>; readonly isWhole: boolean },
): Promise<void> {
  const { parts, isWhole } = into;
  const { files } = job.run.services.host;
  const folders = (await files.list(directory)) ?? [];
  await eachOf(folders, FILES_AT_ONCE, async (folder) => {
    const { chunk, place } = together[Number(folder.slice(folder.indexOf("=") + 1))]!;
    // Rows in a second file would be missing in the sum.
    const from = join(directory, folder, "part_0.parquet");
    const { rows, sizeBytes } = await parquetFooter(from);
    const path = stagingPath(job);
    await files.rename(from, path);
    const { origin } = chunk;
    const counted = isWhole ? { counted: origin } : {};
    parts.set(place, { kind: "staged", path, rows, sizeBytes, partition: null, origin, ...counted });
  });
}
