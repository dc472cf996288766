import type { RecordBatch } from "apache-arrow";

import type { BatchReader } from "../read/batch-reader.ts";
import { physicalColumnsOf } from "../schema/column.ts";
import { selectList } from "../schema/select.ts";
import type { TableJob } from "../job/job.ts";
import { WHOLE_READ, type StagedPart } from "./staged.ts";
import { writePart } from "./write-part.ts";
import type { WriteTarget } from "./write-target.ts";

/** A part that is being written. Await `taken` before reading on, and `written` for the part. */
export interface RunningCopy {
  /** Resolves when the part has taken all of its rows. */
  readonly taken: Promise<unknown>;
  /** The size of the file in bytes after DuckDB closed it and before it is synced; 0 if it failed. */
  readonly copied: Promise<number>;
  readonly written: Promise<StagedPart>;
}

/** Writes Arrow batches into one part, starting with the next one. */
export function startCopy(
  job: TableJob,
  reader: BatchReader,
  batch: RecordBatch,
  target: WriteTarget,
  rowsMax: number,
): RunningCopy {
  let onTaken = () => {};
  let onCopied: (sizeBytes: number) => void = () => {};
  const taken = new Promise<void>((resolve) => (onTaken = resolve));
  const copied = new Promise<number>((resolve) => (onCopied = resolve));
  const part = reader.partRows(batch, rowsMax);
  const { schema, origin, hasNegativeZero } = part;
  const present = physicalColumnsOf(schema);
  const { ordered } = target;
  const condition = origin === null ? target.condition : target.originCondition;
  const where = condition === null ? "" : ` WHERE ${condition}`;
  const written = writePart(
    job,
    {
      kind: "stream",
      withoutNegativeZero: !hasNegativeZero,
      source: { schema, open: () => part.batches(onTaken) },
      select: (relation) => `SELECT ${selectList(target.columns, present)} FROM ${relation}${where}`,
    },
    {
      ordered,
      target,
      origin,
      counted: condition === null && ordered && origin === null ? WHOLE_READ : undefined,
      ...(condition === null && { yielded: () => part.rows }),
    },
    onCopied,
  ).finally(() => {
    onTaken();
    onCopied(0);
  });
  written.catch(() => {});
  return { taken, copied, written };
}
