import type { Run } from "./types.ts";

/** The fields that runs of the same request share, if they were skipped for the same reason. */
const SAME = ["trigger", "actor", "full", "requested", "error"] as const satisfies readonly (keyof Run)[];

/**
 * Returns a run that ended, and the id of the run before it that it replaces, if both are skipped for the same reason: a source
 * that is down for days would otherwise fill the list of runs.
 *
 * @param previous the run of the source before it
 */
export function withSkips(
  run: Run,
  previous: Run | undefined,
): { readonly run: Run; readonly replaced: string | null } {
  if (run.status !== "skipped" || previous?.status !== "skipped") return { run, replaced: null };
  if (SAME.some((field) => JSON.stringify(run[field]) !== JSON.stringify(previous[field])))
    return { run, replaced: null };
  const { count, since } = previous.skips ?? { count: 1, since: previous.startedAt };
  return { run: { ...run, skips: { count: count + 1, since } }, replaced: previous.id };
}
