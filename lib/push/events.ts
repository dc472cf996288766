import { AgnesError, copyRow } from "../base/mod.ts";
import type { AnyConnector, Change, PushEvent, TableInfo } from "../kit/mod.ts";

/** New events, and the ids to remember. */
export interface FreshEvents {
  readonly fresh: readonly PushEvent[];
  /** Number of new events that a later one of the same ordering key supersedes; `fresh` does not contain them. */
  readonly superseded: number;
  /** The ids to store with the merged events, newest last. */
  readonly remember: readonly string[];
}

/**
 * Removes events that are already merged, occur twice, or are superseded by a later new event of their ordering key.
 *
 * The ids of superseded events are remembered with those of their successors, which are merged in the same publish.
 *
 * @param idsKept the number of ids to remember; all ids of these events are remembered even if they are more
 */
export function freshEvents(
  known: readonly string[],
  events: readonly PushEvent[],
  idsKept: number,
): FreshEvents {
  const seen = new Set(known);
  const fresh = events.filter(({ id }) => {
    if (seen.has(id)) return false;
    seen.add(id);
    return true;
  });
  const last = new Map<string, PushEvent>();
  for (const event of fresh) if (event.orderingKey !== undefined) last.set(event.orderingKey, event);
  const standing = fresh.filter(
    (event) => event.orderingKey === undefined || last.get(event.orderingKey) === event,
  );
  return {
    fresh: standing,
    superseded: fresh.length - standing.length,
    remember: [...seen].slice(-Math.max(idsKept, fresh.length)),
  };
}

/** Converts events to changes with the connector. The changes are grouped by the source's name of the table. */
export async function collectChanges(
  connector: AnyConnector,
  source: string,
  events: readonly PushEvent[],
  tables: readonly TableInfo[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, readonly Change[]>> {
  if (connector.stream === undefined) {
    throw new AgnesError("table_plan_invalid", {
      table: "*",
      reason: `source ${source} does not support pushed events`,
    });
  }
  const stream = async function* () {
    yield* events;
  };
  const known = new Set(tables.map((table) => table.name));
  const changes = new Map<string, Change[]>();
  for await (const change of connector.stream(stream(), { tables, signal })) {
    signal.throwIfAborted();
    if (!known.has(change.table)) continue;
    const own = copyOf(change);
    const list = changes.get(change.table);
    if (list === undefined) changes.set(change.table, [own]);
    else list.push(own);
  }
  return changes;
}

/** The connector may use its objects again. */
function copyOf(change: Change): Change {
  switch (change.kind) {
    case "upsert":
      return { ...change, row: copyRow(change.row) };
    case "delete":
      return { ...change, key: copyRow(change.key) };
    case "replace":
      return { ...change, parent: copyRow(change.parent), rows: change.rows.map((row) => copyRow(row)) };
  }
}
