import { AgnesError, eachOf } from "../../base/mod.ts";
import { FILE_COLUMN, openCsvFiles, type ReadableChunk } from "../../duckdb/mod.ts";
import type { BatchReader, Piece } from "../read/batch-reader.ts";
import { selectList } from "../schema/select.ts";
import type { TableJob } from "../job/job.ts";
import { discard, type StagedPart } from "./staged.ts";
import { refuseDifferences } from "./write-file.ts";
import { writePartitionedParts } from "./write-part.ts";
import type { WriteTarget } from "./write-target.ts";

/** A file of a read. */
export type FilePiece = Extract<Piece, { kind: "file" }>;

/** Consecutive files of a read. */
export interface TakenFiles {
  readonly pieces: readonly FilePiece[];
  /** The error of the read after these files. Throw it after writing them, because one of them may be invalid too. */
  readonly failure: { readonly error: unknown } | null;
}

/** Copying a file of this size takes as long as starting a query. */
const SMALL_FILE_BYTES = 128 * 1024;
/** DuckDB keeps at most 100 files open while it writes; with more files it would split some of them. */
const FILES_MAX = 96;
const FILES_AT_ONCE = 8;

/**
 * Takes the next file of a read and, if it is small, the following files that one query may be able to copy with it.
 */
export async function takeFiles(job: TableJob, reader: BatchReader): Promise<TakenFiles> {
  const first = await reader.peek();
  if (first?.kind !== "file") return { pieces: [], failure: null };
  reader.shift();
  const pieces = [first];
  if ((await smallBytes(job, first)) === null) return { pieces, failure: null };
  try {
    while (pieces.length < FILES_MAX) {
      const next = await reader.peek();
      if (next?.kind !== "file" || !isAlike(first, next)) break;
      reader.shift();
      pieces.push(next);
    }
  } catch (error) {
    return { pieces, failure: { error } };
  }
  return { pieces, failure: null };
}

type SmallChunk = ReadableChunk & { readonly origin: string };

/** The size of a small file; null for other files. */
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
 * Copies small files in one query, each into its own part, and returns the parts by index.
 *
 * Files without a part in the result must be copied separately: they are empty, have another layout, or one of the
 * files is invalid.
 */
export async function writeSmallFiles(
  job: TableJob,
  pieces: readonly FilePiece[],
  target: WriteTarget,
): Promise<ReadonlyMap<number, StagedPart>> {
  if (pieces.length < 2) return new Map();
  try {
    return await writeTogether(job, pieces, target);
  } catch (error) {
    if (job.signal.aborted || !(error instanceof AgnesError)) throw error;
    job.run.services.log.debug("reading the files one by one", { table: job.plan.name, error });
    return new Map();
  }
}

async function writeTogether(
  job: TableJob,
  pieces: readonly FilePiece[],
  { columns, originCondition }: WriteTarget,
): Promise<ReadonlyMap<number, StagedPart>> {
  const sizes = await eachOf(pieces, FILES_AT_ONCE, (piece) => smallBytes(job, piece));
  const small = pieces.flatMap((piece, place) =>
    sizes[place] === null ? [] : [{ chunk: piece.chunk as SmallChunk, number: piece.number, place }],
  );
  if (small.length < 2) return new Map();
  const chunks = small.map(({ chunk }) => chunk);
  const opened = await openCsvFiles(chunks, { files: job.run.services.host.files, signal: job.signal });
  if (opened === null || opened.places.length < 2) return new Map();
  const together = opened.places.map((place) => small[place]!);
  refuseDifferences(job, opened, together[0]!.number, false);
  const where = originCondition === null ? "" : ` WHERE ${originCondition}`;
  const sql = `SELECT ${selectList(columns, opened.present)}, ${FILE_COLUMN} FROM (${opened.select})${where}`;
  const parts = new Map<number, StagedPart>();
  const written = await writePartitionedParts(job, sql, FILE_COLUMN);
  for (const part of written) {
    const { chunk, place } = together[Number(part.partition)]!;
    const { origin } = chunk;
    const counted = originCondition === null ? { counted: origin } : {};
    parts.set(place, { ...part, partition: null, origin, ...counted });
  }
  // With too many open files DuckDB splits some of them, but all rows of a file must be in one part.
  if (parts.size < written.length) {
    await discard(job.run, written);
    return new Map();
  }
  job.progress.readBytes([...parts.keys()].reduce((sum, place) => sum + sizes[place]!, 0));
  return parts;
}
