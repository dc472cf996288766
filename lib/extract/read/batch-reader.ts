import type { RecordBatch, Schema } from "apache-arrow";

import { AgnesError, isAgnesError, messageOf, raceAbort, startTimer } from "../../base/mod.ts";
import { hasNegativeZero } from "../../duckdb/mod.ts";
import {
  createRowBuilder,
  isDeletions,
  isFileChunk,
  isRows,
  originOf,
  type Batch,
  type Deletions,
  type FileChunk,
  type ReadResult,
  type RowBuilder,
  type RowBuilderOptions,
  type RowReject,
} from "../../kit/mod.ts";
import { batchProblem, unknownKeyNote } from "../../sources/mod.ts";
import type { PublishedColumn } from "../format/extract-state.ts";
import { columnsOf } from "../schema/column.ts";
import { differences, samePhysical } from "./schema-match.ts";
import { PendingDeletions, type ReadTable } from "./pending-deletions.ts";

/** The next piece of a read: Arrow rows of one layout, a file that DuckDB reads, or deleted keys. */
export type Piece =
  | { readonly kind: "arrow"; readonly batch: RecordBatch }
  | { readonly kind: "file"; readonly chunk: FileChunk; readonly number: number }
  | { readonly kind: "deletions"; readonly keys: readonly RecordBatch[] };

/** An unchecked value that a connector yielded. */
export interface Yielded {
  readonly batch: Batch | Deletions;
}

/** Options for pulling batches from a read. */
export interface ReadOptions {
  readonly source: string;
  readonly table: string;
  readonly signal: AbortSignal;
  /** Maximum time without data from the connector. */
  readonly idleTimeoutMs: number;
  /** Receives the total number of rows taken when it grows. */
  readonly onRows: (rows: number) => void;
  /** Called when the connector yields, also rows too few to be taken yet. Default: does nothing. */
  readonly onYield?: () => void;
}

/** The expected layout of the batches. */
export interface BatchLayout {
  readonly table: ReadTable;
  readonly primaryKey: readonly string[];
  /** The requested columns. */
  readonly requested: readonly string[];
  readonly batchRows: number;
  /** Receives invalid rows; null: the first one fails the read. */
  readonly onReject: ((reject: RowReject) => void) | null;
  /** See `RowBuilderOptions`. */
  readonly invalidAsNull?: RowBuilderOptions["invalidAsNull"];
}

/** Rows of one layout for one part. */
export interface PartRows {
  readonly schema: Schema;
  /** See `withOrigin` of the kit. */
  readonly origin: string | null;
  readonly hasNegativeZero: boolean;
  /** Number of rows taken so far. */
  readonly rows: number;
  /** Takes the rows. Calls `onTaken` when the part is complete. */
  readonly batches: (onTaken: () => void) => AsyncIterable<RecordBatch>;
}

/** Maximum size of the Arrow data in a part, to limit parts with wide rows. */
const PART_SIZE_BYTES_MAX = 192 * 1024 * 1024;

/**
 * Reads the batches of a connector for the writer.
 *
 * Pulls one batch at a time with an idle timeout, checks it, builds Arrow batches from row objects, rejects invalid
 * rows, delays deletions and counts rows. The writer inspects the next piece with `peek` and takes it with `shift` or
 * `partRows`.
 */
export class BatchReader {
  readonly #iterator: AsyncIterator<Batch | Deletions, ReadResult | void>;
  readonly #options: ReadOptions;
  #layout: BatchLayout | null = null;
  #expected: readonly PublishedColumn[] = [];
  #known: readonly PublishedColumn[] = [];
  /** Batches that were put back. */
  #unread: Yielded[] = [];
  readonly #ready: Piece[] = [];
  #builder: RowBuilder | null = null;
  /** Number of occurrences of each key that is not a column. */
  readonly #unknownKeys = new Map<string, number>();
  #deletions: PendingDeletions | null = null;
  #checked: Schema | null = null;
  #restartIdle: () => void = () => {};
  #end: ReadResult = {};
  #isClosed = false;
  #isFlushed = false;
  #batches = 0;
  /** Rows yielded, including rejected ones but not those in files. */
  #yieldedRows = 0;
  #rows = 0;
  #hasNegativeZero = false;

