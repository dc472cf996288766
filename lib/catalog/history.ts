import type { EventLog } from "./event-log.ts";
import { rowKeyOf } from "./keys.ts";
import type { CatalogSchema, LogEntry, LoggedChange } from "./storage.ts";
import type { CommittedChange, HistoryEntry, HistoryOptions } from "./types.ts";

type KeyedHistory = Omit<HistoryOptions, "rowKey"> & { readonly key?: string };

const LIMIT = 1000;
/** Entries per read when the log is searched because the indexes have forgotten a key. */
const SEARCH_AT_ONCE = 256;

/** The requested entries, of all records or of one. */
export async function historyOf<R>(
  log: EventLog,
  schema: CatalogSchema,
  options: KeyedHistory,
): Promise<readonly HistoryEntry<R>[]> {
  const newest = Math.min(options.to ?? log.sequence, log.sequence);
  const wanted = {
    from: Math.max(options.from ?? 1, 1),
    to: newest,
    limit: options.limit ?? LIMIT,
    oldestFirst: options.first !== "newest",
  };
  const entries =
    options.key === undefined ? await ofAll(log, wanted) : await ofKey(log, options.key, wanted);
  return entries.map(({ changes, ...entry }) => ({
    ...entry,
    changes: changesOf<R>(
      schema,
      changes.filter(({ key }) => options.key === undefined || options.key === key),
    ),
  }));
}

/** Converts logged changes to committed changes. */
export function changesOf<R>(
  schema: CatalogSchema,
  changes: readonly LoggedChange[],
): readonly CommittedChange<R>[] {
  return changes.map(({ key, before, after }) => ({
    kind: after === null ? "delete" : before === null ? "insert" : "replace",
    rowKey: rowKeyOf(key, schema.rowKey.length),
    before: before as R | null,
    after: after as R | null,
  }));
}

interface Wanted {
  readonly from: number;
  readonly to: number;
  readonly limit: number;
  readonly oldestFirst: boolean;
}

async function ofAll(log: EventLog, wanted: Wanted): Promise<readonly LogEntry[]> {
  const { from, to, limit, oldestFirst } = wanted;
  const first = oldestFirst ? from : Math.max(from, to - limit + 1);
  const last = oldestFirst ? Math.min(to, from + limit - 1) : to;
  const found: LogEntry[] = [];
  if (first > last) return found;
  for await (const page of log.pages(first)) {
    found.push(...page.filter(({ sequence }) => sequence <= last));
    if (page.at(-1)!.sequence >= last) break;
  }
  return oldestFirst ? found : found.reverse();
}

/** Each change of a key names the entry of its previous change, so only the entries of the key are read. */
async function ofKey(log: EventLog, key: string, wanted: Wanted): Promise<readonly LogEntry[]> {
  const found: LogEntry[] = [];
  const row = await log.row(key);
  let sequence = row?.version ?? (await lastOf(log, key, wanted.from, log.forgotten));
  while (sequence >= wanted.from) {
    const [entry] = await log.slice(sequence, sequence);
    if (entry === undefined) break;
    if (sequence <= wanted.to) found.push(entry);
    if (!wanted.oldestFirst && found.length === wanted.limit) return found;
    const change = entry.changes.find((each) => each.key === key);
    if (change === undefined)
      return log.corrupt(sequence, "it does not change the record whose history refers to it");
    const { forgotten = 0, previous } = change;
    sequence = previous > 0 ? previous : await lastOf(log, key, wanted.from, forgotten);
  }
  return wanted.oldestFirst ? found.reverse().slice(0, wanted.limit) : found;
}

/**
 * Finds the last entry of a key that the indexes have forgotten by reading the log backwards from `to`. Returns 0 if
 * there is none.
 */
async function lastOf(log: EventLog, key: string, from: number, to: number): Promise<number> {
  for (let last = to; last >= from; last -= SEARCH_AT_ONCE) {
    const entries = await log.slice(Math.max(from, last - SEARCH_AT_ONCE + 1), last);
    const newest = entries.findLast(({ changes }) => changes.some((change) => change.key === key));
    if (newest !== undefined) return newest.sequence;
  }
  return 0;
}
