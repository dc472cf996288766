import { raceAbort, withTimeout } from "../../base/mod.ts";
import { Gate, poolGate } from "../../duckdb/mod.ts";

/** How long DuckDB may take to attach the database of another system. */
export const ATTACH_TIMEOUT_MS = 10_000;

/**
 * Lets at most so many attaches run at once. One that connects to a host which does not answer cannot be interrupted,
 * and holds a thread of the pool until the operating system gives up. When all are held so, the next one fails at once.
 */
export function attachGateOf(capacity: number, lostMs?: number): Gate {
  return new Gate(capacity, {
    ...(lostMs === undefined ? {} : { lostMs }),
    lostMax: capacity,
    stuck: () => new Error("another remote database does not respond, and DuckDB is still waiting for it"),
  });
}

/** One thread of the pool is left for queries. */
const attachGate = attachGateOf(Math.max(1, poolGate.capacity - 1));

/**
 * Does work that attaches a database, for at most so long. DuckDB does not always look at an interrupt while it
 * connects: then nobody waits for it, and it cleans up when it ends.
 *
 * @throws `timed_out`, `aborted`, and what the work throws
 */
export async function attachWithin<T>(
  what: string,
  limits: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  using limit = withTimeout(what, limits.timeoutMs, limits.signal);
  const { signal } = limit;
  const place = attachGate.place(what);
  await place.take(signal);
  const attaching = async () => {
    try {
      return await work(signal);
    } finally {
      place.give();
    }
  };
  return await raceAbort(attaching(), signal, what);
}
