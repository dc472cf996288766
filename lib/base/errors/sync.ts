import { errorSpec, formatValue } from "./spec.ts";

/** Errors of a sync as a whole. */
export const syncErrors = {
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