  constructor(batches: AsyncIterable<Batch | Deletions, ReadResult | void>, options: ReadOptions) {
    this.#iterator = batches[Symbol.asyncIterator]();
    this.#options = options;
  }

  /** Rows of all pieces taken, without rejected ones. */
  get rows(): number {
    return this.#rows;
  }

  /** The result that the connector returned after its last batch. */
  get end(): ReadResult {
    return this.#end;
  }

  /** Sets the layout that `peek` checks batches against. */
  expect(layout: BatchLayout): void {
    this.#layout = layout;
    this.#expected = columnsOf(layout.table.schema, layout.requested);
    this.#known = columnsOf(layout.table.schema);
  }

  /**
   * Returns the next batch without checking it; null at the end.
   *
   * @throws `aborted` as soon as the signal fires; `source_stalled` after the idle timeout; AgnesErrors of the
   *   connector; `table_read_failed` for all its other errors
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
      const yielded = raceAbort(this.#next(), idle.signal, "the read");
      const pulled = await raceAbort(yielded, signal, "the extraction");
      this.#options.onYield?.();
      return pulled;
    } catch (error) {
      if (isAgnesError(error)) throw error;
      const reason = messageOf(error);
      throw new AgnesError("table_read_failed", { source, table, reason }, { cause: error });
    } finally {
      this.#restartIdle = () => {};
      stop();
    }
  }

  /** Returns pulled batches to the front of the queue. */
  putBack(batches: readonly Yielded[]): void {
    this.#unread = [...batches, ...this.#unread];
  }

  /** Restarts the idle timeout when the connector reports progress. */
  alive(): void {
    this.#restartIdle();
  }

  /** Stops a connector that has not ended, without waiting for it. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    // Not awaited, because it never settles if the connector hangs.
    void Promise.resolve(this.#iterator.return?.()).catch(() => {});
  }

  /** Returns the next piece without taking it; null at the end. */
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

  /** Takes the piece that `peek` returned. */
  shift(): void {
    const piece = this.#ready.shift();
    if (piece?.kind !== "arrow") return;
    this.#rows += piece.batch.numRows;
    this.#options.onRows(this.#rows);
  }

  /** Reads the source to its end without checking further batches. Returns whether deletions are among them. */
  async drain(): Promise<boolean> {
    let hasDeletions =
      this.#deletions?.isEmpty === false || this.#ready.some(({ kind }) => kind === "deletions");
    for (let next = await this.pull(); next !== null; next = await this.pull()) {
      hasDeletions ||= isDeletions(next.batch);
    }
    return hasDeletions;
  }

  /** Adds the rows of a file, which DuckDB counts. */
  countFileRows(rows: number): void {
    this.#rows += rows;
  }

  /**
   * The rows of one part, starting with the Arrow piece that `peek` returned, up to `rowsMax` or a piece of another
   * layout, origin or kind.
   */
  partRows({ schema }: RecordBatch, rowsMax: number): PartRows {
    const origin = originOf({ schema });
    const part = { schema, origin, hasNegativeZero: this.#hasNegativeZero, rows: 0 };
    const batches = async function* (this: BatchReader, onTaken: () => void) {
      let sizeBytes = 0;
      while (part.rows < rowsMax && sizeBytes < PART_SIZE_BYTES_MAX) {
        const piece = await this.peek();
        if (piece?.kind !== "arrow" || !samePhysical(piece.batch.schema, schema)) break;
        if (originOf(piece.batch) !== origin) break;
        // Dictionaries cannot store -0.0, so a part with dictionaries ends before the first one.
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

  /** Notes for the owner about keys that are not columns, because their values are not published. */
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
      this.#yieldedRows += batch.length;
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
      this.#yieldedRows += batch.numRows;
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
    const { table, requested: columns, batchRows, onReject, invalidAsNull } = this.#layout!;
    // Each builder counts rows from zero, and a batch of another kind starts a new builder.
    const before = this.#yieldedRows;
    const rejecting =
      onReject === null
        ? {}
        : { onReject: (reject: RowReject) => onReject({ ...reject, row: before + reject.row }) };
    const nulling = invalidAsNull === undefined ? {} : { invalidAsNull };
    return createRowBuilder(table, { columns, batchRows, ...rejecting, ...nulling });
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
