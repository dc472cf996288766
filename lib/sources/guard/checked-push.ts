import { formatValue } from "../../base/mod.ts";
import type { Change, PushEvent } from "../../kit/mod.ts";

/** Checks the events of `verify`, because invalid ones could not be read back from the spool. */
export function checkedEvents(events: readonly PushEvent[]): readonly PushEvent[] {
  const value: unknown = events;
  if (!Array.isArray(value))
    throw new TypeError(`it returned ${formatValue(value)}, which is not a list of events`);
  for (const event of value as readonly unknown[]) {
    const { id, body, orderingKey } = (event ?? {}) as Partial<Record<keyof PushEvent, unknown>>;
    if (typeof id !== "string" || id === "")
      throw new TypeError(`it returned an event with the id ${formatValue(id)}; an id is a non-empty text`);
    if (body === undefined) throw new TypeError(`it returned the event ${formatValue(id)} without a body`);
    if (orderingKey !== undefined && typeof orderingKey !== "string") {
      throw new TypeError(
        `it returned the event ${formatValue(id)} with the ordering key ${formatValue(orderingKey)}; an ordering key is a text`,
      );
    }
  }
  return events;
}

/** Checks a change of `stream`. */
export function checkedChange(change: Change): Change {
  const value: unknown = change;
  if (!isObject(value)) throw new TypeError(`it yielded ${formatValue(value)}, which is not a change`);
  if (typeof change.table === "string" && hasRows(change)) return change;
  throw new TypeError(
    'it yielded an object that is not a change; use `{ kind: "upsert", table, row }`, `{ kind: "delete", table, key }` ' +
      'or `{ kind: "replace", table, parent, rows }`',
  );
}

function hasRows(change: Change): boolean {
  switch (change.kind) {
    case "upsert":
      return isObject(change.row);
    case "delete":
      return isObject(change.key);
    case "replace": {
      const { parent, rows } = change as Partial<typeof change>;
      // A parent without columns would match the whole table.
      return (
        isObject(parent) && Object.keys(parent).length > 0 && Array.isArray(rows) && rows.every(isObject)
      );
    }
    default:
      return false;
  }
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
