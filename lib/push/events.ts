import { AgnesError, copyRow } from "../base/mod.ts";
import type { AnyConnector, Change, PushEvent, TableInfo } from "../kit/mod.ts";

/** New events, and the ids to remember. */
export interface FreshEvents {
  readonly fresh: readonly PushEvent[];
  /** The ids to store with the merged events, newest last. */
  readonly remember: readonly string[];
}

/** Removes events that are already merged or occur twice. */
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
  return { fresh, remember: [...seen].slice(-idsKept) };
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
  return change.kind === "upsert"
    ? { ...change, row: copyRow(change.row) }
    : { ...change, key: copyRow(change.key) };
}
