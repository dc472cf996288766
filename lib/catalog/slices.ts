import type { LogEntry } from "./storage.ts";

/** The total number of changes in the entries. */
export function countChanges(entries: readonly LogEntry[]): number {
  return entries.reduce((sum, { changes }) => sum + changes.length, 0);
}

/** Splits a page into slices of at most `changesMax` changes, or one entry, for one indexing call each. */
export function* slices(entries: readonly LogEntry[], changesMax: number): Iterable<readonly LogEntry[]> {
  let slice: LogEntry[] = [];
  let changes = 0;
  for (const entry of entries) {
    if (slice.length > 0 && changes + entry.changes.length > changesMax) {
      yield slice;
      slice = [];
      changes = 0;
    }
    slice.push(entry);
    changes += entry.changes.length;
  }
  if (slice.length > 0) yield slice;
}
