import { isAgnesError, throwIfAborted, withTimeout } from "../base/mod.ts";
import { runsQuery } from "./job/plan.ts";
import type { TableJob } from "./job/job.ts";

/** The default timeout of the query of a materialized table, with its rows. */
export const MATERIALIZE_TIMEOUT_MS = 60 * 60_000;
const PAUSE_MS = 2_000;
/** Transient failures that are not those of the source, or that a second attempt only repeats at twice the cost. */
const NOT_REPEATED = new Set(["timed_out", "aborted", "disk_full", "locked"]);

/**
 * Extracts a table, and once more if the source ended the read before its last row: the rows are discarded, because those
 * of another read may be in another order. The query of a materialized table has a deadline, and is also run once more after
 * any other transient failure.
 *
 * @param again called before the second attempt
 */
export async function extractInAttempts<T>(
  job: TableJob,
  extract: (job: TableJob) => Promise<T>,
  again: () => Promise<void> | undefined,
): Promise<T> {
  const { plan, run, signal } = job;
  const attempt = async () => {
    if (!runsQuery(plan)) return extract(job);
    using timeout = withTimeout(`the query of table ${plan.name}`, run.materializeTimeoutMs, signal);
    return await extract({ ...job, signal: timeout.signal });
  };
  try {
    return await attempt();
  } catch (error) {
    if (!isRepeated(job, error) || signal.aborted) throw error;
    const { host, log } = run.services;
    log.warn("the read of a table failed and is repeated once", { table: plan.name, error });
    await host.sleep(PAUSE_MS, signal);
    throwIfAborted(signal, "the extraction");
    await again();
  }
  return attempt();
}

function isRepeated({ plan }: TableJob, error: unknown): boolean {
  if (isAgnesError(error, "read_expired")) return true;
  return (
    runsQuery(plan) && isAgnesError(error) && error.retry === "transient" && !NOT_REPEATED.has(error.code)
  );
}
