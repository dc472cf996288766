import * as duckdb from "@duckdb/node-api";
import native from "@duckdb/node-bindings";
import type * as arrow from "apache-arrow";

import { AgnesError, Mutex } from "../base/mod.ts";
import { createBatchReader, type BatchReader } from "./arrow/from-duckdb.ts";
import { duckdbError } from "./errors.ts";
import { poolGate } from "./gate.ts";
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

/** The answer of a query, row by row as it comes. */
export interface StreamResult {
  readonly schema: arrow.Schema;
  /** The column names, as DuckDB gave them: a name may come twice. */
  readonly names: readonly string[];
  /** To be read once; leaving the loop, or calling the iterator's `return` before it began, stops the query. */
  readonly batches: AsyncIterable<arrow.RecordBatch>;
}

/** What a connection needs of its database. */
export interface ConnectionOwner {
  readonly feeds: Map<number, Feed>;
  readonly closed: (connection: Connection) => void;
  readonly addSource: SourceHolder["addSource"];
}

/** What can let SQL read a source; see `openStream`. */
export interface SourceHolder {
  /** @param threads threads that may take batches at once; with one the rows keep their order */
  addSource(
    source: StreamSource,
    threads: number,
  ): { readonly relation: string; readonly plannedRelation: string; readonly remove: () => void };
}

/**
 * A connection: its statements run one after the other.
 *
 * Every method throws `duckdb_failed`, `duckdb_out_of_memory`, `disk_full`, `file_unreadable`, `aborted`, or what a
 * JavaScript source that the statement reads threw, the very object.
 */
export class Connection implements AsyncDisposable, SourceHolder {
  readonly #native: native.Connection;
  readonly #owner: ConnectionOwner;
  readonly #id: number;
  readonly #statements = new Mutex();
  /** The result that `stream` gave out and that is not read to its end. */
  #streaming: native.Result | null = null;
  #closing: Promise<void> | null = null;
  #limit: AbortSignal | undefined;

  constructor(connection: native.Connection, owner: ConnectionOwner) {
    this.#native = connection;
    this.#owner = owner;
    this.#id = native.client_context_get_connection_id(native.connection_get_client_context(connection));
  }

  /** Statements that are given no signal are interrupted by this one. */
  stopWith(signal: AbortSignal): void {
    this.#limit = signal;
  }

  /** Runs one or several statements. */
  async run(sql: string, options: StatementOptions = {}): Promise<void> {
    await this.#exclusive(sql, () =>
      runStatements(this.#running(), sql, this.#limited(options), async () => {}),
    );
  }

