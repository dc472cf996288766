import { AgnesError } from "../../base/mod.ts";
import type { Change, Row } from "../../kit/mod.ts";
import type { TablePlan } from "../job/plan.ts";
import { NO_KEY, type Quarantine } from "../write/quarantine.ts";

/** The last change of each row of a table. */
export interface TableChanges {
  readonly upserts: readonly Row[];
  readonly deletes: readonly Row[];
}

/**
 * Changes that say which row they are of. The others go to quarantine, or fail the table when it has none.
 * @throws `primary_key_null`
 */
export function changesWithKeys(
  plan: Pick<TablePlan, "name" | "primaryKey">,
  changes: readonly Change[],
  quarantine: Quarantine | null,
): readonly Change[] {
  const missing = changes.map((change) => plan.primaryKey.find((column) => rowOf(change)[column] == null));
  const rows = missing.filter((column) => column !== undefined).length;
  if (rows > 0 && quarantine === null) {
    throw new AgnesError("primary_key_null", { table: plan.name, columns: plan.primaryKey, rows });
  }
  return changes.filter((change, at) => {
    const column = missing[at];
    if (column === undefined) return true;
    quarantine?.add({ row: at + 1, column, value: "null", reason: NO_KEY, record: rowOf(change) });
    return false;
  });
}

/**
 * The state each row ends in after changes that may have come out of order.
 *
 * The greater value of the cursor column wins, of equals and of those without one the later change.
 */
export function lastChanges(
  changes: readonly Change[],
  key: readonly string[],
  cursor: string | undefined,
): TableChanges {
  const last = new Map<string, Change>();
  for (const change of changes) {
    const row = rowOf(change);
    const id = JSON.stringify(key.map((column) => plain(row[column])));
    const before = last.get(id);
    if (before !== undefined && cursor !== undefined && isOlder(row[cursor], rowOf(before)[cursor])) continue;
    // Taken out first, so that the order of the map is the order of the changes that count.
    last.delete(id);
    last.set(id, change);
  }
  const kept = [...last.values()];
  return {
    upserts: kept.flatMap((change) => (change.kind === "upsert" ? [change.row] : [])),
    deletes: kept.flatMap((change) => (change.kind === "delete" ? [change.key] : [])),
  };
}

function rowOf(change: Change): Row {
  return change.kind === "upsert" ? change.row : change.key;
}

/** Whether one version is certainly older than another; versions that cannot be compared are not. */
function isOlder(version: unknown, other: unknown): boolean {
  const [a, b] = [comparable(version), comparable(other)];
  if (a === null || b === null || typeof a !== typeof b) return false;
  return a < b;
}

function comparable(value: unknown): number | bigint | string | null {
  if (value instanceof Date) return value.getTime();
  if (typeof value === "number" || typeof value === "bigint") return value;
  if (typeof value !== "string") return null;
  const time = /^\d{4}-\d\d-\d\d/.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(time) ? value : time;
}

function plain(value: unknown): unknown {
  if (value instanceof Date) return value.toISOString();
  return typeof value === "bigint" ? value.toString() : (value ?? null);
}
