import type * as arrow from "apache-arrow";

import { abortError, AgnesError, isAgnesError, withTimeout, type Host } from "../base/mod.ts";
import { tableId, type AnalyticsTable } from "../analytics/mod.ts";
import type { Connection, StreamResult } from "../duckdb/mod.ts";
import type { QueryLimits } from "../kit/mod.ts";
import type { PushedDown } from "./live/live-table.ts";
import type { LiveStatement } from "./live/show-live.ts";
import type { RemoteWay } from "./sandbox.ts";

/** An answer whose rows come as they are read. */
export interface QueryAnswer {
  readonly schema: arrow.Schema;
  /** The column names; one may come twice. */
  readonly names: readonly string[];
  /** To be read once, to the end or until the loop is left; the query holds its connection until then. */
  readonly batches: AsyncIterable<arrow.RecordBatch>;
  /** What the answer rests on. Rows, bytes, time and `truncated` are final when the rows are read. */
  receipt(): Receipt;
  /** Stops the query, for a caller who does not read the rows. Calling it twice is fine. */
  close(): Promise<void>;
}

/** What an answer rests on. */
export interface Receipt {
  /** The generation of `analytics.duckdb`; null when no table was read. */
  readonly generation: number | null;
  /** Each extract that was used. */
  readonly extracts: readonly ExtractReceipt[];
  /** Ids of the tables read. */
  readonly tables: readonly string[];
  /** Which way each remote table went. */
  readonly remotes: readonly RemoteReceipt[];
  readonly rows: number;
  readonly sizeBytes: number;
  /** Whether rows were left out because of a cap. */
  readonly truncated: boolean;
  readonly elapsedMs: number;
}

/** How one remote table was read. */
export interface RemoteReceipt {
  readonly id: string;
  /** `attach`: by DuckDB itself; `live`: through the connector of its source. */
  readonly way: RemoteWay;
  /** What the connector of a live table was asked for; absent for the other way. */
  readonly pushedDown?: PushedDown;
}

/** How fresh the tables of one extract are that were read. */
export interface ExtractReceipt {
  readonly source: string;
  /** Null for a foreign extract. */
  readonly generation: number | null;
  /** The oldest of its tables that were read, ISO 8601; null is unknown. */
  readonly extractedAt: string | null;
  /** Why an older state was shown, or null. */
  readonly staleReason: string | null;
}

/** A connection to a locked instance, for one query. */
export interface Lease {
  readonly connection: Connection;
  readonly tables: readonly AnalyticsTable[];
  readonly generation: number | null;
  readonly remotes: () => Receipt["remotes"];
  /** Makes ready what a statement reads live; nothing when that is nothing. */
  readonly showLive: (statement: LiveStatement) => Promise<void>;
  readonly release: () => Promise<void>;
}

/** What is to be run once there is a connection. */
export interface Run extends Lease {
  readonly sql: string;
}

interface RunOptions {
  readonly limits?: QueryLimits;
  readonly batchRows?: number;
  readonly signal?: AbortSignal;
}

const TIMEOUT_MS = 60_000;

/**
 * Starts a query and gives its answer; the connection is given back when the rows are read or given up.
 *
 * DuckDB does not look at interrupts while it plans, nor inside one call of a function. The caller does not wait for
 * that when time is over; the connection does.
 */
export async function answerOf(
  host: Pick<Host, "monotonicMs">,
  { limits = {}, signal, batchRows }: RunOptions,
  prepare: (signal: AbortSignal) => Promise<Run>,
): Promise<QueryAnswer> {
  const startedMs = host.monotonicMs();
  const timer = withTimeout("the query", limits.timeoutMs ?? TIMEOUT_MS, signal);
  const preparing = prepare(timer.signal);
  const totals: Totals = { rows: 0, sizeBytes: 0, truncated: false, elapsedMs: null };
  let ended: Promise<void> | null = null;
  const end = () =>
    (ended ??= (async () => {
      totals.elapsedMs = host.monotonicMs() - startedMs;
      timer[Symbol.dispose]();
      const held = await preparing.catch(() => null);
      await held?.release();
    })());
  let run: Run;
  let result: StreamResult;
  try {
    run = await unlessAborted(preparing, timer.signal);
    const wanted = Math.min(batchRows ?? Infinity, (limits.rows ?? Infinity) + 1);
    const starting = run.connection.stream(run.sql, {
      signal: timer.signal,
      ...(Number.isFinite(wanted) && wanted < 16_384 && { batchRows: Math.max(1, wanted) }),
    });
    result = await unlessAborted(starting, timer.signal);
  } catch (error) {
    const ending = end();
    if (!timer.signal.aborted) await ending;
    throw sqlError(error);
  }
  // Rows that nobody reads must not hold the connection for ever.
  timer.signal.addEventListener("abort", () => void end(), { once: true });
  return {
    schema: result.schema,
    names: result.names,
    batches: capped(result.batches, limits, totals, { end, signal: timer.signal }),
    receipt: () => ({
      generation: run.tables.length === 0 ? null : run.generation,
      extracts: extractsOf(run.tables),
      tables: run.tables.map(tableId),
      remotes: run.remotes(),
      rows: totals.rows,
      sizeBytes: totals.sizeBytes,
      truncated: totals.truncated,
      elapsedMs: Math.round(totals.elapsedMs ?? host.monotonicMs() - startedMs),
    }),
    close: end,
  };
}

