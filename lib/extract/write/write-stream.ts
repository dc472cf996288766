import type { RecordBatch, Schema } from "apache-arrow";

import { AgnesError } from "../../base/mod.ts";
import { copyToParquet, parquetFooter } from "../../duckdb/mod.ts";
import type { BatchSource } from "../read/batch-source.ts";
import { samePhysical } from "../read/conform.ts";
import { physicalColumnsOf } from "../schema/column.ts";
import { selectList } from "../schema/select.ts";
import type { TableJob } from "../job/job.ts";
import { finalOf, hashSumOf, stagingPath, WHOLE_READ, type StagedPart } from "./staged.ts";
import type { WriteTarget } from "./write-target.ts";

/** The Arrow bytes after which a part ends whatever its rows, so that wide rows do not make huge parts. */
const PART_SIZE_BYTES_MAX = 192 * 1024 * 1024;

/** A part being written: wait for `taken` to go on reading, for `written` to have it. */
export interface RunningCopy {
  /** Settles when the part has taken all rows it will. */
  readonly taken: Promise<unknown>;
  /** The size of the file in bytes once DuckDB is done with it, 0 if it failed. Syncing the file takes longer. */
  readonly copied: Promise<number>;
  readonly written: Promise<StagedPart>;
}

/** Writes Arrow batches of one layout into one part, until `rowsMax`, another layout, or the end. */
export function startCopy(
  job: TableJob,
  source: BatchSource,
  schema: Schema,
  target: WriteTarget,
  rowsMax: number,
): RunningCopy {
  const { plan, signal } = job;
  const { database, services } = job.run;
  const path = stagingPath(job);
  const withoutNegativeZero = !source.hasNegativeZero;
  const segment = new Segment(source, schema, rowsMax);
  const present = physicalColumnsOf(schema);
  const where = target.condition === null ? "" : ` WHERE ${target.condition}`;
  const copying = copyToParquet(
    database,
    {
      kind: "stream",
      withoutNegativeZero,
      source: { schema, open: () => segment.batches() },
      select: (relation) => `SELECT ${selectList(target.columns, present)} FROM ${relation}${where}`,
    },
    path,
    {
      signal,
      ordered: target.ordered,
      hashed: target.isFinal,
      ...(target.rowHash !== null && { sumOf: target.rowHash }),
    },
  );
  const written = (async (): Promise<StagedPart> => {
    try {
      const copied = await copying;
      const { rows, sizeBytes } = copied;
      const yielded = target.condition === null ? segment.rows : rows;
      const footer = await parquetFooter(path);
      checkCount(plan.name, yielded, rows, "what DuckDB wrote");
      checkCount(plan.name, yielded, footer.rows, "the footer of the part");
      const isWhole = target.condition === null && target.ordered;
      const origins = { partition: null, origin: null, ...(isWhole ? { counted: WHOLE_READ } : {}) };
      return {
        kind: "staged",
        path,
        rows,
        sizeBytes,
        ...origins,
        ...hashSumOf(copied),
        ...(await finalOf(job.run, path, copied)),
      };
    } catch (error) {
      await services.host.files.remove(path).catch(() => {});
      throw error;
    } finally {
      segment.finish();
    }
  })();
  written.catch(() => {});
  const copied = copying.then(
    ({ sizeBytes }) => sizeBytes,
    () => 0,
  );
  return { taken: segment.taken, copied, written };
}

/** @throws `rows_lost` */
export function checkCount(table: string, yielded: number, written: number, where: string): void {
  if (yielded !== written) throw new AgnesError("rows_lost", { table, yielded, written, where });
}

class Segment {
  readonly #source: BatchSource;
  readonly #schema: Schema;
  readonly #rowsMax: number;
  readonly #hadNegativeZero: boolean;
  readonly taken: Promise<void>;
  #finish: () => void = () => {};
  rows = 0;

  constructor(source: BatchSource, schema: Schema, rowsMax: number) {
    this.#source = source;
    this.#schema = schema;
    this.#rowsMax = rowsMax;
    this.#hadNegativeZero = source.hasNegativeZero;
    this.taken = new Promise((resolve) => (this.#finish = resolve));
  }

  async *batches(): AsyncIterable<RecordBatch> {
    let sizeBytes = 0;
    while (this.rows < this.#rowsMax && sizeBytes < PART_SIZE_BYTES_MAX) {
      const piece = await this.#source.peek();
      if (piece?.kind !== "arrow" || !samePhysical(piece.batch.schema, this.#schema)) break;
      // A part that was begun with dictionaries cannot take it; one ends early for that at most.
      if (this.#source.hasNegativeZero !== this.#hadNegativeZero) break;
      this.#source.shift();
      this.rows += piece.batch.numRows;
      sizeBytes += piece.batch.data.byteLength;
      yield piece.batch;
    }
    this.finish();
  }

  finish(): void {
    this.#finish();
  }
}
