import { AgnesError } from "../../base/mod.ts";
import type { BatchReader, Piece } from "../read/batch-reader.ts";
import type { TableJob } from "../job/job.ts";
import { readParquet } from "../schema/select.ts";
import { discard, type StagedPart, type WrittenParts } from "./staged.ts";
import { writeFileChunk } from "./write-file.ts";
import { writePart } from "./write-part.ts";
import { startCopy } from "./write-stream.ts";
import type { WriteTarget } from "./write-target.ts";

/**
 * Writes the first rows of a read that meet its condition into parts, one after the other. The rest of the read is not
 * written, but read: the state that it returns lets the next sync skip the table if it is unchanged.
 *
 * @throws `table_read_failed` for deletions and kept origins, with which the number of rows would be another one
 */
export async function writeLimitedParts(
  job: TableJob,
  reader: BatchReader,
  target: WriteTarget,
  limit: number,
): Promise<WrittenParts> {
  const parts: StagedPart[] = [];
  let left = limit;
  let sizeBytes = 0;
  try {
    while (left > 0) {
      const piece = await reader.peek();
      if (piece === null) break;
      if (piece.kind === "deletions") throw unsupported(job, "yielded deletions");
      const part = await firstRows(job, await writePiece(job, reader, piece, target, left), left);
      parts.push(part);
      left -= part.rows;
      sizeBytes += part.sizeBytes;
      job.progress.read(reader.rows, sizeBytes);
    }
    if (await reader.drain()) throw unsupported(job, "yielded deletions");
    if (reader.end.kept !== undefined) throw unsupported(job, "kept origins");
    return { parts, rowsRead: reader.rows };
  } catch (error) {
    await discard(job.run, parts);
    throw error;
  }
}

async function writePiece(
  job: TableJob,
  reader: BatchReader,
  piece: Exclude<Piece, { kind: "deletions" }>,
  target: WriteTarget,
  left: number,
): Promise<StagedPart> {
  if (piece.kind === "file") {
    reader.shift();
    const part = await writeFileChunk(job, piece.chunk, piece.number, target);
    reader.countFileRows(part.rowsRead ?? part.rows);
    return part;
  }
  const { partRows } = job.run;
  const rowsMax = target.condition === null ? Math.min(partRows, left) : partRows;
  return startCopy(job, reader, piece.batch, target, rowsMax).written;
}

/** Returns a part with at most `rowsMax` of its rows. */
async function firstRows(job: TableJob, part: StagedPart, rowsMax: number): Promise<StagedPart> {
  if (part.rows <= rowsMax) return part;
  try {
    const sql = `SELECT * FROM ${readParquet([part.path])} LIMIT ${rowsMax}`;
    return await writePart(job, { kind: "sql", sql }, { origin: part.origin, ordered: true });
  } finally {
    await discard(job.run, [part]);
  }
}

function unsupported({ plan, run: { source } }: TableJob, what: string): AgnesError {
  const reason = `it ${what}, which a table with a limit does not support`;
  return new AgnesError("table_read_failed", { source: source.name, table: plan.name, reason });
}