async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let fired: () => void = () => {};
  const aborted = new Promise<never>((_, reject) => {
    fired = () => reject(abortError(signal, "the query"));
    if (signal.aborted) fired();
    else signal.addEventListener("abort", fired, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", fired);
  }
}

interface Totals {
  rows: number;
  sizeBytes: number;
  truncated: boolean;
  elapsedMs: number | null;
}

async function* capped(
  batches: AsyncIterable<arrow.RecordBatch>,
  limits: QueryLimits,
  totals: Totals,
  query: { readonly end: () => Promise<void>; readonly signal: AbortSignal },
): AsyncGenerator<arrow.RecordBatch, void, void> {
  const rows = batches[Symbol.asyncIterator]();
  try {
    for (;;) {
      const step = await unlessAborted(rows.next(), query.signal);
      if (step.done === true) return;
      const batch = step.value;
      if (batch.numRows === 0) continue;
      const kept = keep(batch, limits, totals);
      if (kept.numRows > 0) {
        totals.rows += kept.numRows;
        totals.sizeBytes += sizeOf(kept, batch);
        yield kept;
      }
      if (kept.numRows === batch.numRows) continue;
      totals.truncated = true;
      return;
    }
  } catch (error) {
    throw query.signal.aborted ? abortError(query.signal, "the query") : sqlError(error);
  } finally {
    const ending = query.end();
    if (!query.signal.aborted) await ending;
  }
}

/** As many rows of a batch as the caps leave room for. */
function keep(batch: arrow.RecordBatch, limits: QueryLimits, totals: Totals): arrow.RecordBatch {
  const byRows = limits.rows === undefined ? Infinity : limits.rows - totals.rows;
  const perRow = batch.data.byteLength / batch.numRows;
  const byBytes =
    limits.sizeBytes === undefined ? Infinity : Math.floor((limits.sizeBytes - totals.sizeBytes) / perRow);
  const rows = Math.max(0, Math.min(byRows, byBytes));
  return rows >= batch.numRows ? batch : batch.slice(0, rows);
}

/** A slice shares the buffers of its batch, so its own size is a share of theirs. */
function sizeOf(kept: arrow.RecordBatch, batch: arrow.RecordBatch): number {
  return Math.ceil((batch.data.byteLength * kept.numRows) / batch.numRows);
}

function extractsOf(tables: readonly AnalyticsTable[]): readonly ExtractReceipt[] {
  return [...new Set(tables.map(({ source }) => source))].map((source) => {
    const own = tables.filter((table) => table.source === source);
    const times = own.map(({ extractedAt }) => extractedAt).filter((time) => time !== null);
    return {
      source,
      generation: own[0]!.generation,
      extractedAt: times.length < own.length ? null : times.sort()[0]!,
      staleReason: own.find(({ staleReason }) => staleReason !== null)?.staleReason ?? null,
    };
  });
}

/** What DuckDB says of a statement is the author's to correct; all else stays what it is. */
export function sqlError(error: unknown): unknown {
  if (!isAgnesError(error, "duckdb_failed")) return error;
  const { kind, reason } = error.details as { readonly kind: string; readonly reason: string };
  const told = reason.includes("max_expression_depth") ? "expressions are nested too deeply in it" : reason;
  return new AgnesError("sql_failed", { kind, reason: told }, { cause: error });
}
