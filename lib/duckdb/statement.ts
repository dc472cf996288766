import native from "@duckdb/node-bindings";

import { abortError, AgnesError, messageOf, throwIfAborted } from "../base/mod.ts";
import { duckdbError } from "./errors.ts";
import { poolGate, type Place } from "./gate.ts";
import { excerpt } from "./sql.ts";
import type { Feed } from "./stream/feed.ts";
import { bindParameters, hasParameters, type SqlParameters } from "./values.ts";

/** How a statement is to be run. */
export interface StatementOptions {
  /** Values for `$1`, `$2` … or `?` as a list, for `$name` by name; only the last of several statements takes them. */
  readonly parameters?: SqlParameters;
  /** Interrupts the statement; it then fails with `aborted`, or with the signal's own `AgnesError`. */
  readonly signal?: AbortSignal;
  /** Whether it may wait long for another system: soon it keeps nobody else out. Default `false`. */
  readonly mayWait?: boolean;
}

/** How long a statement that may wait counts as one that computes. */
const WAIT_MS = 200;

/** How often an interrupt is repeated: DuckDB forgets one that comes just before it starts. */
const INTERRUPT_EVERY_MS = 10;

/** What is running on one DuckDB connection; at most one statement at a time. */
export interface Running {
  readonly connection: native.Connection;
  /** The sources that the statement being prepared names; see `registerScanFunction`. */
  readonly newFeed: () => Feed;
}

/**
 * Runs all statements of `sql` and hands the result of the last to `use`, on a place of the pool.
 *
 * @param streaming whether rows are fetched while the query runs, rather than kept whole
 */
