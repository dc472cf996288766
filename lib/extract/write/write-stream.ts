import type { RecordBatch } from "apache-arrow";

import type { BatchReader } from "../read/batch-reader.ts";
import { physicalColumnsOf } from "../schema/column.ts";
import { selectList } from "../schema/select.ts";
import type { TableJob } from "../job/job.ts";
import { WHOLE_READ, type StagedPart } from "./staged.ts";
import { writePart } from "./write-part.ts";
import type { WriteTarget } from "./write-target.ts";

/** A part being written: wait for `taken` to go on reading, for `written` to have it. */
export interface RunningCopy {
  /** Settles when the part has taken all rows it will. */
  readonly taken: Promise<unknown>;
  /** The size of the file in bytes once DuckDB is done with it, 0 if it failed. Syncing the file takes longer. */
  readonly copied: Promise<number>;
  readonly written: Promise<StagedPart>;
}

/** Writes Arrow batches into one part, from the one on that is next. */
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
  const { schema, hasNegativeZero } = part;
  const present = physicalColumnsOf(schema);
  const { ordered, condition } = target;
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
      counted: condition === null && ordered ? WHOLE_READ : undefined,
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
