import * as duckdb from "@duckdb/node-api";
import native from "@duckdb/node-bindings";
import type * as arrow from "apache-arrow";

import { AgnesError, Mutex, throwIfAborted, type Files } from "../base/mod.ts";
import { createBatchReader } from "./arrow/from-duckdb.ts";
import { duckdbError } from "./errors.ts";
import { fillBatch, type Reading } from "./fill-batch.ts";
import { poolGate } from "./gate.ts";
import { KeptStatements } from "./kept-statements.ts";
import { excerpt } from "./sql.ts";
import {
  canReadSources,
  failureOf,
  interruptible,
  runStatements,
  type StatementOptions,
} from "./statement.ts";
import { Feed } from "./stream/feed.ts";
import type { StreamSource } from "./stream/scan.ts";
import { plainValue } from "./values.ts";

/** The result of a query, streamed. */
export interface StreamResult {
  readonly schema: arrow.Schema;
  /** The column names as DuckDB returned them. They may contain duplicates. */
  readonly names: readonly string[];
  /** Can be read once. Leaving the loop or calling `return` of the iterator stops the query. */
  readonly batches: AsyncIterable<arrow.RecordBatch>;
}

/** The services that a connection uses from its database. */
export interface ConnectionOwner {
  readonly files: Files;
  readonly feeds: Map<number, Feed>;
  readonly closed: (connection: Connection) => void;
  readonly addSource: SourceHolder["addSource"];
}

/** Registers JavaScript sources that SQL can read; see `openStream`. */
export interface SourceHolder {
  /** @param threads the number of DuckDB threads that read batches in parallel; 1 keeps the order of rows */
  addSource(
    source: StreamSource,
    threads: number,
  ): { readonly relation: string; readonly plannedRelation: string; readonly remove: () => void };
}

/**
 * A connection, which runs one statement at a time.
 *
 * Each method throws `duckdb_failed`, `duckdb_out_of_memory`, `disk_full`, `file_unreadable`, `aborted`, or the original
 * error of a JavaScript source that the statement reads.
 */
export class Connection implements AsyncDisposable, SourceHolder {
  readonly #native: native.Connection;
  readonly #owner: ConnectionOwner;
  /** The file system of its database; see `OpenOptions.files`. */
  readonly files: Files;
  readonly #id: number;
  readonly #statements = new Mutex();
  /** The result of `stream` that is not read to its end yet. */
  #streaming: native.Result | null = null;
  #closing: Promise<void> | null = null;
  #limit: AbortSignal | undefined;
  readonly #kept = new KeptStatements();
  #isReusable = false;

  constructor(connection: native.Connection, owner: ConnectionOwner) {
    this.#native = connection;
    this.#owner = owner;
    this.files = owner.files;
    this.#id = native.client_context_get_connection_id(native.connection_get_client_context(connection));
  }

  /** Sets the signal that interrupts statements without their own signal. */
  stopWith(signal: AbortSignal): void {
    this.#limit = signal;
  }

  /**
   * Whether only `stream` with `isKept` has run since `markReusable`, each time to its end. Then it has no temporary objects
   * and settings of another caller. The state of `random()` continues.
   */
  get isReusable(): boolean {
    return this.#isReusable && this.#closing === null;
  }

  /** Declares that the connection is in the state in which its next caller expects it; see `isReusable`. */
  markReusable(): void {
    this.#limit = undefined;
    this.#isReusable = true;
  }

  /** Runs one or more statements. */
  async run(sql: string, options: StatementOptions = {}): Promise<void> {
    await this.#exclusive(sql, () =>
      runStatements(this.#running(), sql, this.#limited(options), async () => {}),
    );
  }