  /**
   * All rows as objects; for small answers. `BIGINT` is a `bigint`, days, times and decimals are DuckDB's text,
   * `BLOB` is a `Uint8Array`, lists are arrays, records are objects.
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

  /** The columns of a query's answer with their DuckDB types, in its order; nothing of it is computed. */
  async describe(
    sql: string,
    options: StatementOptions = {},
  ): Promise<readonly { readonly name: string; readonly type: string }[]> {
    // The rows of a DESCRIBE come in any order when there are more than 2,048.
    return this.#exclusive(sql, () =>
      runStatements(
        this.#running(),
        `SELECT * FROM (${sql}\n) LIMIT 0`,
        this.#limited(options),
        async (result) => {
          const answer = new duckdb.DuckDBResult(result);
          const types = answer.columnTypes();
          return answer.columnNames().map((name, at) => ({ name, type: String(types[at]) }));
        },
      ),
    );
  }

  /**
   * The answer as Arrow batches, produced as they are read. Until they are read to the end or the loop is left, the
   * connection takes no other statement (`duckdb_busy`).
   *
   * @param options.batchRows how many rows a batch has at most, rounded up to whole vectors of 2048. Default 16384.
   */
  async stream(
    sql: string,
    options: StatementOptions & { readonly batchRows?: number } = {},
  ): Promise<StreamResult> {
    const { batchRows = 16_384, ...statement } = this.#limited(options);
    return this.#exclusive(sql, async () => {
      const result = await runStatements(
        this.#running(),
        sql,
        { ...statement, streaming: true },
        async (answer) => answer,
      );
      const reader = createBatchReader(result, batchRows);
      this.#streaming = result;
      return {
        schema: reader.schema,
        names: reader.names,
        batches: this.#batches(sql, statement, result, reader),
      };
    });
  }

  /**
   * Whether a statement can read a source of `addSource`. One that DuckDB binds twice cannot: it reads files as well, or
   * calls a function of the transaction, such as `now()`.
   */
  async canReadSources(sql: string, options: StatementOptions = {}): Promise<boolean> {
    return this.#exclusive(sql, () => canReadSources(this.#running(), sql, this.#limited(options)));
  }

  /** As `Database.addSource`. */
  addSource: SourceHolder["addSource"] = (source, threads) => this.#owner.addSource(source, threads);

  /**
   * Reports now and then how much of what a running statement reads is read, until it is disposed: a share from 0 to 1,
   * each greater than the one before. Nothing is printed.
   *
   * @param everyMs how often DuckDB is asked. Default 50.
   */
  async watchProgress(onShare: (share: number) => void, everyMs: number = 50): Promise<Disposable> {
    await this.run("SET enable_progress_bar = true; SET enable_progress_bar_print = false");
    let reported = 0;
    const timer = setInterval(() => {
      if (this.#closing !== null) return;
      // It is -1 while nothing runs and until DuckDB knows.
      const share = Math.min(1, native.query_progress(this.#native).percentage / 100);
      if (share <= reported) return;
      reported = share;
      onShare(share);
    }, everyMs);
    return { [Symbol.dispose]: () => clearInterval(timer) };
  }

  /** Stops what is running, if anything is. */
  interrupt(): void {
    if (this.#closing === null) native.interrupt(this.#native);
  }

  /** Interrupts what is running, waits for it to stop, and closes. Closing twice is fine. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    native.interrupt(this.#native);
    const again = setInterval(() => native.interrupt(this.#native), 10);
    await this.#statements.idle();
    clearInterval(again);
    await this.#leaveStream();
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
      return work();
    });
  }

  #batches(
    sql: string,
    options: StatementOptions,
    result: native.Result,
    reader: BatchReader,
  ): AsyncIterable<arrow.RecordBatch> {
    const batches = this.#produce(sql, options, result, reader);
    let started = false;
    const iterator = {
      [Symbol.asyncIterator]: () => iterator,
      next: () => {
        started = true;
        return batches.next();
      },
      // A generator that was not begun does not run its `finally`.
      return: async () => {
        if (!started) await this.#leaveStream();
        return batches.return();
      },
    };
    return iterator;
  }

  /** Stops the query that `stream` runs. Its result is read to its end: until then it keeps the database open. */
  async #leaveStream(): Promise<void> {
    const result = this.#streaming;
    this.#streaming = null;
    if (result === null) return;
    const place = poolGate.place("stopping a query");
    await place.take(undefined, { isPatient: true });
    try {
      for (let size = 1; size > 0;) {
        native.interrupt(this.#native);
        const chunk = await native.fetch_chunk(result);
        size = chunk === null ? 0 : native.data_chunk_get_size(chunk);
      }
    } finally {
      place.give();
    }
  }

  async *#produce(
    sql: string,
    options: StatementOptions,
    result: native.Result,
    reader: BatchReader,
  ): AsyncGenerator<arrow.RecordBatch, void, void> {
    let finished = false;
    try {
      while (!finished) {
        const { batch, last } = await this.#fetch(sql, options, result, reader);
        finished = last;
        if (finished) this.#streaming = null;
        if (batch !== null) yield batch;
      }
    } finally {
      await this.#leaveStream();
    }
  }

  /** The next batch; the place on the pool is held for it alone. */
  async #fetch(
    sql: string,
    options: StatementOptions,
    result: native.Result,
    reader: BatchReader,
  ): Promise<{ readonly batch: arrow.RecordBatch | null; readonly last: boolean }> {
    const what = excerpt(sql);
    const { signal } = options;
    const place = poolGate.place(what);
    return this.#statements.run(async () => {
      if (this.#closing !== null) throw closedError(sql);
      await place.take(signal);
      try {
        return await interruptible(this.#native, signal, what, async () => {
          for (;;) {
            const chunk = await native.fetch_chunk(result);
            if (chunk === null || native.data_chunk_get_size(chunk) === 0) {
              // The bindings tell the end and a failure in the same way.
              if (native.result_return_type(result) === native.ResultType.INVALID) {
                throw await failureOf(this.#native, sql, options);
              }
              return { batch: reader.finish(), last: true };
            }
            if (reader.add(chunk)) return { batch: reader.take(), last: false };
          }
        });
      } catch (error) {
        throw duckdbError(error, sql);
      } finally {
        place.give();
      }
    });
  }
}

function closedError(sql: string): AgnesError {
  return new AgnesError("duckdb_failed", {
    operation: excerpt(sql),
    kind: "Connection Error",
    reason: "the connection is closed",
  });
}
