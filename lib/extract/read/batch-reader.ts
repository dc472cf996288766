import type { RecordBatch, Schema } from "apache-arrow";

import { AgnesError, isAgnesError, messageOf, raceAbort, startTimer } from "../../base/mod.ts";
import { hasNegativeZero } from "../../duckdb/mod.ts";
import {
  createRowBuilder,
  isDeletions,
  isFileChunk,
  isRows,
  type Batch,
  type Deletions,
  type FileChunk,
  type ReadResult,
  type RowBuilder,
  type RowReject,
} from "../../kit/mod.ts";
import { batchProblem, unknownKeyNote } from "../../sources/mod.ts";
import type { PublishedColumn } from "../format/extract-state.ts";
import { columnsOf } from "../schema/column.ts";
import { differences, samePhysical } from "./conform.ts";
import { PendingDeletions, type ReadTable } from "./pending-deletions.ts";

/** What comes next of a read: Arrow rows of one layout, a file that DuckDB reads itself, or keys that are gone. */
export type Piece =
  | { readonly kind: "arrow"; readonly batch: RecordBatch }
  | { readonly kind: "file"; readonly chunk: FileChunk; readonly number: number }
  | { readonly kind: "deletions"; readonly keys: readonly RecordBatch[] };

/** What a connector yielded, whatever it says it is. */
export interface Yielded {
  readonly batch: Batch | Deletions;
}

/** What must be known of a read to pull batches from it. */
export interface ReadOptions {
  readonly source: string;
  readonly table: string;
  readonly signal: AbortSignal;
  /** How long the connector may yield nothing. */
  readonly idleTimeoutMs: number;
  /** Is told how many rows were taken, when there are more. */
  readonly onRows: (rows: number) => void;
}

/** What the batches are checked against. */
export interface BatchLayout {
  readonly table: ReadTable;
  readonly primaryKey: readonly string[];
  /** The columns that were asked for. */
  readonly requested: readonly string[];
  readonly batchRows: number;
  /** Takes rows that do not fit; null: the first one fails the read. */
  readonly onReject: ((reject: RowReject) => void) | null;
}

/** Rows of one layout for one part. */
export interface PartRows {
  readonly schema: Schema;
  readonly hasNegativeZero: boolean;
  /** How many were taken so far. */
  readonly rows: number;
  /** Takes them; `onTaken` is called when the part has all it will get. */
  readonly batches: (onTaken: () => void) => AsyncIterable<RecordBatch>;
}

/** The Arrow bytes after which a part ends whatever its rows, so that wide rows do not make huge parts. */
const PART_SIZE_BYTES_MAX = 192 * 1024 * 1024;

/**
 * All there is between the batches that a connector yields and the writer: pulls them one at a time and ends in time even
 * when the connector does not, checks them, builds Arrow batches of row objects, sets rows aside that do not fit, holds
 * deletions back, and counts. The writer looks at the next piece by `peek`, and takes it by `shift` or `partRows`.
 */
export class BatchReader {
  readonly #iterator: AsyncIterator<Batch | Deletions, ReadResult | void>;
  readonly #options: ReadOptions;
  #layout: BatchLayout | null = null;
  #expected: readonly PublishedColumn[] = [];
  #known: readonly PublishedColumn[] = [];
  /** Batches that were pulled to describe the table. */
  #unread: Yielded[] = [];
  readonly #ready: Piece[] = [];
  #builder: RowBuilder | null = null;
  /** How often row objects had each key that is no column. */
  readonly #unknownKeys = new Map<string, number>();
  #deletions: PendingDeletions | null = null;
  #checked: Schema | null = null;
  #restartIdle: () => void = () => {};
  #end: ReadResult = {};
  #isClosed = false;
  #isFlushed = false;
  #batches = 0;
  /** Rows that came, with those set aside; of files none. */
  #given = 0;
  #rows = 0;
  #hasNegativeZero = false;

  constructor(batches: AsyncIterable<Batch | Deletions, ReadResult | void>, options: ReadOptions) {
    this.#iterator = batches[Symbol.asyncIterator]();
    this.#options = options;
  }

  /** Rows of all pieces that were taken, without those set aside. */
  get rows(): number {
    return this.#rows;
  }

  /** What the connector returned after its last batch. */
  get end(): ReadResult {
    return this.#end;
  }

  /** Says what `peek` checks batches against. */
  expect(layout: BatchLayout): void {
    this.#layout = layout;
    this.#expected = columnsOf(layout.table.schema, layout.requested);
    this.#known = columnsOf(layout.table.schema);
  }

