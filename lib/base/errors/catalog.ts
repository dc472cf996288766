import { spokenDuration } from "../duration.ts";
import { counted } from "../counted.ts";
import { errorSpec, formatValue } from "./spec.ts";

/** Errors of event-sourced catalogs and their storages. */
export const catalogErrors = {
  catalog_conflict: errorSpec<{
    catalog: string;
    /** The row key; omitted if the conflict is about the whole log. */
    key?: string;
    expectedVersion: number;
    actualVersion: number;
    /** The changes since the expected version, one line each, newest last. */
    changedSince: readonly string[];
  }>({
    status: 409,
    message: (d) =>
      `${d.key === undefined ? `the log of catalog ${d.catalog}` : `${formatValue(d.key)} in catalog ${d.catalog}`} ` +
      `is at version ${d.actualVersion}, not ${d.expectedVersion}` +
      (d.changedSince.length === 0 ? "" : `; since then: ${d.changedSince.join("; ")}`),
    hint: () => "Read it again and apply the change to the current version.",
  }),
  catalog_busy: errorSpec<{ catalog: string; attempts: number; waitedMs: number }>({
    status: 503,
    retry: "transient",
    message: (d) =>
      `${counted(d.attempts, "attempt")} to write to catalog ${d.catalog} conflicted with other writers ` +
      `in ${spokenDuration(d.waitedMs)}; nothing was written`,
    hint: () => "Try again when fewer processes write, or write several records in one batch.",
  }),
  catalog_unavailable: errorSpec<{ catalog: string; operation: string; reason: string }>({
    status: 503,
    retry: "transient",
    message: (d) => `the storage of catalog ${d.catalog} could not ${d.operation}: ${d.reason}`,
    hint: () => "Check that the storage is reachable and try again; acknowledged writes are safe.",
  }),
  catalog_storage_refused: errorSpec<{ catalog: string; operation: string; reason: string }>({
    status: 502,
    message: (d) => `the storage of catalog ${d.catalog} rejected the request to ${d.operation}: ${d.reason}`,
    hint: () => "Check the credentials, their permissions and the configured names of the storage.",
  }),
  catalog_outcome_unknown: errorSpec<{ catalog: string; sequence: number; entry: string; reason: string }>({
    status: 503,
    retry: "transient",
    message: (d) =>
      `it is unknown whether entry ${d.sequence} (${d.entry}) of catalog ${d.catalog} was written: ${d.reason}`,
    hint: (d) =>
      `When the storage is available again, check whether the history contains entry ${d.sequence} with that id before you repeat the change.`,
  }),
  catalog_corrupt: errorSpec<{ catalog: string; place: string; reason: string }>({
    message: (d) => `catalog ${d.catalog} is damaged at ${d.place}: ${d.reason}`,
    hint: () =>
      "Nothing was changed, and damaged data is never treated as empty. Restore the damaged piece, or the whole catalog, " +
      'from a backup; see "When a catalog is damaged" in docs/guide/catalog.md.',
  }),
  catalog_schema_differs: errorSpec<{ catalog: string; locked: string; requested: string }>({
    status: 409,
    exit: 2,
    message: (d) => `catalog ${d.catalog} was created with ${d.locked}, but opened with ${d.requested}`,
    hint: () => "Open it with its original schema, or copy its records to a catalog with another name.",
  }),
  catalog_record_invalid: errorSpec<{ catalog: string; field: string; reason: string }>({
    status: 400,
    exit: 2,
    message: (d) => `field ${formatValue(d.field)} of a record for catalog ${d.catalog} ${d.reason}`,
    hint: () => "Correct the record; nothing was written.",
  }),
  catalog_filter_invalid: errorSpec<{ catalog: string; field: string; reason: string }>({
    status: 400,
    exit: 2,
    message: (d) => `catalog ${d.catalog} cannot be filtered by ${formatValue(d.field)}: ${d.reason}`,
    hint: () => "Filter by index keys; each takes a string, a number, a boolean or null.",
  }),
  catalog_too_large: errorSpec<{ catalog: string; what: string; sizeBytes: number; sizeBytesMax: number }>({
    status: 413,
    exit: 2,
    message: (d) =>
      `${d.what} takes ${counted(d.sizeBytes, "byte")} in the log of catalog ${d.catalog}; its storage allows ${d.sizeBytesMax}`,
    hint: () => "Write smaller batches; nothing was written.",
  }),
  catalog_closed: errorSpec<{ catalog: string }>({
    message: (d) => `catalog ${d.catalog} is closed`,
    hint: () => "Open it again.",
  }),
} as const;
