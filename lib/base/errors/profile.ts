import { errorSpec, formatValue } from "./spec.ts";

/** Errors of profiles of tables. */
export const profileErrors = {
  profile_missing: errorSpec<{ table: string }>({
    status: 404,
    message: (d) => `table ${formatValue(d.table)} has no profile yet`,
    hint: (d) => `Compute it in the workspace with \`agnes profile ${d.table}\`.`,
  }),
  profile_unavailable: errorSpec<{ table: string; reason: string }>({
    status: 409,
    exit: 2,
    message: (d) => `table ${formatValue(d.table)} cannot be profiled: ${d.reason}`,
    hint: (d) =>
      `\`agnes sample ${d.table}\` shows some of its rows; for a profile, copy the table with the query mode local or materialized.`,
  }),
  profile_process_ended: errorSpec<{
    table: string;
    /** How it ended, such as `signal SIGSEGV`. */
    reason: string;
  }>({
    status: 502,
    message: (d) => `the process that profiled table ${formatValue(d.table)} ended: ${d.reason}`,
    hint: (d) =>
      `An earlier profile stays. The log of the server has the output of the process; \`agnes profile ${d.table} --refresh\` profiles the table in the terminal.`,
  }),
  profile_memory_exceeded: errorSpec<{ table: string; limitMb: number }>({
    status: 507,
    message: (d) =>
      `the process that profiled table ${formatValue(d.table)} was killed because it used more than ${d.limitMb} MB of memory`,
    hint: (d) =>
      `An earlier profile stays. If the table is too large for a profile, run \`agnes table update ${d.table} --profile-after-sync false\`.`,
  }),
} as const;
