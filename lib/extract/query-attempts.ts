import { isAgnesError, throwIfAborted, withTimeout } from "../base/mod.ts";
import { runsQuery } from "./job/plan.ts";
import type { TableJob } from "./job/job.ts";

/** The default timeout of the query of a materialized table, with its rows. */
export const MATERIALIZE_TIMEOUT_MS = 60 * 60_000;
const PAUSE_MS = 2_000;
/** Transient failures that are not those of the source, or that a second attempt only repeats at twice the cost. */
const NOT_REPEATED = new Set(["timed_out", "aborted", "disk_full", "locked"]);

/**
 * Extracts a table. The query of a materialized table has a deadline, and is run once more after a transient failure, whose
 * rows are discarded.
 *
 * @param again called before the second attempt
 */
export async function extractInAttempts<T>(
  job: TableJob,
  extract: (job: TableJob) => Promise<T>,
  again: () => Promise<void> | undefined,
): Promise<T> {
  const { plan, run, signal } = job;
  if (!runsQuery(plan)) return extract(job);
  const attempt = async () => {
    using timeout = withTimeout(`the query of table ${plan.name}`, run.materializeTimeoutMs, signal);
    return await extract({ ...job, signal: timeout.signal });
  };
  try {
    return await attempt();
  } catch (error) {
    const isPassing = isAgnesError(error) && error.retry === "transient" && !NOT_REPEATED.has(error.code);
    if (!isPassing || signal.aborted) throw error;
    const { host, log } = run.services;
    log.warn("the query of a materialized table failed and is run once more", { table: plan.name, error });
    await host.sleep(PAUSE_MS, signal);
    throwIfAborted(signal, "the extraction");
    await again();
  }
  return attempt();
}
