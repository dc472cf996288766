import type * as arrow from "apache-arrow";

import { abortError, AgnesError, isAgnesError, raceAbort, withTimeout, type Host } from "../base/mod.ts";
import { tableId, type AnalyticsTable } from "../analytics/mod.ts";
import { jsonRowSizes, poolGate, type Connection, type StreamResult } from "../duckdb/mod.ts";
import type { QueryLimits } from "../kit/mod.ts";
import type { PushedDown } from "./live/pushed-down.ts";
import type { LiveStatement } from "./live/show-live.ts";
import { readOnce } from "./read-once.ts";
import type { Opening, RemoteAccessMode } from "./opening.ts";

/** An answer whose rows come as they are read. */
export interface QueryResult {
  readonly schema: arrow.Schema;
  /** The column names; one may come twice. */
  readonly names: readonly string[];
  /** To be read once (`invalid_input` otherwise), to the end or until the loop is left; the query holds its connection until then. */
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
  /** Of the rows as lines of JSON when the bytes were limited, else as Arrow has them in memory. */
  readonly sizeBytes: number;
  /** Whether rows were left out because of a cap. */
  readonly truncated: boolean;
  readonly elapsedMs: number;
}

/** How one remote table was read. */
export interface RemoteReceipt {
  readonly id: string;
  /** `attach`: by DuckDB itself; `live`: through the connector of its source. */
  readonly accessMode: RemoteAccessMode;
  /** What the connector of a live table was asked for; absent for the other way. */
  readonly pushedDown?: PushedDown;
}

/** How fresh the tables of one extract are that were read. */
interface ExtractReceipt {
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
  /** The values that no message may show. */
  readonly secrets: ReadonlySet<string>;
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
  /** What the caller is to see of an error; of the secrets, nothing. */
  readonly failure: (error: unknown, secrets?: Iterable<string>) => unknown;
}

/** How long a query may take by default. */
export const TIMEOUT_MS = 60_000;
const WHAT = "the query";

/**
 * Starts a query and gives its answer; the connection is given back when the rows are read or given up.
 *
 * DuckDB does not look at interrupts while it plans, nor inside one call of a function. The caller does not wait for
 * that when time is over; the connection does.
 */
export async function answerOf(
  host: Pick<Host, "monotonicMs">,
  { limits = {}, signal, batchRows, failure }: RunOptions,
  prepare: (opening: Opening) => Promise<Run>,
): Promise<QueryResult> {
  const startedMs = host.monotonicMs();
  const timer = withTimeout(WHAT, limits.timeoutMs ?? TIMEOUT_MS, signal);
  let waitsFor: string | null = null;
  const preparing = prepare({ signal: timer.signal, onWait: (table) => void (waitsFor = table) });
  const totals: Totals = { rows: 0, sizeBytes: 0, truncated: false, elapsedMs: null };
  let ended: Promise<void> | null = null;
  const end = () =>
    (ended ??= (async () => {
      totals.elapsedMs = host.monotonicMs() - startedMs;
      timer[Symbol.dispose]();
      const held = await preparing.catch(() => null);
      await held?.release();
    })());
  let run: Run | undefined;
  let result: StreamResult;
  try {
    run = await raceAbort(preparing, timer.signal, () => lateError(timer.signal, waitsFor));
    const wanted = Math.min(batchRows ?? Infinity, (limits.maxRows ?? Infinity) + 1);
    const starting = run.connection.stream(run.sql, {
      signal: timer.signal,
      ...(Number.isFinite(wanted) && wanted < 16_384 && { batchRows: Math.max(1, wanted) }),
    });
    result = await raceAbort(starting, timer.signal, WHAT);
  } catch (error) {
    const ending = end();
    if (!timer.signal.aborted) await ending;
    // When every thread is held, looking at a file does not end either.
    if (run === undefined && isAgnesError(error, "timed_out")) poolGate.refuseWhenStuck(WHAT);
    throw failure(error, run?.secrets);
  }
  const { generation, remotes, secrets, tables } = run;
  // Rows that nobody reads must not hold the connection for ever.
  timer.signal.addEventListener("abort", () => void end(), { once: true });
  return {
    schema: result.schema,
    names: result.names,
    batches: readOnce(capped(result, limits, totals, { end, failure, secrets, signal: timer.signal })),
    receipt: () => ({
      generation: tables.length === 0 ? null : generation,
      extracts: extractsOf(tables),
      tables: tables.map(tableId),
      remotes: remotes(),
      rows: totals.rows,
      sizeBytes: totals.sizeBytes,
      truncated: totals.truncated,
      elapsedMs: Math.round(totals.elapsedMs ?? host.monotonicMs() - startedMs),
    }),
    close: end,
  };
}

/** A query that waits for another system says for which table. */
function lateError(signal: AbortSignal, table: string | null): AgnesError {
  const error = abortError(signal, WHAT);
  if (table === null) return error;
  const what = `${WHAT}, which waited for the remote table ${table},`;
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

async function* capped(
  { batches, names }: StreamResult,
  limits: QueryLimits,
  totals: Totals,
  query: Pick<RunOptions, "failure"> &
    Pick<Lease, "secrets"> & { readonly end: () => Promise<void>; readonly signal: AbortSignal },
): AsyncGenerator<arrow.RecordBatch, void, void> {
  const rows = batches[Symbol.asyncIterator]();
  try {
    for (;;) {
      const step = await raceAbort(rows.next(), query.signal, WHAT);
      if (step.done === true) return;
      const batch = step.value;
      if (batch.numRows === 0) continue;
      const { kept, sizeBytes } = keep(batch, names, limits, totals);
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
    const { failure, secrets, signal } = query;
    throw signal.aborted ? abortError(signal, "the query") : failure(error, secrets);
  } finally {
    const ending = query.end();
    if (!query.signal.aborted) await ending;
  }
}

/** As many rows of a batch as the caps leave room for. */
function keep(
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
