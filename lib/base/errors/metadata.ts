import { errorSpec, formatValue } from "./spec.ts";

/** Errors of the metadata cache. */
export const metadataErrors = {
  already_running: errorSpec<{
    what: string;
    /** The run that is not over; null: not known. */
    runId: string | null;
    /** ISO 8601; null: not known. */
    startedAt: string | null;
  }>({
    status: 409,
    retry: "transient",
    message: (d) =>
      `${d.what} is already running${d.runId === null ? "" : `: run ${d.runId}, since ${d.startedAt}`}`,
    hint: () => "Wait for it to end. It does the same work, so nothing else is needed.",
  }),
  metadata_not_cached: errorSpec<{ table: string; reason: string }>({
    status: 400,
    exit: 2,
    message: (d) => `the metadata of table ${formatValue(d.table)} is not cached: ${d.reason}`,
    hint: () => "`agnes metadata status` lists the tables whose metadata is cached.",
  }),
} as const;
