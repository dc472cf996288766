import { errorSpec, formatValue } from "./spec.ts";

/** Errors of building and attaching `analytics.duckdb`. */
export const analyticsErrors = {
  view_failed: errorSpec<{ table: string; reason: string }>({
    message: (d) => `table ${formatValue(d.table)} cannot be published as a view: ${d.reason}`,
    hint: () => "Sync its source again; all other tables are published.",
  }),
  extract_refused: errorSpec<{ path: string; reason: string }>({
    status: 409,
    message: (d) => `the extract ${d.path} was rejected: ${d.reason}`,
    hint: () => "Correct the program that writes it, then run `agnes sync`.",
  }),
  extract_changed: errorSpec<{ table: string }>({
    status: 409,
    message: (d) => `the extract of table ${formatValue(d.table)} changed since it was published`,
    hint: () => "Run `agnes sync` to check and publish it again.",
  }),
  analytics_outdated: errorSpec<{ reason: string }>({
    status: 503,
    message: (d) => `the new rows are on disk, but queries return the earlier ones: ${d.reason}`,
    hint: () =>
      "Correct the cause, then run `agnes sync`, or send `POST /api/admin/registry/rebuild` to the server.",
  }),
  remote_unavailable: errorSpec<{ table: string; reason: string }>({
    status: 502,
    message: (d) => `the remote table ${formatValue(d.table)} cannot be reached: ${d.reason}`,
    hint: () =>
      "`agnes doctor` lists the requirements of each remote table; `agnes doctor --install-extensions` installs extensions.",
  }),
} as const;
