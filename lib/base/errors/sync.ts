import { spokenDuration } from "../duration.ts";
import { errorSpec, formatValue } from "./spec.ts";

/** Errors of a sync as a whole. */
export const syncErrors = {
  source_running: errorSpec<{
    source: string;
    /** The process that runs it. */
    holder: string;
    /** The run, if it is known, and when it, or the sync that will run it, began. */
    runId?: string;
    startedAt?: string;
    /** The runs of other sources that the sync has begun, if this source waits for its turn. */
    runIds?: readonly string[];
  }>({
    status: 409,
    retry: "transient",
    message: (d) =>
      d.runId === undefined
        ? `source ${d.source} is being synced by ${d.holder}${waitText(d)}`
        : `source ${d.source} is being synced by ${d.holder}: run ${d.runId}, since ${d.startedAt}`,
    hint: (d) => `Wait for it to end; \`agnes runs ${d.source}\` shows its progress.`,
  }),
  sync_process_ended: errorSpec<{
    source: string;
    /** How it ended, such as `signal SIGSEGV`. */
    reason: string;
  }>({
    status: 502,
    message: (d) => `the process that synced source ${d.source} ended before its report: ${d.reason}`,
    hint: (d) =>
      `What was published stays. The log of the server has the output of the process; \`agnes sync ${d.source}\` runs the connector in the terminal.`,
  }),
  sync_memory_exceeded: errorSpec<{ source: string; limitMb: number }>({
    status: 507,
    message: (d) =>
      `the process that synced source ${d.source} was killed because it used more than ${d.limitMb} MB of memory`,
    hint: () =>
      "What was published stays. Raise `limits.memoryMb` in agnes.yaml, or let the connector yield smaller batches.",
  }),
  sync_stalled: errorSpec<{ source: string; stalledMs: number }>({
    status: 504,
    retry: "transient",
    message: (d) =>
      `source ${d.source} made no progress for ${spokenDuration(d.stalledMs)}, so its run was stopped`,
    hint: (d) =>
      `What was published stays. If it needs more time, raise \`sources.${d.source}.stalledMs\` in agnes.yaml.`,
  }),
  run_unknown: errorSpec<{ id: string }>({
    status: 404,
    exit: 2,
    message: (d) => `there is no run ${formatValue(d.id)}`,
    hint: () => "`agnes runs` lists the runs that are kept.",
  }),
  table_vanished: errorSpec<{
    id: string;
    source: string;
    table: string;
    /** Whether queries read it from the source. */
    isRemote?: boolean;
  }>({
    status: 404,
    message: (d) => `source ${d.source} does not list table ${formatValue(d.table)}`,
    hint: (d) =>
      `${d.isRemote === true ? "" : "The published data stays. "}Check the name, the options of the source, and whether its credentials may read the table; if it was deleted permanently, remove it with \`agnes table unregister ${d.id}\`.`,
  }),
} as const;

function waitText(sync: { readonly startedAt?: string; readonly runIds?: readonly string[] }): string {
  if (sync.startedAt === undefined) return "";
  const runs = sync.runIds?.length ? `; the runs of its other sources: ${sync.runIds.join(", ")}` : "";
  return `: it waits for its turn in the sync that began ${sync.startedAt}${runs}`;
}
