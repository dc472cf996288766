import { raceAbort, withTimeout } from "../../base/mod.ts";
import { Gate, poolGate } from "../../duckdb/mod.ts";

/** The default timeout for attaching a remote database. */
export const ATTACH_TIMEOUT_MS = 10_000;

/**
 * Limits the number of concurrent attaches. An attach to an unresponsive host cannot be interrupted and occupies a thread
 * of the pool until the operating system times out. If all slots are occupied like this, the next attach fails at once.
 */
export function attachGateOf(capacity: number, lostMs?: number): Gate {
  return new Gate(capacity, {
    ...(lostMs === undefined ? {} : { lostMs }),
    lostMax: capacity,
    stuck: () => new Error("another remote database does not respond, and DuckDB is still waiting for it"),
  });
}

/** One thread of the pool is reserved for queries. */
const attachGate = attachGateOf(Math.max(1, poolGate.capacity - 1));

/**
 * Attaches a database with a timeout. DuckDB does not always check for interrupts while it connects: such work is
 * abandoned and cleans up when it ends.
 *
 * @throws `timed_out`, `aborted`, and what the work throws
 */
export async function attachWithTimeout<T>(
  what: string,
  limits: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  using limit = withTimeout(what, limits.timeoutMs, limits.signal);
  const { signal } = limit;
  const place = attachGate.place(what);
  await place.acquire(signal);
  const attaching = async () => {
    try {
      return await work(signal);
    } finally {
      place.release();
    }
  };
  return await raceAbort(attaching(), signal, what);
}