export async function runStatements<T>(
  running: Running,
  sql: string,
  options: StatementOptions & { readonly streaming?: boolean },
  use: (result: native.Result) => Promise<T>,
): Promise<T> {
  const what = excerpt(sql);
  const { signal } = options;
  throwIfAborted(signal, what);
  const place = poolGate.place(what);
  await place.take(signal);
  const { connection } = running;
  const timer = options.mayWait === true ? setTimeout(() => place.leave(), WAIT_MS) : undefined;
  try {
    return await interruptible(connection, signal, what, async () => {
      const { extracted_statements: statements, statement_count: count } = await native.extract_statements(
        connection,
        sql,
      );
      if (count === 0)
        throw new Error(native.extract_statements_error(statements) || "there is no statement");
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
    place.give();
  }
}

/** One statement of a text; DuckDB prepares an extracted one only once. */
interface Extracted {
  readonly sql: string;
  readonly statements: native.ExtractedStatements;
  readonly index: number;
  readonly isAlone: boolean;
}

type RunOptions = StatementOptions & { readonly streaming?: boolean };

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
  try {
    // EXPLAIN answers without a row of what it names, so it may be bound twice.
    const isExplain = native.prepared_statement_type(prepared) === native.StatementType.EXPLAIN;
    if (feed.bound === 0 || isExplain) {
      if (options.parameters !== undefined) bindParameters(prepared, options.parameters);
      return await use(
        options.streaming === true
          ? await native.execute_prepared_streaming(prepared)
          : await native.execute_prepared(prepared),
      );
    }
  } finally {
    native.destroy_prepare_sync(prepared);
    await feed.close();
  }
  if (hasParameters(options.parameters)) {
    const reason = "a statement that reads a live source takes none; write the values into it";
    throw new AgnesError("invalid_input", { what: "the list of parameters", reason });
  }
  if (!isAlone) {
    const reason = "a statement that reads a live source stands alone";
    throw new AgnesError("invalid_input", { what: "the list of statements", reason });
  }
  return inTransaction(connection, place, async () => {
    await refuseRebinding(running, sql);
    const fed = running.newFeed();
    const extracted = await native.extract_statements(connection, sql);
    const again = await native.prepare_extracted_statement(connection, extracted.extracted_statements, index);
    try {
      return await use(await runFed(connection, again, fed, place, options.signal));
    } finally {
      native.destroy_prepare_sync(again);
    }
  });
}

/**
 * Refuses a statement that DuckDB would bind again when it is run. `runFed` starts statements on the JavaScript thread,
 * which could then not answer the binding of the source: the event loop would stop for ever.
 *
 * @throws `internal`
 */
async function refuseRebinding(running: Running, sql: string): Promise<void> {
  if (!(await bindsAgain(running, sql))) return;
  const what = `${excerpt(sql)} reads a live source beside what DuckDB binds twice; its rows must be put into a table first`;
  throw new AgnesError("internal", { what });
}

/**
 * Whether DuckDB binds a statement again when it is run: one that reads files or databases of other kinds, or calls a
 * function of the transaction, such as `now()` and `current_schema()`.
 *
 * `EXPLAIN` is treated as what it explains, and runs on the pool, where binding twice does no harm.
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

/** Whether a statement that reads a JavaScript source can run; `false` when DuckDB would bind it twice. */
export async function canReadSources(
  running: Running,
  sql: string,
  { signal }: StatementOptions,
): Promise<boolean> {
  const what = excerpt(sql);
  throwIfAborted(signal, what);
  const place = poolGate.place(what);
  await place.take(signal);
  try {
    return !(await interruptible(running.connection, signal, what, () => bindsAgain(running, sql)));
  } catch (error) {
    throw duckdbError(error, sql);
  } finally {
    place.give();
  }
}

/**
 * Does `work` in a transaction, a running one or its own, so that the catalog stays as it was prepared with.
 *
 * DuckDB binds a prepared statement again when the catalog has changed, and here it would do that on the one thread
 * that answers the binding of a source.
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
    await place.take(undefined, { isPatient: true });
    await rollBack(connection);
    throw error;
  }
}

/** Ends a transaction, even while the connection is being interrupted. */
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

/** What a source threw, on its way out past the mapping of DuckDB's own errors. */
class SourceFailure extends Error {
  constructor(error: unknown) {
    super("the source failed", { cause: error });
  }
}

/** Statements that run on DuckDB's own threads. One that is collected while it runs never ends. */
const unfinished = new Set<readonly unknown[]>();

/**
 * Runs a statement that reads JavaScript sources, without holding a thread of the pool while it waits for them.
 *
 * DuckDB's own threads do the work. A thread of the pool is taken only for the end, when no source can hold it up.
 */
async function runFed(
  connection: native.Connection,
  prepared: native.PreparedStatement,
  feed: Feed,
  place: Place,
  signal: AbortSignal | undefined,
): Promise<native.Result> {
  place.give();
  const stop = () => {
    feed.notify();
    void feed.close();
  };
  signal?.addEventListener("abort", stop, { once: true });
  feed.running = true;
  const pending = native.pending_prepared(prepared);
  const kept = [connection, prepared, pending] as const;
  unfinished.add(kept);
  try {
    await untilSettled(pending, feed, signal);
    await place.take();
    return await native.execute_pending(pending);
  } catch (error) {
    const failure = signal?.aborted === true ? null : feed.failure;
    throw failure === null ? error : new SourceFailure(failure.error);
  } finally {
    unfinished.delete(kept);
    feed.running = false;
    signal?.removeEventListener("abort", stop);
    await feed.close();
  }
}

const POLL_MS_MAX = 16;
/** How long DuckDB must have asked for no rows before its state is looked at. */
const QUIET_MS = 4;
const QUIET_PARALLEL_MS = 100;

/**
 * Waits until a statement needs its sources no more: all are read, one failed, it is to stop, or DuckDB has
 * finished or failed by itself (a LIMIT, a full disk).
 *
 * Looking at a failed statement waits for DuckDB's threads, and those may be waiting for this one to give rows.
 * So it is done only when none has asked for a while: the threads of a failed statement ask no more.
 */
async function untilSettled(
  pending: native.PendingResult,
  feed: Feed,
  signal: AbortSignal | undefined,
): Promise<void> {
  const quietMs = feed.parallel ? QUIET_PARALLEL_MS : QUIET_MS;
  const going = () => !feed.ended && feed.failure === null && signal?.aborted !== true;
  for (let delayMs = 1; going(); delayMs = Math.min(POLL_MS_MAX, delayMs * 2)) {
    await feed.wait(delayMs);
    if (!going()) return;
    if (performance.now() - feed.lastAskedMs < quietMs) continue;
    const state = native.pending_execute_check_state(pending);
    if (state === native.PendingState.RESULT_READY || state === native.PendingState.ERROR) return;
  }
}

/** Does `work`, interrupting the connection while the signal has fired. */
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
  signal.addEventListener("abort", interrupt, { once: true });
  try {
    return await work();
  } catch (error) {
    throw signal.aborted ? abortError(signal, what) : error;
  } finally {
    clearInterval(timer);
    signal.removeEventListener("abort", interrupt);
  }
}

/**
 * Why a query failed after its first rows. DuckDB knows, the bindings do not say: so it runs once more, without
 * giving rows, to fail again.
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
