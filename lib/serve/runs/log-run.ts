import { isAgnesError, type Log } from "../../base/mod.ts";
import type { SourceReport } from "../../sync/mod.ts";

/** Writes one entry about a run that is over: a warning unless all of its tables are up to date. */
export function logRun(log: Log, run: string | undefined, report: SourceReport): void {
  const { source, status, stats, error } = report;
  const failed = stats?.tablesFailed ?? 0;
  const first = error ?? stats?.errors[0]?.error;
  const counts =
    stats === undefined ? {} : { extracted: stats.tablesExtracted, unchanged: stats.tablesSkipped, failed };
  const fields = { source, run, ...counts };
  if (first === undefined) return log.info("a run ended", { ...fields, status });
  log.warn(status === "skipped" ? "a run was skipped" : "a run failed", {
    ...fields,
    status,
    code: codeOf(first),
  });
}

/** Writes one entry about each run that its sync ended. */
export function logEnded(log: Log, runs: ReadonlyMap<string, string>, error: unknown): void {
  const isStopped = isAgnesError(error, "aborted");
  for (const [source, run] of runs)
    log.warn(isStopped ? "a run was stopped" : "a run failed", { source, run, code: codeOf(error) });
}

function codeOf(error: unknown): string {
  return isAgnesError(error) ? error.code : "internal";
}
