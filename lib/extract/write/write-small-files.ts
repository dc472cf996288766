import { AgnesError, eachOf } from "../../base/mod.ts";
import { FILE_COLUMN, openCsvFiles, type ReadableChunk } from "../../duckdb/mod.ts";
import { selectList } from "../schema/select.ts";
import type { TableJob } from "../job/job.ts";
import { discard, type StagedPart } from "./staged.ts";
import { smallBytes, type FilePiece } from "./take-files.ts";
import { refuseDifferences } from "./write-file.ts";
import { writePartitionedParts } from "./write-part.ts";
import type { WriteTarget } from "./write-target.ts";

const FILES_AT_ONCE = 8;

type SmallChunk = ReadableChunk & { readonly origin: string };

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
