import type { Change, Row } from "../../kit/mod.ts";
import type { TablePlan } from "../job/plan.ts";
import type { CheckedChange } from "./checked-changes.ts";
import { familyOf } from "./family.ts";
import { only, versionedKey } from "./stage-rows.ts";
import { identityOf, type Identity, type StoredOrder } from "./stored-order.ts";

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
  /** The rank of its version; null if it has none. */
  readonly version: number | null;
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
  plan: Pick<TablePlan, "primaryKey" | "cursor">,
  order: StoredOrder,
): TableChanges {
  const { cursor } = plan;
  const idOf = identityOf(order, plan.primaryKey);
  const versionOf = (row: Row) => (cursor === undefined ? null : order.rankOf(row, cursor));
  const families = new Map<string, Family>();
  for (const change of changes) {
    if (change.kind !== "replace") continue;
    const { columns, name } = familyOf(change);
    if (!families.has(name)) families.set(name, new Family(columns, identityOf(order, columns)));
  }
  const last = new Map<Identity, Entry>();
  /**
   * Rows that were deleted without a version while another change has one. They are handled like parents of one row.
   */
  const deleted = new Map<Identity, Row>();
  const put = (id: Identity, entry: Entry) => {
    // Deleting the entry first keeps the map in the order of the winning changes.
    last.delete(id);
    last.set(id, entry);
    if (entry.change.kind === "upsert")
      for (const family of families.values()) family.add(id, entry.change.row);
  };
  for (const change of changes) {
    if (change.kind === "replace") {
      const family = families.get(familyOf(change).name)!;
      const members = new Set(change.members.filter((row) => order.has(row)).map(idOf));
      for (const id of family.replace(change, last)) {
        if (!members.has(id)) put(id, deletionOf(last.get(id)!, plan));
      }
      for (const row of change.rows) {
        deleted.delete(idOf(row));
        const upsert = { kind: "upsert", table: change.table, row } as const;
        put(idOf(row), { change: upsert, version: versionOf(row), isSettled: true });
      }
      continue;
    }
    const row = rowOf(change);
    const id = idOf(row);
    const before = last.get(id);
    const version = versionOf(row);
    if (before !== undefined && isOlder(version, before.version)) continue;
    const isSettled = before?.isSettled ?? false;
    const isUnversioned = (one: Entry["change"]) =>
      cursor !== undefined && one.kind === "delete" && one.key[cursor] == null;
    // A deletion without a version keeps the version of the change before it.
    if (before !== undefined && isUnversioned(change) && !isUnversioned(before.change)) {
      put(id, deletionOf(before, plan));
      if (!isSettled) deleted.set(id, row);
    } else {
      if (before !== undefined && !isSettled && isUnversioned(before.change)) deleted.set(id, row);
      put(id, { change, version, isSettled });
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
  { change, version, isSettled }: Entry,
  plan: Pick<TablePlan, "primaryKey" | "cursor">,
): Entry {
  const key = only(rowOf(change), versionedKey(plan));
  // A row without a version wins over every published version, and so does its deletion.
  const isFinal = isSettled || (plan.cursor !== undefined && version === null);
  return { change: { kind: "delete", table: change.table, key }, version, isSettled: isFinal };
}

function split(last: ReadonlyMap<Identity, Entry>): Omit<TableChanges, "replaced"> {
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
  readonly #parentOf: (row: Row) => Identity;
  /** Ids of rows that had this parent. Some may have another one now. */
  readonly #children = new Map<Identity, Set<Identity>>();
  readonly #replaced = new Map<Identity, Extract<CheckedChange, { kind: "replace" }>>();

  constructor(columns: readonly string[], parentOf: (row: Row) => Identity) {
    this.#columns = columns;
    this.#parentOf = parentOf;
  }

  add(id: Identity, row: Row): void {
    const parent = this.#parentOf(row);
    const children = this.#children.get(parent);
    if (children === undefined) this.#children.set(parent, new Set([id]));
    else children.add(id);
  }

  /** Records a replacement and returns the ids of the rows that earlier changes assigned to its parent. */
  replace(
    change: Extract<CheckedChange, { kind: "replace" }>,
    last: ReadonlyMap<Identity, Entry>,
  ): readonly Identity[] {
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
      // A rejected row may have another parent, but it is listed as a row of this one.
      members: changes.flatMap(({ members, parent }) => members.map((row) => ({ ...row, ...parent }))),
    };
  }
}

function rowOf(change: Entry["change"]): Row {
  return change.kind === "upsert" ? change.row : change.key;
}

/** Whether one version is older than another; false if one of them is unknown. */
function isOlder(version: number | null, other: number | null): boolean {
  return version !== null && other !== null && version < other;
}
