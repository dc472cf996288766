import { errorSpec, formatValue } from "./spec.ts";

/** Errors of a sync as a whole. */
export const syncErrors = {
  table_vanished: errorSpec<{ id: string; source: string; table: string }>({
    status: 404,
    message: (d) => `source ${d.source} no longer has table ${formatValue(d.table)}`,
    hint: (d) =>
      `The published data stays; remove it with \`agnes table unregister ${d.id}\` if the table was deleted permanently.`,
  }),
} as const;
