import type { Change, Row } from "../../kit/mod.ts";
import type { TablePlan } from "../job/plan.ts";
import type { CheckedChange } from "./checked-changes.ts";
import { identityOf } from "./identity.ts";

/** The last change of each row of a table, and the parents whose unlisted rows are deleted. */
export interface TableChanges {
  readonly upserts: readonly Row[];
  readonly deletes: readonly Row[];
  /** Changes that apply regardless of the version of the published row. */
  readonly settled: { readonly upserts: readonly Row[]; readonly deletes: readonly Row[] };
  readonly replaced: readonly ReplacedParents[];
}

/** Parents that are identified by the same columns. */
export interface ReplacedParents {
  readonly columns: readonly string[];
  readonly parents: readonly Row[];
  /** The current rows of the parents, with the values of their parent. */
  readonly members: readonly Row[];
}

interface Entry {
  readonly change: Exclude<Change, { kind: "replace" }>;
  readonly isSettled: boolean;
}

/**
 * Returns the final state of each row after changes that may have arrived out of order.
 *
 * The greater value of the cursor column wins; among equal values and values that are null, the later change wins. A
 * replacement wins over all changes before it.
 */
export function lastChanges(
  changes: readonly CheckedChange[],
  plan: Pick<TablePlan, "primaryKey" | "cursor" | "info">,
): TableChanges {
  const { cursor } = plan;
  const { schema } = plan.info;
  const idOf = identityOf(schema, plan.primaryKey);
  const families = new Map<string, Family>();
  for (const change of changes) {
    if (change.kind !== "replace") continue;
    const columns = Object.keys(change.parent).sort();
    const name = JSON.stringify(columns);
    if (!families.has(name)) families.set(name, new Family(columns, identityOf(schema, columns)));
  }
  const last = new Map<string, Entry>();
  /**
   * Rows that were deleted without a version while another change has one. They are handled like parents of one row.
   */
  const deleted = new Map<string, Row>();
  const put = (id: string, entry: Entry) => {
    // Deleting the entry first keeps the map in the order of the winning changes.
    last.delete(id);
    last.set(id, entry);
    if (entry.change.kind === "upsert")
      for (const family of families.values()) family.add(id, entry.change.row);
  };
  for (const change of changes) {
    if (change.kind === "replace") {
      const family = families.get(JSON.stringify(Object.keys(change.parent).sort()))!;
      const members = new Set(change.members.map(idOf));
      for (const id of family.replace(change, last)) {
        const { change: before, isSettled } = last.get(id)!;
        if (!members.has(id)) put(id, deletionOf(before, plan, isSettled));
      }
      for (const row of change.rows) {
        deleted.delete(idOf(row));
        put(idOf(row), { change: { kind: "upsert", table: change.table, row }, isSettled: true });
      }
      continue;
    }
    const row = rowOf(change);
    const id = idOf(row);
    const before = last.get(id);
    if (before !== undefined && cursor !== undefined && isOlder(row[cursor], rowOf(before.change)[cursor])) {
      continue;
    }
    const isSettled = before?.isSettled ?? false;
    const isUnversioned = (one: Entry["change"]) =>
      cursor !== undefined && one.kind === "delete" && one.key[cursor] == null;
    if (before?.change.kind === "upsert" && isUnversioned(change)) {
      put(id, deletionOf(before.change, plan, isSettled));
      if (!isSettled) deleted.set(id, row);
    } else {
      if (before !== undefined && !isSettled && isUnversioned(before.change)) deleted.set(id, row);
      put(id, { change, isSettled });
    }
  }
  const replaced = [...families.values()].map((family) => family.replaced());
  if (deleted.size > 0) {
    replaced.push({ columns: plan.primaryKey, parents: [...deleted.values()], members: [] });
  }
  return { ...split(last), replaced };
}

/** The deletion of a row at the version of a change. */
function deletionOf(
  change: Entry["change"],
  { primaryKey, cursor }: Pick<TablePlan, "primaryKey" | "cursor">,
  isSettled: boolean,
): Entry {
  const row = rowOf(change);
  const columns = cursor === undefined ? primaryKey : [...primaryKey, cursor];
  const key = Object.fromEntries(columns.map((column) => [column, row[column]]));
  // A row without a version wins over every published version, and so does its deletion.
  const isFinal = isSettled || (cursor !== undefined && row[cursor] == null);
  return { change: { kind: "delete", table: change.table, key }, isSettled: isFinal };
}

function split(last: ReadonlyMap<string, Entry>): Omit<TableChanges, "replaced"> {
  const of = (kind: "upsert" | "delete", isSettled: boolean) =>
    [...last.values()]
      .filter((entry) => entry.change.kind === kind && entry.isSettled === isSettled)
      .map((entry) => rowOf(entry.change));
  return {
    upserts: of("upsert", false),
    deletes: of("delete", false),
    settled: { upserts: of("upsert", true), deletes: of("delete", true) },
  };
}

/** The replaced parents of one set of columns, and the changed rows of each parent. */
class Family {
  readonly #columns: readonly string[];
  readonly #parentOf: (row: Row) => string;
  /** Ids of rows that had this parent. Some may have another one now. */
  readonly #children = new Map<string, Set<string>>();
  readonly #replaced = new Map<string, Extract<CheckedChange, { kind: "replace" }>>();

  constructor(columns: readonly string[], parentOf: (row: Row) => string) {
    this.#columns = columns;
    this.#parentOf = parentOf;
  }

  add(id: string, row: Row): void {
    const parent = this.#parentOf(row);
    const children = this.#children.get(parent);
    if (children === undefined) this.#children.set(parent, new Set([id]));
    else children.add(id);
  }

  /** Records a replacement and returns the ids of the rows that earlier changes assigned to its parent. */
  replace(
    change: Extract<CheckedChange, { kind: "replace" }>,
    last: ReadonlyMap<string, Entry>,
  ): readonly string[] {
    const parent = this.#parentOf(change.parent);
    this.#replaced.set(parent, change);
    const children = [...(this.#children.get(parent) ?? [])];
    this.#children.delete(parent);
    return children.filter((id) => {
      const entry = last.get(id)!;
      return entry.change.kind === "upsert" && this.#parentOf(entry.change.row) === parent;
    });
  }

  replaced(): ReplacedParents {
    const changes = [...this.#replaced.values()];
    return {
      columns: this.#columns,
      parents: changes.map(({ parent }) => parent),
      members: changes.flatMap(({ members }) => members),
    };
  }
}

function rowOf(change: Entry["change"]): Row {
  return change.kind === "upsert" ? change.row : change.key;
}

/** Whether one version is older than another; false if they cannot be compared. */
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
