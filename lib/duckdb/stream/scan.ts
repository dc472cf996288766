import type { RecordBatch, Schema } from "apache-arrow";

import { AgnesError, atMost } from "../../base/mod.ts";
import { checkColumns, type BatchColumns } from "./batch-columns.ts";

/** A JavaScript source of Arrow batches that SQL can read. */
export interface StreamSource {
  /** All columns of the source. */
  readonly schema: Schema;
  /**
   * Starts reading. Batches contain at least the requested columns, by name, with the types of `schema`.
   * If the query ends first, `return` of the iterator is called.
   */
  open(columns: readonly string[], signal: AbortSignal): AsyncIterable<RecordBatch>;
  /** The expected number of rows, for DuckDB's planner. */
  readonly rows?: number;
  /** The maximum number of queued batches. Default: 4. */
  readonly queue?: number;
}

/** The next step of a scan: rows of a batch, no rows yet, the end, or a failure. */
export type Step =
  | { readonly kind: "rows"; readonly columns: BatchColumns; readonly from: number; readonly count: number }
  | { readonly kind: "idle"; readonly waitMs: number }
  | { readonly kind: "end" }
  | { readonly kind: "failed"; readonly message: string };

const DEFAULT_QUEUE = 4;
/** The timeout for stopping a source. */
const CLOSE_GRACE_MS = 1_000;

/** One scan of a source by a query: an asynchronous producer, a bounded queue and a synchronous consumer. */
export class Scan {
  readonly #source: StreamSource;
  readonly #columns: readonly string[];
  readonly #stop = new AbortController();
  readonly #queue: BatchColumns[] = [];
  readonly #pumping: Promise<void>;
  #wake: (() => void) | null = null;
  #current: BatchColumns | null = null;
  #position = 0;
  #idleMs = 0;
  #drained = false;
  #closed = false;
  #failure: { readonly error: unknown } | null = null;
  /** The number of rows that DuckDB has read. */
  rowsTaken = 0;
  /** Whether the end was reported to DuckDB. */
  ended = false;

  constructor(source: StreamSource, columns: readonly string[], onChange: () => void) {
    this.#source = source;
    this.#columns = columns;
    this.#pumping = this.#pump().finally(onChange);
  }

  /** The error of the source. */
  get failure(): { readonly error: unknown } | null {
    return this.#failure;
  }

  /** Returns the next rows, at most `rowsMax`. */
  next(rowsMax: number): Step {
    // Rows before a failure are returned first, because a LIMIT may need no more.
    if (this.#current === null && !this.#advance()) return this.#emptyStep();
    this.#idleMs = 0;
    const columns = this.#current!;
    const from = this.#position;
    const count = Math.min(rowsMax, columns.rows - from);
    this.#position += count;
    this.rowsTaken += count;
    if (this.#position >= columns.rows) this.#current = null;
    return { kind: "rows", columns, from, count };
  }

  /** Fails the scan with an error of the consumer. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#stop.abort(error);
    this.#queue.length = 0;
    this.#current = null;
    this.#wake?.();
  }

  /** Stops the source and resolves when it has stopped, or after a timeout. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#stop.abort(new AgnesError("aborted", { what: "reading the source" }));
    this.#queue.length = 0;
    this.#wake?.();
    await atMost(this.#pumping, CLOSE_GRACE_MS);
  }

  #advance(): boolean {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      this.#wake?.();
      if (next.rows === 0) continue;
      this.#current = next;
      this.#position = 0;
      return true;
    }
    return false;
  }

  #emptyStep(): Step {
    if (this.#failure !== null) return { kind: "failed", message: "the source failed" };
    // Reporting the end to a query that is being stopped would make it return incomplete data without an error.
    if (this.#closed) return { kind: "failed", message: "the source was stopped" };
    if (this.#drained) {
      this.ended = true;
      return { kind: "end" };
    }
    this.#idleMs = this.#idleMs === 0 ? 1 : this.#idleMs * 2;
    return { kind: "idle", waitMs: this.#idleMs };
  }

  async #pump(): Promise<void> {
    const limit = Math.max(1, this.#source.queue ?? DEFAULT_QUEUE);
    try {
      const check = checkColumns(this.#source.schema, this.#columns);
      for await (const batch of this.#source.open(this.#columns, this.#stop.signal)) {
        if (this.#stop.signal.aborted) break;
        this.#queue.push(check(batch));
        while (this.#queue.length >= limit && !this.#stop.signal.aborted) {
          await new Promise<void>((resolve) => (this.#wake = resolve));
        }
        if (this.#stop.signal.aborted) break;
      }
      this.#drained = true;
    } catch (error) {
      if (!this.#closed) this.#failure ??= { error };
    }
  }
}
