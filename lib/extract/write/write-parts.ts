import type { RecordBatch, Schema } from "apache-arrow";

import { AgnesError } from "../../base/mod.ts";
import type { BatchReader } from "../read/batch-reader.ts";
import { columnsOf, physicalColumnsOf } from "../schema/column.ts";
import type { PublishedColumn } from "../format/extract-state.ts";
import { selectList } from "../schema/select.ts";
import type { TableJob } from "../job/job.ts";
import { discard, type StagedPart, type WrittenParts } from "./staged.ts";
import { writeFileChunk } from "./write-file.ts";
import { writePart, type PartOptions } from "./write-part.ts";
import { takeFiles, type FilePiece, type TakenFiles } from "./take-files.ts";
import { writeSlices } from "./write-slices.ts";
import { writeSmallFiles } from "./write-small-files.ts";
import { writeLimitedParts } from "./write-limited-parts.ts";
import type { WriteTarget } from "./write-target.ts";
import { startCopy, type RunningCopy } from "./write-stream.ts";

/**
 * Number of parts of Arrow rows, or of slices, to write at once, so that the next part takes rows or decompresses its
 * slices while the previous one is closed.
 */
const COPIES_MAX = 2;

/** Writes all pieces of a read into parts of bounded size, in the order of the read. */
export async function writeParts(
  job: TableJob,
  reader: BatchReader,
  target: WriteTarget,
): Promise<WrittenParts> {
  if (target.limit !== null) return writeLimitedParts(job, reader, target, target.limit);
  const parts: Promise<StagedPart | readonly StagedPart[]>[] = [];
  const running: RunningCopy[] = [];
  const copying: Promise<unknown>[] = [];
  let sizeBytes = 0;
  // Only files of their own have row numbers for the quarantine.
  let mayJoinSlices = target.quarantine === null;
  const onSeparate = () => (mayJoinSlices = false);
  const onPart = (part: StagedPart) => {
    reader.countFileRows(part.rowsRead ?? part.rows);
    sizeBytes += part.sizeBytes;
    job.progress.read(reader.rows, sizeBytes);
  };
  try {
    for (let piece = await reader.peek(); piece !== null; piece = await reader.peek()) {
      if (piece.kind === "file") {
        // The next slices are downloaded while the previous ones are copied.
        const taken = await takeFiles(job, reader, { mayJoinSlices });
        if (copying.length >= COPIES_MAX) await copying.shift();
        const written = writeAll(job, writeFiles(job, taken, target, onSeparate), onPart);
        parts.push(written);
        copying.push(written);
        const isAlone = taken.kind !== "slices" || taken.failure !== null;
        if (isAlone) await Promise.all(copying.splice(0));
        if (taken.failure !== null) throw taken.failure.error;
        continue;
      }
      if (piece.kind === "deletions") {
        reader.shift();
        parts.push(Promise.resolve(await writeDeletions(job, piece.keys)));
        continue;
      }
      if (running.length >= COPIES_MAX) sizeBytes += await running.shift()!.copied;
      const copy = startCopy(job, reader, piece.batch, target, partRowsAt(job.run.partRows, parts.length));
      running.push(copy);
      parts.push(copy.written);
      await copy.taken;
      // If a part failed, the rest of the source is not read.
      await Promise.race([copy.written, Promise.resolve()]);
    }
    return { parts: (await Promise.all(parts)).flat(), rowsRead: reader.rows };
  } catch (error) {
    for (const written of await Promise.allSettled(parts))
      if (written.status === "fulfilled") await discard(job.run, [written.value].flat());
    throw error;
  }
}

/** Collects parts as they are written; if one fails, the others are removed. */
function writeAll(
  job: TableJob,
  written: AsyncIterable<StagedPart>,
  onPart: (part: StagedPart) => void,
): Promise<readonly StagedPart[]> {
  const collect = async () => {
    const parts: StagedPart[] = [];
    try {
      for await (const part of written) {
        parts.push(part);
        onPart(part);
      }
      return parts;
    } catch (error) {
      await discard(job.run, parts);
      throw error;
    }
  };
  const parts = collect();
  // It is awaited later.
  parts.catch(() => {});
  return parts;
}

/**
 * Writes files into parts, in order. Small files and slices are copied in one query if possible.
 *
 * @param onSeparate called if slices must be copied one by one
 */
async function* writeFiles(
  job: TableJob,
  taken: TakenFiles,
  target: WriteTarget,
  onSeparate: () => void,
): AsyncGenerator<StagedPart> {
  const { pieces, kind } = taken;
  if (taken.kind === "slices" && pieces.length > 1) {
    const part = await writeSlices(job, taken, target);
    if (part !== null) return yield part;
    onSeparate();
  }
  const written = new Map(kind === "small" ? await writeSmallFiles(job, pieces, target) : []);
  try {
    for (const [place, piece] of pieces.entries()) {
      const part = written.get(place) ?? (await writeOrigin(job, piece, target));
      written.delete(place);
      yield part;
    }
  } finally {
    await discard(job.run, [...written.values()]);
  }
}

/** @throws `quarantine_exceeded` if all rows of an origin were rejected, because they would replace valid ones */
async function writeOrigin(
  job: TableJob,
  { chunk, number }: FilePiece,
  target: WriteTarget,
): Promise<StagedPart> {
  if (chunk.origin === undefined) return writeFileChunk(job, chunk, number, target);
  const { originCondition: condition, quarantine } = target;
  const part = await writeFileChunk(job, chunk, number, { ...target, condition });
  const { rejected = 0 } = part;
  if (rejected === 0 || part.rows > 0) return part;
  await discard(job.run, [part]);
  const { mainReason, path } = quarantine!;
  const { id, name, quarantineMaxPercent: maxPercent = 0 } = job.plan;
  throw new AgnesError("quarantine_exceeded", {
    id,
    table: name,
    rejected,
    read: rejected,
    maxPercent,
    reason: mainReason,
    path,
    origin: chunk.origin,
  });
}

/** Writes deleted keys into a part. */
async function writeDeletions(job: TableJob, keys: readonly RecordBatch[]): Promise<StagedPart> {
  const schema = keys[0]!.schema;
  return writeBatches(job, schema, keys, columnsOf(schema), { kind: "deletions" });
}

/** Writes Arrow batches in memory into one part. */
export async function writeBatches(
  job: TableJob,
  schema: Schema,
  batches: readonly RecordBatch[],
  columns: readonly PublishedColumn[],
  options: PartOptions,
): Promise<StagedPart> {
  const list = selectList(columns, physicalColumnsOf(schema));
  const source = {
    schema,
    async *open() {
      yield* batches;
    },
  };
  const select = (relation: string) => `SELECT ${list} FROM ${relation}`;
  return writePart(job, { kind: "stream", source, select }, options);
}

/** Writes a part without rows that holds the columns and types of an empty table. */
export async function writeEmptyPart(
  job: TableJob,
  columns: readonly PublishedColumn[],
): Promise<StagedPart> {
  return writePart(job, { kind: "sql", sql: `SELECT ${selectList(columns, [])} WHERE false` });
}

/** Doubles the size of parts after every 32 parts, to limit the number of parts of large tables. */
function partRowsAt(partRows: number, index: number): number {
  return partRows * 2 ** Math.min(Math.floor(index / 32), 6);
}
