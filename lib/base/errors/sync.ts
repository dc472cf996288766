import { errorSpec, shown } from "./spec.ts";

/** Codes of a sync as a whole. */
export const syncErrors = {
  table_vanished: errorSpec<{ source: string; table: string }>({
    status: 404,
    message: (d) => `source ${d.source} has no table ${shown(d.table)} any more`,
    hint: () =>
      "What was published of it stays; remove it with `agnes table unregister` if it is gone for good.",
  }),
} as const;
