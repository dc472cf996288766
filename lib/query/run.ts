import type * as arrow from "apache-arrow";

import {
  abortError,
  AgnesError,
  isAgnesError,
  onAbort,
  raceAbort,
  withTimeout,
  type Host,
} from "../base/mod.ts";
import { tableId, type AnalyticsTable } from "../analytics/mod.ts";
import { jsonRowSizes, poolGate, type Connection, type StreamResult } from "../duckdb/mod.ts";
import type { QueryLimits, SourceJob } from "../kit/mod.ts";
import { JobList, withStoppedJobs } from "../sources/mod.ts";
import type { RegisteredReceipt } from "./hybrid/types.ts";
import type { PushedDown } from "./live/pushed-down.ts";
import type { LiveStatement } from "./live/prepare-live.ts";
import type { ShippedStatement } from "./ship/shipped-query.ts";
import { withoutViewTexts } from "./limited-failure.ts";
import { readOnce } from "./read-once.ts";
import type { Opening, RemoteAccessMode } from "./opening.ts";

/** The streaming result of a query. */
export interface QueryResult {
  readonly schema: arrow.Schema;
  /** The column names; a name may occur more than once. */
  readonly names: readonly string[];
  /** The rows. They can be read once (else `invalid_input`); the query holds its connection until the loop ends. */
  readonly batches: AsyncIterable<arrow.RecordBatch>;
  /** Returns the receipt. Its rows, bytes, time and `truncated` are final once all rows are read. */
  receipt(): Receipt;
  /** Stops the query and releases its connection. Repeated calls have no effect. */
  close(): Promise<void>;
}

/** The provenance and totals of a query result. */
export interface Receipt {
  /** The generation of `analytics.duckdb`; null if the query read no table, or `access` is limited. */
  readonly generation: number | null;
  /** The extracts that the query read. */
  readonly extracts: readonly ExtractReceipt[];
  /** The ids of the tables that the query read, as `source.table`. */
  readonly tables: readonly string[];
  /** The access to each remote table. */
  readonly remotes: readonly RemoteReceipt[];
  /** What ran for each alias of `register`. */
  readonly registered: readonly RegisteredReceipt[];
  /** The number of rows returned. */
  readonly rows: number;
  /** The size of the rows in bytes: as lines of JSON if `maxBytes` is set, otherwise as Arrow in memory. */
  readonly sizeBytes: number;
  /** Whether a limit cut off rows. */
  readonly truncated: boolean;
  /** The duration of the query in milliseconds. */
  readonly elapsedMs: number;
}

/** The access to one remote table in a query. */
export interface RemoteReceipt {
  /** `source.table`. */
  readonly id: string;
  /**
   * `attach`: DuckDB reads the source; `live`: the connector of the source reads the part of the table that the query needs;
   * `shipped`: the source ran the whole query and returned its result.
   */
  readonly accessMode: RemoteAccessMode | "shipped";
  /** The request to the connector of a live table; missing for `attach` and `shipped`. */
  readonly pushedDown?: PushedDown;
  /** The statement that the source ran; only for `shipped`, and the same for all its tables. */
  readonly shipped?: ShippedStatement;
  /** The jobs that the connector reported, final once all rows are read; missing if it reported none. */
  readonly jobs?: readonly SourceJob[];
}

/** The state of one extract that a query read. */
interface ExtractReceipt {
  readonly source: string;
  /** The generation of the extract; null for one of another program, or if `access` is limited. */
  readonly generation: number | null;
  /** The time of the oldest extraction among the tables read, ISO 8601, UTC; null: unknown. */
  readonly extractedAt: string | null;
  /** The reason why the tables are in an earlier state; null if they are current. */
  readonly staleReason: string | null;
}

/** A connection to a locked instance, for one query. */
export interface Lease {
  readonly connection: Connection;
  readonly tables: readonly AnalyticsTable[];
  readonly generation: number | null;
  /** Whether its query reads a copy in memory, and no file. */
  readonly isCopied: boolean;
  /** Whether it reads views that Agnes did not write, such as those of an attached database. */
  readonly hasForeignViews: boolean;
  /** Values to remove from all messages. */
  readonly secrets: ReadonlySet<string>;
  readonly remotes: () => Receipt["remotes"];
  /**
   * Makes the live tables of a statement readable. Does nothing if there are none. If their source runs the whole statement, the
   * result is what to run instead.
   */
  readonly prepareLive: (statement: LiveStatement) => Promise<Replacement | null>;
  readonly release: () => Promise<void>;
}