  /**
   * Returns all rows as objects, for small results. `BIGINT` is a `bigint`; dates, times and decimals are DuckDB's text;
   * `BLOB` is a `Uint8Array`; lists are arrays; structs are objects.
   */
  async rows<T = Record<string, unknown>>(
    sql: string,
    options: StatementOptions = {},
  ): Promise<readonly T[]> {
    return this.#exclusive(sql, () =>
      runStatements(this.#running(), sql, this.#limited(options), async (result) => {
        const rows = await new duckdb.DuckDBMaterializedResult(result).convertRowObjects(plainValue);
        return rows as T[];
      }),
    );
  }

  /** Returns the columns of a query with their DuckDB types, in order, without running it. */
  async describe(
    sql: string,
    options: StatementOptions = {},
  ): Promise<readonly { readonly name: string; readonly type: string }[]> {
    // DESCRIBE returns more than 2,048 columns in any order.
    return this.#exclusive(sql, () =>
      runStatements(
        this.#running(),
        `SELECT * FROM (${sql}\n) LIMIT 0`,
        this.#limited(options),
        async (result) => {
          const described = new duckdb.DuckDBResult(result);
          const types = described.columnTypes();
          return described.columnNames().map((name, at) => ({ name, type: String(types[at]) }));
        },
      ),
    );
  }

  /**
   * Returns the result as Arrow batches, produced as they are read. Until they are read to the end or the loop is left,
   * the connection rejects other statements with `duckdb_busy`.
   *
   * @param options.batchRows the maximum number of rows of a batch, rounded up to a multiple of 2048; default: 16384
   * @param options.isKept whether the prepared statement is kept for the next time; default: `false`
   */
  async stream(
    sql: string,
    options: StatementOptions & { readonly batchRows?: number; readonly isKept?: boolean } = {},
  ): Promise<StreamResult> {
    const { batchRows = 16_384, isKept = false, ...statement } = this.#limited(options);
    const endsReusable = isKept && this.#isReusable;
    return this.#exclusive(sql, async () => {
      const kept = isKept ? this.#kept : undefined;
      const result = await runStatements(
        this.#running(),
        sql,
        { ...statement, streaming: true, kept },
        async (streamed) => streamed,
      );
      const reader = createBatchReader(result, batchRows);
      this.#streaming = result;
      return {
        schema: reader.schema,
        names: reader.names,
        batches: this.#batches({
          sql,
          options: statement,
          result,
          reader,
          kept: kept?.get(sql),
          rows: 0,
          chunks: 0,
          onEnd: () => (this.#isReusable = endsReusable),
        }),
      };
    });
  }

  /**
   * Returns whether a statement can read a source of `addSource`. Statements that DuckDB binds twice cannot: those that
   * also read files or call a function of the transaction, such as `now()`.
   */
  async canReadSources(sql: string, options: StatementOptions = {}): Promise<boolean> {
    return this.#exclusive(sql, () => canReadSources(this.#running(), sql, this.#limited(options)));
  }

  /** See `Database.addSource`. */
  addSource: SourceHolder["addSource"] = (source, threads) => this.#owner.addSource(source, threads);

  /**
   * Reports the progress of running statements until it is disposed, as an increasing share from 0 to 1. Prints nothing.
   *
   * @param everyMs the polling interval; default: 50
   */
  async watchProgress(onShare: (share: number) => void, everyMs: number = 50): Promise<Disposable> {
    await this.run("SET enable_progress_bar = true; SET enable_progress_bar_print = false");
    let reported = 0;
    const timer = setInterval(() => {
      if (this.#closing !== null) return;
      // The percentage is -1 if it is unknown or nothing is running.
      const share = Math.min(1, native.query_progress(this.#native).percentage / 100);
      if (share <= reported) return;
      reported = share;
      onShare(share);
    }, everyMs);
    return { [Symbol.dispose]: () => clearInterval(timer) };
  }

  /** Interrupts the running statement, if there is one. */
  interrupt(): void {
    if (this.#closing === null) native.interrupt(this.#native);
  }

  /** Interrupts the running statement, waits until it has stopped, and closes. Further calls do nothing. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    native.interrupt(this.#native);
    const interrupting = setInterval(() => native.interrupt(this.#native), 10);
    await this.#statements.idle();
    clearInterval(interrupting);
    await this.#stopStream();
    this.#kept.clear();
    this.#owner.feeds.delete(this.#id);
    native.disconnect_sync(this.#native);
    this.#owner.closed(this);
  }

  #limited<T extends StatementOptions>(options: T): T {
    return this.#limit === undefined ? options : { signal: this.#limit, ...options };
  }

  #running() {
    return {
      connection: this.#native,
      newFeed: () => {
        const feed = new Feed();
        this.#owner.feeds.set(this.#id, feed);
        return feed;
      },
    };
  }

  #exclusive<T>(sql: string, work: () => Promise<T>): Promise<T> {
    return this.#statements.run(async () => {
      if (this.#closing !== null) throw closedError(sql);
      if (this.#streaming !== null) throw new AgnesError("duckdb_busy", { operation: excerpt(sql) });
      this.#isReusable = false;
      return work();
    });
  }

  #batches(reading: Reading): AsyncIterable<arrow.RecordBatch> {
    const batches = this.#produce(reading);
    let started = false;
    const iterator = {
      [Symbol.asyncIterator]: () => iterator,
      next: () => {
        started = true;
        return batches.next();
      },
      // A generator that has not started does not run its `finally`.
      return: async () => {
        if (!started) await this.#stopStream();
        return batches.return();
      },
    };
    return iterator;
  }

  /** Stops the query of `stream`. Reads its result to the end, because an unread result keeps the database open. */
  async #stopStream(): Promise<void> {
    const result = this.#streaming;
    this.#streaming = null;
    if (result === null || !native.result_is_streaming(result)) return;
    const place = poolGate.place("stopping a query");
    await place.acquire(undefined, { waitsAlways: true });
    try {
      for (let size = 1; size > 0;) {
        native.interrupt(this.#native);
        const chunk = await native.fetch_chunk(result);
        size = chunk === null ? 0 : native.data_chunk_get_size(chunk);
      }
    } finally {
      place.release();
    }
  }

  async *#produce(reading: Reading): AsyncGenerator<arrow.RecordBatch, void, void> {
    const isWhole = reading.kept !== undefined && !native.result_is_streaming(reading.result);
    let finished = false;
    try {
      while (!finished) {
        const { batch, last } = await (isWhole ? this.#take(reading) : this.#fetch(reading));
        finished = last;
        if (finished) {
          this.#streaming = null;
          reading.kept?.end(reading.rows);
          reading.onEnd();
        }
        if (batch !== null) yield batch;
      }
    } finally {
      await this.#stopStream();
    }
  }

  /** Returns the next batch of a materialized result, which needs no thread of the pool. */
  async #take(reading: Reading): Promise<Fetched> {
    const { sql, options, result, reader } = reading;
    if (this.#closing !== null) throw closedError(sql);
    throwIfAborted(options.signal, excerpt(sql));
    const count = native.result_chunk_count(result);
    while (reading.chunks < count) {
      const chunk = native.result_get_chunk(result, reading.chunks);
      reading.chunks += 1;
      reading.rows += native.data_chunk_get_size(chunk);
      const isLast = reader.isFullWith(chunk);
      reader.add(chunk);
      if (isLast) return { batch: reader.take(), last: false };
    }
    return { batch: reader.finish(), last: true };
  }

  /** Returns the next batch. Holds a place in the pool only for this batch. */
  async #fetch(reading: Reading): Promise<Fetched> {
    const { sql, options, result, reader, kept } = reading;
    const what = excerpt(sql);
    const { signal } = options;
    const place = poolGate.place(what);
    return this.#statements.run(async () => {
      if (this.#closing !== null) throw closedError(sql);
      await place.acquire(signal, { isQuick: kept?.isQuick === true });
      try {
        return await interruptible(this.#native, signal, what, async () => {
          if (await fillBatch(reading)) return { batch: reader.take(), last: false };
          // The bindings report the end and a failure in the same form.
          if (native.result_return_type(result) === native.ResultType.INVALID)
            throw await failureOf(this.#native, sql, options);
          return { batch: reader.finish(), last: true };
        });
      } catch (error) {
        throw duckdbError(error, sql);
      } finally {
        place.release();
      }
    });
  }
}

interface Fetched {
  readonly batch: arrow.RecordBatch | null;
  readonly last: boolean;
}

function closedError(sql: string): AgnesError {
  return new AgnesError("duckdb_failed", {
    operation: excerpt(sql),
    kind: "Connection Error",
    reason: "the connection is closed",
  });
}
