import native from "@duckdb/node-bindings";

import { abortError, AgnesError, messageOf, onAbort, throwIfAborted } from "../base/mod.ts";
import { duckdbError } from "./errors.ts";
import { poolGate, type Place } from "./gate.ts";
import { excerpt } from "./sql.ts";
import type { KeptStatements } from "./kept-statements.ts";
import type { Feed } from "./stream/feed.ts";
import { bindParameters, hasParameters, type SqlParameters } from "./values.ts";

/** Options for running a statement. */
export interface StatementOptions {
  /** Values for `$1`, `$2` … or `?` as a list, or for `$name` by name. With several statements, they apply to the last. */
  readonly parameters?: SqlParameters;
  /** Interrupts the statement, which then fails with `aborted` or the `AgnesError` of the signal. */
  readonly signal?: AbortSignal;
  /** Whether it may wait for a remote system, so that it soon leaves its place to others. Default: `false`. */
  readonly mayWait?: boolean;
  /**
   * Whether only DuckDB's own threads run the statement. A thread of the pool would help them, but spins while it finds no
   * work. Only for long statements that call no JavaScript and whose rows are few. Default: `false`.
   */
  readonly inBackground?: boolean;
}

/** After this time, a statement that may wait leaves its place. */
const WAIT_MS = 200;

/** The interval of repeated interrupts, because DuckDB ignores one immediately before a statement starts. */
const INTERRUPT_EVERY_MS = 10;

/** A DuckDB connection and its running statement, at most one at a time. */
export interface Running {
  readonly connection: native.Connection;
  /** Creates the feed for the sources of the next prepared statement; see `registerScanFunction`. */
  readonly newFeed: () => Feed;
}

/** How the last statement of an SQL text runs. */
interface RunOptions extends StatementOptions {
  /** Whether rows are fetched while the query runs instead of materialized. */
  readonly streaming?: boolean;
  /** Keeps the statement for its next run, if it is the only one, streams, and has no parameters. Default: it is not kept. */
  readonly kept?: KeptStatements | undefined;
}

/** Runs all statements of `sql` on a place of the pool, and passes the result of the last one to `use`. */
export async function runStatements<T>(
  running: Running,
  sql: string,
  options: RunOptions,
  use: (result: native.Result) => Promise<T>,
): Promise<T> {
  const what = excerpt(sql);
  const { signal } = options;
  throwIfAborted(signal, what);
  const place = poolGate.place(what);
  const kept = options.kept?.get(sql);
  await place.acquire(signal, { isQuick: kept?.isQuick === true });
  const { connection } = running;
  const timer = options.mayWait === true ? setTimeout(() => place.suspend(), WAIT_MS) : undefined;
  try {
    return await interruptible(connection, signal, what, async () => {
      if (kept !== undefined) return use(await kept.run());
      const { extracted_statements: statements, statement_count: count } = await native.extract_statements(
        connection,
        sql,
      );
      if (count === 0)
        throw new Error(native.extract_statements_error(statements) || "the SQL contains no statement");
      for (let index = 0; index < count - 1; index++) {
        await runOne(running, { sql, statements, index, isAlone: false }, place, {}, async () => {});
      }
      return runOne(
        running,
        { sql, statements, index: count - 1, isAlone: count === 1 },
        place,
        options,
        use,
      );
    });
  } catch (error) {
    if (error instanceof SourceFailure) throw error.cause;
    throw duckdbError(error, sql);
  } finally {
    clearTimeout(timer);
    place.release();
  }
}

/** One statement of an SQL text. DuckDB can prepare an extracted statement only once. */
interface Extracted {
  readonly sql: string;
  readonly statements: native.ExtractedStatements;
  readonly index: number;
  readonly isAlone: boolean;
}

