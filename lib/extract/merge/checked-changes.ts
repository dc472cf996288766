import { AgnesError, bigintAsText, formatValue } from "../../base/mod.ts";
import type { Change, Row } from "../../kit/mod.ts";
import { publishedColumns, type TablePlan } from "../job/plan.ts";
import { NO_KEY, type Quarantine } from "../write/quarantine.ts";
import { invalidRows } from "./invalid-rows.ts";
import type { StoredOrder } from "./stored-order.ts";

type Replacement = Extract<Change, { kind: "replace" }>;

/** A change with valid keys. */
export type CheckedChange = (
  | Exclude<Change, Replacement>
  | (Replacement & {
      /** All rows with a key that the source listed. Rejected ones keep their earlier versions. */
      readonly members: readonly Row[];
    })
) & {
  /** The number of the change in the batch, counted from 1. */
  readonly number: number;
};

/**
 * Returns the changes with valid keys and, if the table has a quarantine, valid values. Others are quarantined, or fail
 * the table if it has no quarantine. A rejected change must not supersede an earlier one.
 * @throws `primary_key_null`, `replace_invalid`
 */
export function checkedChanges(
  plan: TablePlan,
  changes: readonly Change[],
  quarantine: Quarantine | null,
): readonly CheckedChange[] {
  const { name, primaryKey } = plan;
  const invalid = quarantine === null ? null : invalidRows(plan, changes);
  let withoutKey = 0;
  /** Whether a row has a key; rejects it otherwise. */
  const hasKey = (record: Row, number: number): boolean => {
    const column = primaryKey.find((one) => record[one] == null);
    if (column === undefined) return true;
    withoutKey += 1;
    quarantine?.add({ row: number, column, value: "null", reason: NO_KEY, record });
    return false;
  };
  /** Whether the values of a row are valid; rejects it otherwise. Values are checked later without a quarantine. */
  const isValid = (record: Row, number: number): boolean => {
    const reject = invalid?.get(record);
    if (reject !== undefined) quarantine?.add({ ...reject, row: number, record });
    return reject === undefined;
  };
  const checked = changes.flatMap((change, at): readonly CheckedChange[] => {
    const number = at + 1;
    if (change.kind !== "replace") {
      const record = change.kind === "upsert" ? change.row : change.key;
      return hasKey(record, number) && isValid(record, number) ? [{ ...change, number }] : [];
    }
    const { parent } = change;
    const missing = missingParent(plan, parent) ?? invalid?.get(parent) ?? null;
    if (missing !== null) {
      const { column, value, reason } = missing;
      if (quarantine === null)
        throw new AgnesError("replace_invalid", { table: name, column, value, reason });
      for (const record of change.rows.length === 0 ? [parent] : change.rows)
        quarantine.add({ row: number, column, value, reason, record });
      return [];
    }
    const members = change.rows.filter((row) => hasKey(row, number));
    return [{ ...change, rows: members.filter((row) => isValid(row, number)), members, number }];
  });
  if (withoutKey > 0 && quarantine === null) {
    throw new AgnesError("primary_key_null", { table: name, columns: primaryKey, rows: withoutKey });
  }
  return checked;
}

/**
 * Returns the changes without the rows of replacements that have another parent. They are quarantined, or fail the
 * table if it has no quarantine.
 * @throws `replace_invalid`
 */
export function withinParents(
  { name: table }: Pick<TablePlan, "name">,
  changes: readonly CheckedChange[],
  order: StoredOrder,
  quarantine: Quarantine | null,
): readonly CheckedChange[] {
  return changes.map((change) => {
    if (change.kind !== "replace") return change;
    const { parent, number } = change;
    const expected = Object.keys(parent).map((column) => ({ column, rank: order.rankOf(parent, column) }));
    const rows = change.rows.filter((record) => {
      const found = expected.find(({ column, rank }) => order.rankOf(record, column) !== rank);
      if (found === undefined) return true;
      const { column } = found;
      const value = printed(record[column]);
      const reason = `the value of the parent is ${printed(parent[column])}`;
      if (quarantine === null) throw new AgnesError("replace_invalid", { table, column, value, reason });
      quarantine.add({ row: number, column, value, reason, record });
      return false;
    });
    return { ...change, rows };
  });
}

interface Mismatch {
  readonly column: string;
  readonly value: string;
  readonly reason: string;
}

/**
 * The reason why a parent does not identify rows, or null.
 * @throws `replace_invalid` if the table has no such column
 */
function missingParent(plan: TablePlan, parent: Row): Mismatch | null {
  if (Object.keys(parent).length === 0)
    return { column: "*", value: "{}", reason: "the parent has no columns" };
  const known = publishedColumns(plan);
  const unknown = Object.keys(parent).find((column) => !known.includes(column));
  if (unknown !== undefined) {
    throw new AgnesError("replace_invalid", {
      table: plan.name,
      column: unknown,
      value: printed(parent[unknown]),
      reason: "the table has no such column",
    });
  }
  const column = Object.keys(parent).find((one) => parent[one] == null);
  return column === undefined ? null : { column, value: "null", reason: "the value of the parent is null" };
}

const PRINTED_MAX = 80;

/** Prints a value; lists and objects as JSON. */
function printed(value: unknown): string {
  if (value == null) return "null";
  if (typeof value !== "object" || value instanceof Date) return formatValue(value);
  const text = JSON.stringify(value, bigintAsText);
  return text.length <= PRINTED_MAX ? text : `${text.slice(0, PRINTED_MAX)}…`;
}