/** A local statement that replaces one which runs in the source of its tables. */
export interface Replacement {
  /** Returns the rows that the source returned. */
  readonly sql: string;
  /** The statement that the source runs, in its own SQL. */
  readonly ranSql: string;
}

/** A statement and the connection to run it on. */
export interface Run extends Lease {
  readonly sql: string;
  /** Whether its prepared statement is kept for the next query with the same SQL. Default: `false`. */
  readonly isKept?: boolean;
  /** Returns what ran for the aliases. Default: there are none. */
  readonly registered?: () => Receipt["registered"];
}

interface RunOptions {
  /** Generations also count the changes of other tables, so the receipt of a limited caller has none. */
  readonly access: ReadonlySet<string> | null;
  /** On whose behalf it runs. */
  readonly principal?: string;
  readonly limits?: QueryLimits;
  readonly batchRows?: number;
  readonly signal?: AbortSignal;
  /** Receives the end of the query: its connection is then released, even if the caller did not wait for it. */
  readonly onEnding?: (ending: Promise<void>) => void;
  /** Converts an error for the caller, and removes secrets. */
  readonly failure: (error: unknown, secrets?: Iterable<string>) => unknown;
}

/** The default timeout of a query. */
export const TIMEOUT_MS = 60_000;
const WHAT = "the query";

/**
 * Starts a query and returns its result. The connection is released when all rows are read or the reader stops.
 *
 * DuckDB does not check for interrupts during planning or within a function call. After the deadline, the connection
 * waits for that; the caller does not.
 */
export async function startQuery(
  host: Pick<Host, "monotonicMs">,
  { access, limits = {}, principal, signal, batchRows, onEnding, failure }: RunOptions,
  prepare: (opening: Opening) => Promise<Run>,
): Promise<QueryResult> {
  const startedMs = host.monotonicMs();
  const timer = withTimeout(WHAT, limits.timeoutMs ?? TIMEOUT_MS, signal);
  // It stays until the end, so that those of each step share its listener.
  const unlisten = onAbort(timer.signal, () => {});
  let awaited: string | null = null;
  const onWait: Opening["onWait"] = (name, what = "the remote table") =>
    void (awaited = name && `${what} ${name}`);
  const jobs = new JobList();
  const preparing = prepare({ signal: timer.signal, onWait, user: principal, onJob: jobs.onJob });
  const totals: Totals = { rows: 0, sizeBytes: 0, truncated: false, elapsedMs: null };
  let ended: Promise<void> | null = null;
  const release = async () => {
    totals.elapsedMs = host.monotonicMs() - startedMs;
    timer[Symbol.dispose]();
    unlisten();
    const held = await preparing.catch(() => null);
    await held?.release();
  };
  const end = () => {
    if (ended !== null) return ended;
    ended = release();
    onEnding?.(ended);
    return ended;
  };
  let run: Run | undefined;
  let result: StreamResult;
  let awaitedWhenStopped: string | null = null;
  try {
    run = await raceAbort(preparing, timer.signal, () => {
      awaitedWhenStopped = awaited;
      return abortError(timer.signal, WHAT);
    });
    const batchLimit = Math.min(batchRows ?? Infinity, (limits.maxRows ?? Infinity) + 1);
    const starting = run.connection.stream(run.sql, {
      signal: timer.signal,
      isKept: run.isKept === true,
      ...(Number.isFinite(batchLimit) && batchLimit < 16_384 && { batchRows: Math.max(1, batchLimit) }),
    });
    result = await raceAbort(starting, timer.signal, WHAT);
  } catch (error) {
    const ending = end();
    if (!timer.signal.aborted) await ending;
    // When all threads of the pool are occupied, a stat of a file does not return either.
    if (run === undefined && isAgnesError(error, "timed_out")) poolGate.rejectWhenStuck(WHAT);
    const shown = failure(withoutViewTexts(error, run, access), run?.secrets);
    throw withStoppedJobs(isAgnesError(shown) ? withAwaited(shown, awaitedWhenStopped) : shown, jobs);
  }
  const { generation, remotes, secrets, tables, registered = () => [] } = run;
  const failureOf: RunOptions["failure"] = (error) => failure(withoutViewTexts(error, run, access), secrets);
  // Unread rows must not hold the connection forever.
  onAbort(timer.signal, () => void end());
  return {
    schema: result.schema,
    names: result.names,
    batches: readOnce(
      limitedBatches(result, limits, totals, { end, failure: failureOf, jobs, signal: timer.signal }),
    ),
    receipt: () => ({
      generation: tables.length === 0 || access !== null ? null : generation,
      extracts: extractsOf(tables, access),
      tables: tables.map(tableId),
      remotes: remotes(),
      registered: registered(),
      rows: totals.rows,
      sizeBytes: totals.sizeBytes,
      truncated: totals.truncated,
      elapsedMs: Math.round(totals.elapsedMs ?? host.monotonicMs() - startedMs),
    }),
    close: end,
  };
}

