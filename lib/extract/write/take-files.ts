import { join, sep } from "node:path";

import { readDirectory } from "../format/paths.ts";
import type { BatchReader, Piece } from "../read/batch-reader.ts";
import type { TableJob } from "../job/job.ts";

/** A file of a read. */
export type FilePiece = Extract<Piece, { kind: "file" }>;

/** Consecutive files of a read. */
interface Taken {
  readonly pieces: readonly FilePiece[];
  /** The error of the read after these files. Throw it after writing them, because one of them may be invalid too. */
  readonly failure: { readonly error: unknown } | null;
}

/** Files that one query may be able to copy into one part, and their size on the disk. */
export interface TakenSlices extends Taken {
  readonly kind: "slices";
  readonly sizeBytes: number;
}

/** Files to copy: one alone, `small` ones that one query may be able to copy, each into its own part, or slices. */
export type TakenFiles = (Taken & { readonly kind: "one" | "small" }) | TakenSlices;

/** Copying a file of this size takes as long as starting a query. */
const SMALL_FILE_BYTES = 128 * 1024;
/** DuckDB keeps at most 100 files open while it writes; with more files it would split some of them. */
const SMALL_FILES_MAX = 96;
/** The rows of more slices would make a part that is too large, and delay the next downloads. */
const SLICES_MAX = 8;
const SLICES_BYTES_MAX = 64 * 1024 * 1024;

/** Takes the next file of a read and the following files that one query may be able to copy with it. */
export async function takeFiles(
  job: TableJob,
  reader: BatchReader,
  { mayJoinSlices }: { readonly mayJoinSlices: boolean },
): Promise<TakenFiles> {
  const first = await reader.peek();
  if (first?.kind !== "file") return { pieces: [], kind: "one", failure: null };
  reader.shift();
  const pieces = [first];
  const alone = { pieces, kind: "one", failure: null } as const;
  if ((await smallBytes(job, first)) !== null) {
    const failure = await takeAlike(reader, pieces, async () => pieces.length < SMALL_FILES_MAX);
    return { pieces, kind: "small", failure };
  }
  const bytes = mayJoinSlices ? await sliceBytes(job, first) : null;
  if (bytes === null) return alone;
  let sizeBytes = bytes;
  const failure = await takeAlike(reader, pieces, async (next) => {
    const nextBytes = pieces.length < SLICES_MAX ? await sliceBytes(job, next) : null;
    if (nextBytes === null || sizeBytes + nextBytes > SLICES_BYTES_MAX) return false;
    sizeBytes += nextBytes;
    return true;
  });
  return { pieces, kind: "slices", sizeBytes, failure };
}

/** Takes the following files with the same reading, as long as `isWanted`. */
async function takeAlike(
  reader: BatchReader,
  pieces: FilePiece[],
  isWanted: (next: FilePiece) => Promise<boolean>,
): Promise<Taken["failure"]> {
  try {
    for (;;) {
      const next = await reader.peek();
      if (next?.kind !== "file" || !isAlike(pieces[0]!, next) || !(await isWanted(next))) return null;
      reader.shift();
      pieces.push(next);
    }
  } catch (error) {
    return { error };
  }
}

/** The size of a small file; null for other files. */
export async function smallBytes(job: TableJob, piece: FilePiece): Promise<number | null> {
  const { format, origin } = piece.chunk;
  if (format !== "csv" || origin === undefined) return null;
  const sizeBytes = await bytesOnDisk(job, piece);
  return sizeBytes !== null && sizeBytes <= SMALL_FILE_BYTES ? sizeBytes : null;
}

/**
 * The size of a slice; null for other files. Connectors may remove other files than those in the folder of the read as
 * soon as they yield the next one.
 */
async function sliceBytes(job: TableJob, piece: FilePiece): Promise<number | null> {
  const { format, origin, constants, data } = piece.chunk;
  if ((format !== "csv" && format !== "parquet") || origin !== undefined || constants !== undefined)
    return null;
  const directory = readDirectory(job.run.directory, job.plan.name);
  if (typeof data !== "string" || !data.startsWith(join(directory, sep))) return null;
  return bytesOnDisk(job, piece);
}

/** The size of a file that a connector described; null for other files and byte streams. */
async function bytesOnDisk({ run: { services } }: TableJob, { chunk }: FilePiece): Promise<number | null> {
  const { data, reading } = chunk;
  if (typeof data !== "string" || reading === undefined) return null;
  return (await services.host.files.stat(data))?.sizeBytes ?? null;
}

function isAlike({ chunk: one }: FilePiece, { chunk: other }: FilePiece): boolean {
  return one.reading === other.reading && JSON.stringify(one.constants) === JSON.stringify(other.constants);
}