  /**
   * The next batch, unchecked; null at the end.
   *
   * @throws `aborted` as soon as the signal fires, `source_stalled` when nothing comes for too long, and what the connector
   *   threw; an error that is none of ours becomes `table_read_failed`
   */
  async pull(): Promise<Yielded | null> {
    const unread = this.#unread.shift();
    if (unread !== undefined) return unread;
    if (this.#isClosed) return null;
    const { source, table, signal, idleTimeoutMs: idleMs } = this.#options;
    const idle = new AbortController();
    let stop = () => {};
    this.#restartIdle = () => {
      stop();
      stop = startTimer(idleMs, () =>
        idle.abort(new AgnesError("source_stalled", { source, table, idleMs })),
      );
    };
    this.#restartIdle();
    try {
      return await raceAbort(raceAbort(this.#next(), idle.signal, "the read"), signal, "the extraction");
    } catch (error) {
      if (isAgnesError(error)) throw error;
      const reason = messageOf(error);
      throw new AgnesError("table_read_failed", { source, table, reason }, { cause: error });
    } finally {
      this.#restartIdle = () => {};
      stop();
    }
  }

  /** Gives back what was pulled, to be pulled again. */
  putBack(batches: readonly Yielded[]): void {
    this.#unread = [...batches, ...this.#unread];
  }

  /** Notes that the connector is at work although it has yielded nothing yet: the idle time starts again. */
  alive(): void {
    this.#restartIdle();
  }

  /** Tells a connector that has not ended to stop, once; does not wait for one that will not. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    // A connector that hangs never settles this either, so nobody waits for it.
    void Promise.resolve(this.#iterator.return?.()).catch(() => {});
  }

  /** The next piece, without taking it; null at the end. */
  async peek(): Promise<Piece | null> {
    while (this.#ready.length === 0 && !this.#isFlushed) {
      const next = await this.pull();
      if (next !== null) this.#take(next.batch);
      else {
        this.#flushRows();
        this.#flushDeletions();
        this.#isFlushed = true;
      }
    }
    return this.#ready[0] ?? null;
  }

  /** Takes the piece that `peek` showed. */
  shift(): void {
    const piece = this.#ready.shift();
    if (piece?.kind !== "arrow") return;
    this.#rows += piece.batch.numRows;
    this.#options.onRows(this.#rows);
  }

  /** Counts the rows of a file, which only DuckDB sees. */
  countFileRows(rows: number): void {
    this.#rows += rows;
  }

  /** The rows of one part, from the Arrow piece on that `peek` showed: until `rowsMax`, another layout, or another kind. */
  partRows({ schema }: RecordBatch, rowsMax: number): PartRows {
    const part = { schema, hasNegativeZero: this.#hasNegativeZero, rows: 0 };
    const batches = async function* (this: BatchReader, onTaken: () => void) {
      let sizeBytes = 0;
      while (part.rows < rowsMax && sizeBytes < PART_SIZE_BYTES_MAX) {
        const piece = await this.peek();
        if (piece?.kind !== "arrow" || !samePhysical(piece.batch.schema, schema)) break;
        // A part that was begun with dictionaries cannot take it; one ends early for that at most.
        if (this.#hasNegativeZero !== part.hasNegativeZero) break;
        this.shift();
        part.rows += piece.batch.numRows;
        sizeBytes += piece.batch.data.byteLength;
        yield piece.batch;
      }
      onTaken();
    };
    return Object.assign(part, { batches: batches.bind(this) });
  }

  /** What the owner should know of keys that are no column: their values are published nowhere. */
  unknownKeyNotes(): readonly string[] {
    const note = unknownKeyNote(this.#unknownKeys);
    return note === null ? [] : [note];
  }

  async #next(): Promise<Yielded | null> {
    try {
      const result = await this.#iterator.next();
      if (result.done !== true) return { batch: result.value };
      this.#end = result.value ?? {};
    } catch (error) {
      this.#isClosed = true;
      throw error;
    }
    this.#isClosed = true;
    return null;
  }

  #take(batch: Batch | Deletions): void {
    this.#batches += 1;
    if (isRows(batch)) {
      this.#builder ??= this.#newBuilder();
      this.#given += batch.length;
      return this.#push(this.#builder.append(batch));
    }
    this.#flushRows();
    const { table, primaryKey } = this.#layout!;
    const reason = batchProblem(batch);
    if (reason !== undefined)
      throw new AgnesError("batch_invalid", { table: table.name, batch: this.#batches, reason });
    if (isDeletions(batch)) {
      this.#deletions ??= new PendingDeletions(table, primaryKey);
      this.#deletions.add(batch);
      if (this.#deletions.isFull) this.#flushDeletions();
    } else if (isFileChunk(batch)) {
      this.#flushDeletions();
      this.#ready.push({ kind: "file", chunk: batch, number: this.#batches });
    } else {
      this.#checkColumns(batch);
      this.#given += batch.numRows;
      this.#push([batch]);
    }
  }

  #push(batches: readonly RecordBatch[]): void {
    for (const batch of batches) {
      if (batch.numRows === 0) continue;
      this.#hasNegativeZero ||= hasNegativeZero(batch);
      if (this.#deletions?.isEmpty === false && this.#deletions.meets(batch)) this.#flushDeletions();
      this.#ready.push({ kind: "arrow", batch });
    }
  }

  #flushDeletions(): void {
    if (this.#deletions === null || this.#deletions.isEmpty) return;
    this.#ready.push({ kind: "deletions", keys: this.#deletions.take() });
  }

  #flushRows(): void {
    if (this.#builder === null) return;
    this.#push(this.#builder.finish());
    for (const [key, count] of this.#builder.unknownKeys) {
      this.#unknownKeys.set(key, (this.#unknownKeys.get(key) ?? 0) + count);
    }
    this.#builder = null;
  }

  #newBuilder(): RowBuilder {
    const { table, requested: columns, batchRows, onReject } = this.#layout!;
    // A builder counts its own rows, and there is another one after each batch of another kind.
    const before = this.#given;
    const rejecting =
      onReject === null
        ? {}
        : { onReject: (reject: RowReject) => onReject({ ...reject, row: before + reject.row }) };
    return createRowBuilder(table, { columns, batchRows, ...rejecting });
  }

  #checkColumns({ schema }: RecordBatch): void {
    if (this.#checked !== null && samePhysical(schema, this.#checked)) return;
    const found = differences(columnsOf(schema), this.#expected, this.#known);
    if (found.length > 0) {
      const table = this.#layout!.table.name;
      throw new AgnesError("batch_schema_mismatch", { table, batch: this.#batches, differences: found });
    }
    this.#checked = schema;
  }
}