async function runOne<T>(
  running: Running,
  { sql, statements, index, isAlone }: Extracted,
  place: Place,
  options: RunOptions,
  use: (result: native.Result) => Promise<T>,
): Promise<T> {
  const { connection } = running;
  const feed = running.newFeed();
  const prepared = await native.prepare_extracted_statement(connection, statements, index);
  let isKept = false;
  try {
    // EXPLAIN reads no rows, so it may be bound twice.
    const isExplain = native.prepared_statement_type(prepared) === native.StatementType.EXPLAIN;
    if (feed.bound === 0 || isExplain) {
      if (options.parameters !== undefined) bindParameters(prepared, options.parameters);
      if (options.inBackground === true && !isExplain) return await use(await runInBackground(prepared));
      if (options.streaming !== true) return await use(await native.execute_prepared(prepared));
      const result = await native.execute_prepared_streaming(prepared);
      isKept = options.kept !== undefined && isAlone && options.parameters === undefined;
      if (isKept) options.kept!.add(sql, prepared);
      return await use(result);
    }
  } finally {
    if (!isKept) native.destroy_prepare_sync(prepared);
    await feed.close();
  }
  if (hasParameters(options.parameters)) {
    const reason = "a statement that reads a live source takes no parameters; use literals";
    throw new AgnesError("invalid_input", { what: "the list of parameters", reason });
  }
  if (!isAlone) {
    const reason = "a statement that reads a live source must be the only one";
    throw new AgnesError("invalid_input", { what: "the list of statements", reason });
  }
  return inTransaction(connection, place, async () => {
    await refuseRebinding(running, sql);
    const fed = running.newFeed();
    const extracted = await native.extract_statements(connection, sql);
    const reprepared = await native.prepare_extracted_statement(
      connection,
      extracted.extracted_statements,
      index,
    );
    try {
      return await use(await runFed(connection, reprepared, fed, place, options.signal));
    } finally {
      native.destroy_prepare_sync(reprepared);
    }
  });
}

/**
 * Rejects a statement that DuckDB would bind again during execution. `runFed` starts statements on the JavaScript thread,
 * which binds sources, so the event loop would deadlock.
 *
 * @throws `internal`
 */
async function refuseRebinding(running: Running, sql: string): Promise<void> {
  if (!(await bindsAgain(running, sql))) return;
  const what = `${excerpt(sql)} reads a live source beside what DuckDB binds twice; its rows must be put into a table first`;
  throw new AgnesError("internal", { what });
}

/**
 * Returns whether DuckDB binds a statement again during execution, because it reads files or attached databases of other
 * types, or calls a function of the transaction, such as `now()` or `current_schema()`.
 *
 * Tests this with `EXPLAIN`, which behaves the same and runs on the pool, where binding twice is safe.
 */
async function bindsAgain({ connection, newFeed }: Running, sql: string): Promise<boolean> {
  const feed = newFeed();
  const prepared = await native.prepare(connection, `EXPLAIN ${sql}`);
  try {
    const once = feed.bound;
    await native.execute_prepared(prepared);
    return feed.bound !== once;
  } finally {
    native.destroy_prepare_sync(prepared);
  }
}

/** Returns whether a statement that reads a JavaScript source can run; `false` if DuckDB would bind it twice. */
export async function canReadSources(
  running: Running,
  sql: string,
  { signal }: StatementOptions,
): Promise<boolean> {
  const what = excerpt(sql);
  throwIfAborted(signal, what);
  const place = poolGate.place(what);
  await place.acquire(signal);
  try {
    return !(await interruptible(running.connection, signal, what, () => bindsAgain(running, sql)));
  } catch (error) {
    throw duckdbError(error, sql);
  } finally {
    place.release();
  }
}

/**
 * Runs `work` in the current transaction or a new one, so that the catalog does not change after the statement was
 * prepared.
 *
 * DuckDB binds a prepared statement again if the catalog has changed, which would block the thread that binds sources.
 */
async function inTransaction<T>(
  connection: native.Connection,
  place: Place,
  work: () => Promise<T>,
): Promise<T> {
  const own = await native.query(connection, "BEGIN TRANSACTION").then(
    () => true,
    (error: unknown) => {
      if (/within a transaction/.test(messageOf(error))) return false;
      throw error;
    },
  );
  if (!own) return work();
  try {
    const value = await work();
    await native.query(connection, "COMMIT");
    return value;
  } catch (error) {
    await place.acquire(undefined, { waitsAlways: true });
    await rollBack(connection);
    throw error;
  }
}

/** Rolls back a transaction, even while the connection is being interrupted. */
async function rollBack(connection: native.Connection): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      await native.query(connection, "ROLLBACK");
      return;
    } catch (error) {
      if (!/interrupt/i.test(messageOf(error))) return;
    }
  }
}

/** Carries the error of a source past the conversion of DuckDB's own errors. */
class SourceFailure extends Error {
  constructor(error: unknown) {
    super("the source failed", { cause: error });
  }
}

/** Statements on DuckDB's own threads. A statement that is garbage collected while it runs never ends. */
const unfinished = new Set<readonly unknown[]>();

/**
 * Runs a statement that reads JavaScript sources, without holding a thread of the pool while it waits for them.
 *
 * DuckDB's own threads do the work. A thread of the pool is needed only at the end, after all sources are read.
 */