/** Returns the error of a stopped query with what it waited for, such as `the alias traffic`; null: nothing. */
export function withAwaited(error: AgnesError, awaited: string | null): AgnesError {
  if (awaited === null) return error;
  const what = `${WHAT}, which waited for ${awaited},`;
  if (isAgnesError(error, "timed_out")) {
    const { timeoutMs } = error.details;
    return new AgnesError("timed_out", { what, timeoutMs }, { cause: error });
  }
  return isAgnesError(error, "aborted") ? new AgnesError("aborted", { what }, { cause: error }) : error;
}

interface Totals {
  rows: number;
  sizeBytes: number;
  truncated: boolean;
  elapsedMs: number | null;
}

async function* limitedBatches(
  { batches, names }: StreamResult,
  limits: QueryLimits,
  totals: Totals,
  query: Pick<RunOptions, "failure"> & {
    readonly end: () => Promise<void>;
    readonly jobs: JobList;
    readonly signal: AbortSignal;
  },
): AsyncGenerator<arrow.RecordBatch, void, void> {
  const rows = batches[Symbol.asyncIterator]();
  try {
    for (;;) {
      const step = await raceAbort(rows.next(), query.signal, WHAT);
      if (step.done === true) return;
      const batch = step.value;
      if (batch.numRows === 0) continue;
      const { kept, sizeBytes } = rowsWithinLimits(batch, names, limits, totals);
      if (kept.numRows > 0) {
        totals.rows += kept.numRows;
        totals.sizeBytes += sizeBytes;
        yield kept;
      }
      if (kept.numRows === batch.numRows) continue;
      totals.truncated = true;
      return;
    }
  } catch (error) {
    const { failure, jobs, signal } = query;
    throw withStoppedJobs(signal.aborted ? abortError(signal, "the query") : failure(error), jobs);
  } finally {
    const ending = query.end();
    if (!query.signal.aborted) await ending;
  }
}

/** Returns the rows of a batch that fit the limits. */
function rowsWithinLimits(
  batch: arrow.RecordBatch,
  names: readonly string[],
  limits: QueryLimits,
  totals: Totals,
): { readonly kept: arrow.RecordBatch; readonly sizeBytes: number } {
  let rows = Math.min(batch.numRows, limits.maxRows === undefined ? Infinity : limits.maxRows - totals.rows);
  let sizeBytes = Math.ceil((batch.data.byteLength * rows) / batch.numRows);
  if (limits.maxBytes !== undefined) {
    const room = limits.maxBytes - totals.sizeBytes;
    const sizes = jsonRowSizes(batch, names);
    sizeBytes = 0;
    for (let row = 0; row < rows; row++) {
      const next = sizeBytes + sizes(row);
      if (next > room) rows = row;
      else sizeBytes = next;
    }
  }
  return { kept: rows >= batch.numRows ? batch : batch.slice(0, rows), sizeBytes };
}

function extractsOf(
  tables: readonly AnalyticsTable[],
  access: RunOptions["access"],
): readonly ExtractReceipt[] {
  return [...new Set(tables.map(({ source }) => source))].map((source) => {
    const own = tables.filter((table) => table.source === source);
    const times = own.map(({ extractedAt }) => extractedAt).filter((time) => time !== null);
    return {
      source,
      generation: access === null ? own[0]!.generation : null,
      extractedAt: times.length < own.length ? null : times.sort()[0]!,
      staleReason: own.find(({ staleReason }) => staleReason !== null)?.staleReason ?? null,
    };
  });
}
