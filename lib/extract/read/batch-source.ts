import type { RecordBatch, Schema } from "apache-arrow";

import { AgnesError } from "../../base/mod.ts";
import { hasNegativeZero } from "../../duckdb/mod.ts";
import {
  createRowBuilder,
  isDeletions,
  isFileChunk,
  isRows,
  type Batch,
  type Deletions,
  type FileChunk,
  type RowBuilder,
  type RowReject,
} from "../../kit/mod.ts";
import { batchProblem, unknownKeyNote } from "../../sources/mod.ts";
import type { PublishedColumn } from "../format/extract-state.ts";
import { columnsOf } from "../schema/column.ts";
import { differences, samePhysical } from "./conform.ts";
import { PendingDeletions, type ReadTable } from "./pending-deletions.ts";
import type { Tap } from "./tap.ts";

/** What comes next of a read: Arrow rows of one layout, a file that DuckDB reads itself, or keys that are gone. */
export type Piece =
  | { readonly kind: "arrow"; readonly batch: RecordBatch }
  | { readonly kind: "file"; readonly chunk: FileChunk; readonly number: number }
  | { readonly kind: "deletions"; readonly keys: readonly RecordBatch[] };

/** Options of a `BatchSource`. */
export interface BatchSourceOptions {
  readonly table: ReadTable;
  readonly primaryKey: readonly string[];
  /** The columns that were asked for. */
  readonly requested: readonly string[];
  readonly batchRows: number;
  /** Takes rows that do not fit; without it the first one fails the read. */
  readonly onReject?: (reject: RowReject) => void;
  readonly onRows: (rows: number) => void;
}

/** Turns what a connector yields into checked pieces, with a look ahead of one. */
export class BatchSource {
  readonly #tap: Tap;
  readonly #options: BatchSourceOptions;
  readonly #expected: readonly PublishedColumn[];
  readonly #known: readonly PublishedColumn[];
  readonly #ready: Piece[] = [];
  #builder: RowBuilder | null = null;
  /** How often row objects had each key that is no column. */
  readonly #unknownKeys = new Map<string, number>();
  #deletions: PendingDeletions | null = null;
  #checked: Schema | null = null;
  #ended = false;
  #batches = 0;
  /** Rows that came, with those set aside; of files none. */
  #given = 0;
  /** Rows that came as Arrow or as objects, without those set aside. */
  rows = 0;
  rejected = 0;
  /** Whether a batch that came, taken or not, holds a floating point −0.0; see `copyToParquet`. */
  hasNegativeZero = false;

  constructor(tap: Tap, options: BatchSourceOptions) {
    this.#tap = tap;
    this.#options = options;
    this.#expected = columnsOf(options.table.schema, options.requested);
    this.#known = columnsOf(options.table.schema);
  }

  /** The next piece, without taking it; null at the end. */
  async peek(): Promise<Piece | null> {
    while (this.#ready.length === 0 && !this.#ended) {
      const next = await this.#tap.next();
      if (next === null) {
        this.#flushRows();
        this.#flushDeletions();
        this.#ended = true;
      } else {
        this.#batches += 1;
        this.#take(next.batch);
      }
    }
    return this.#ready[0] ?? null;
  }

  /** Takes the piece that `peek` showed. */
  shift(): void {
    const piece = this.#ready.shift();
    if (piece?.kind !== "arrow") return;
    this.rows += piece.batch.numRows;
    this.#options.onRows(piece.batch.numRows);
  }

  /** What the owner should know of keys that are no column: their values are published nowhere. */
  unknownKeyNotes(): readonly string[] {
    const note = unknownKeyNote(this.#unknownKeys);
    return note === null ? [] : [note];
  }

  #take(batch: Batch | Deletions): void {
    if (isRows(batch)) {
      this.#builder ??= this.#newBuilder();
      this.#given += batch.length;
      this.#push(this.#builder.append(batch));
      return;
    }
    this.#flushRows();
    const problem = batchProblem(batch);
    if (problem !== undefined) throw this.#invalid(problem);
    if (isDeletions(batch)) {
      this.#deletions ??= new PendingDeletions(this.#options.table, this.#options.primaryKey);
      this.#deletions.add(batch);
      if (this.#deletions.isFull) this.#flushDeletions();
      return;
    }
    if (isFileChunk(batch)) {
      this.#flushDeletions();
      this.#ready.push({ kind: "file", chunk: batch, number: this.#batches });
      return;
    }
    this.#check(batch);
    this.#given += batch.numRows;
    this.#push([batch]);
  }

  #push(batches: readonly RecordBatch[]): void {
    for (const batch of batches) {
      if (batch.numRows === 0) continue;
      this.hasNegativeZero ||= hasNegativeZero(batch);
      if (this.#deletions?.isEmpty === false && this.#deletions.meets(batch)) this.#flushDeletions();
      this.#ready.push({ kind: "arrow", batch });
    }
  }

  #flushDeletions(): void {
    if (this.#deletions === null || this.#deletions.isEmpty) return;
    this.#ready.push({ kind: "deletions", keys: this.#deletions.take() });
  }

  #check({ schema }: RecordBatch): void {
    if (this.#checked !== null && samePhysical(schema, this.#checked)) return;
    const found = differences(columnsOf(schema), this.#expected, this.#known);
    if (found.length > 0) {
      throw new AgnesError("batch_schema_mismatch", {
        table: this.#options.table.name,
        batch: this.#batches,
        differences: found,
      });
    }
    this.#checked = schema;
  }

  #newBuilder(): RowBuilder {
    const { table, requested, batchRows, onReject } = this.#options;
    // A builder counts its own rows, and there is another one after each batch of another kind.
    const before = this.#given;
    return createRowBuilder(table, {
      columns: requested,
      batchRows,
      ...(onReject === undefined
        ? {}
        : {
            onReject: (reject: RowReject) => {
              this.rejected += 1;
              onReject({ ...reject, row: before + reject.row });
            },
          }),
    });
  }

  #flushRows(): void {
    if (this.#builder === null) return;
    this.#push(this.#builder.finish());
    for (const [key, count] of this.#builder.unknownKeys) {
      this.#unknownKeys.set(key, (this.#unknownKeys.get(key) ?? 0) + count);
    }
    this.#builder = null;
  }

  #invalid(reason: string): AgnesError {
    return new AgnesError("batch_invalid", { table: this.#options.table.name, batch: this.#batches, reason });
  }
}