async function runFed(
  connection: native.Connection,
  prepared: native.PreparedStatement,
  feed: Feed,
  place: Place,
  signal: AbortSignal | undefined,
): Promise<native.Result> {
  place.release();
  const stop = () => {
    feed.notify();
    void feed.close();
  };
  signal?.addEventListener("abort", stop, { once: true });
  feed.running = true;
  const pending = native.pending_prepared(prepared);
  const references = [connection, prepared, pending] as const;
  unfinished.add(references);
  try {
    await untilSettled(pending, feed, signal);
    await place.acquire();
    return await native.execute_pending(pending);
  } catch (error) {
    const failure = signal?.aborted === true ? null : feed.failure;
    throw failure === null ? error : new SourceFailure(failure.error);
  } finally {
    unfinished.delete(references);
    feed.running = false;
    signal?.removeEventListener("abort", stop);
    await feed.close();
  }
}

/** Runs a statement on DuckDB's own threads; a thread of the pool is needed only at the end. */
async function runInBackground(prepared: native.PreparedStatement): Promise<native.Result> {
  const pending = native.pending_prepared(prepared);
  const references = [prepared, pending] as const;
  unfinished.add(references);
  try {
    for (let delayMs = 1; !isSettled(pending); delayMs = Math.min(BACKGROUND_POLL_MS_MAX, delayMs * 2))
      await new Promise((resolve) => setTimeout(resolve, delayMs));
    return await native.execute_pending(pending);
  } finally {
    unfinished.delete(references);
  }
}

/** Whether a statement has finished or failed. */
function isSettled(pending: native.PendingResult): boolean {
  const state = native.pending_execute_check_state(pending);
  return state === native.PendingState.RESULT_READY || state === native.PendingState.ERROR;
}

/** A statement that only DuckDB's threads run ends unnoticed for at most this time. */
const BACKGROUND_POLL_MS_MAX = 4;
const POLL_MS_MAX = 16;
/** How long DuckDB must not have requested rows before its state is checked. */
const QUIET_MS = 4;
const QUIET_PARALLEL_MS = 100;

/**
 * Waits until a statement no longer needs its sources: all are read, one failed, the signal aborted, or DuckDB has
 * finished or failed early (a LIMIT, a full disk).
 *
 * Checking the state of a failed statement waits for DuckDB's threads, which may wait for rows from this thread.
 * Therefore the state is checked only if no rows were requested for a while: a failed statement requests none.
 */
async function untilSettled(
  pending: native.PendingResult,
  feed: Feed,
  signal: AbortSignal | undefined,
): Promise<void> {
  const quietMs = feed.parallel ? QUIET_PARALLEL_MS : QUIET_MS;
  const isRunning = () => !feed.ended && feed.failure === null && signal?.aborted !== true;
  for (let delayMs = 1; isRunning(); delayMs = Math.min(POLL_MS_MAX, delayMs * 2)) {
    await feed.wait(delayMs);
    if (!isRunning()) return;
    if (performance.now() - feed.lastRequestMs < quietMs) continue;
    if (isSettled(pending)) return;
  }
}

/** Runs `work` and interrupts the connection repeatedly after the signal aborts. */
export async function interruptible<T>(
  connection: native.Connection,
  signal: AbortSignal | undefined,
  what: string,
  work: () => Promise<T>,
): Promise<T> {
  if (signal === undefined) return work();
  throwIfAborted(signal, what);
  let timer: ReturnType<typeof setInterval> | undefined;
  const interrupt = () => {
    native.interrupt(connection);
    timer = setInterval(() => native.interrupt(connection), INTERRUPT_EVERY_MS);
  };
  const unlisten = onAbort(signal, interrupt);
  try {
    return await work();
  } catch (error) {
    throw signal.aborted ? abortError(signal, what) : error;
  } finally {
    clearInterval(timer);
    unlisten();
  }
}

/**
 * Returns the error of a query that failed after its first rows. The bindings do not report it, so the query runs again
 * without returning rows.
 */
export async function failureOf(
  connection: native.Connection,
  sql: string,
  { parameters, signal }: StatementOptions,
): Promise<Error> {
  const unknown = new Error("Error: the query failed after its first rows");
  if (signal?.aborted === true) return unknown;
  try {
    const prepared = await native.prepare(connection, `EXPLAIN ANALYZE ${sql}`);
    try {
      if (parameters !== undefined) bindParameters(prepared, parameters);
      await native.execute_prepared(prepared);
      return unknown;
    } finally {
      native.destroy_prepare_sync(prepared);
    }
  } catch (error) {
    return error instanceof Error ? error : unknown;
  }
}
