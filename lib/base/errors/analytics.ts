import { errorSpec, shown } from "./spec.ts";

/** Codes of building and attaching `analytics.duckdb`. */
export const analyticsErrors = {
  view_failed: errorSpec<{ table: string; reason: string }>({
    message: (d) => `table ${shown(d.table)} cannot be shown: ${d.reason}`,
    hint: () => "Sync its source again; the others are published.",
  }),
  remote_unavailable: errorSpec<{ table: string; reason: string }>({
    status: 502,
    message: (d) => `the remote table ${shown(d.table)} cannot be reached: ${d.reason}`,
    hint: () =>
      "`agnes doctor` lists what each remote table needs; with `--install-extensions` it installs extensions.",
  }),
} as const;
