import type { LogEntry } from "./storage.ts";

/** How many changes entries have together. */
export function countChanges(entries: readonly LogEntry[]): number {
  return entries.reduce((sum, { changes }) => sum + changes.length, 0);
}

/** Parts of a page that have at most so many changes, or one entry, so that a store can index each in one call. */
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
