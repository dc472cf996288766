import { AgnesError, formatValue } from "../../base/mod.ts";
import type { Change, Row } from "../../kit/mod.ts";
import { publishedColumns, type TablePlan } from "../job/plan.ts";
import { NO_KEY, type Quarantine } from "../write/quarantine.ts";
import { identityOf } from "./identity.ts";

type Replacement = Extract<Change, { kind: "replace" }>;

/** A change with valid keys. */
export type CheckedChange =
  | Exclude<Change, Replacement>
  | (Replacement & {
      /** All rows that the source listed. Rejected ones keep their published versions. */
      readonly members: readonly Row[];
    });

/**
 * Returns the changes with valid keys. Others are quarantined, or fail the table if it has no quarantine.
 * @throws `primary_key_null`, `replace_invalid`
 */
export function checkedChanges(
  plan: TablePlan,
  changes: readonly Change[],
  quarantine: Quarantine | null,
): readonly CheckedChange[] {
  const { name, primaryKey } = plan;
  let withoutKey = 0;
  /** Whether a row has a key; rejects it otherwise. */
  const hasKey = (record: Row, at: number): boolean => {
    const column = primaryKey.find((one) => record[one] == null);
    if (column === undefined) return true;
    withoutKey += 1;
    quarantine?.add({ row: at + 1, column, value: "null", reason: NO_KEY, record });
    return false;
  };
  const checked = changes.flatMap((change, at): readonly CheckedChange[] => {
    if (change.kind !== "replace") {
      return hasKey(change.kind === "upsert" ? change.row : change.key, at) ? [change] : [];
    }
    const reject = ({ column, value, reason, record }: Mismatch) => {
      if (quarantine === null)
        throw new AgnesError("replace_invalid", { table: name, column, value, reason });
      quarantine.add({ row: at + 1, column, value, reason, record });
    };
    const { parent } = change;
    const missing = missingParent(plan, parent);
    if (missing !== null) {
      for (const record of change.rows.length === 0 ? [parent] : change.rows) reject({ ...missing, record });
      return [];
    }
    const keyed = change.rows.filter((row) => hasKey(row, at));
    const mismatchOf = mismatchWith(plan, parent);
    const rows = keyed.filter((row) => {
      const mismatch = mismatchOf(row);
      if (mismatch !== null) reject({ ...mismatch, record: row });
      return mismatch === null;
    });
    // A rejected row may have another parent, but it is listed as a row of this one.
    return [{ ...change, rows, members: keyed.map((row) => ({ ...row, ...parent })) }];
  });
  if (withoutKey > 0 && quarantine === null) {
    throw new AgnesError("primary_key_null", { table: name, columns: primaryKey, rows: withoutKey });
  }
  return checked;
}

interface Mismatch {
  readonly column: string;
  readonly value: string;
  readonly reason: string;
  readonly record: Row;
}

/**
 * The reason why a parent does not identify rows, or null.
 * @throws `replace_invalid` if the table has no such column
 */
function missingParent(plan: TablePlan, parent: Row): Omit<Mismatch, "record"> | null {
  const known = publishedColumns(plan);
  const unknown = Object.keys(parent).find((column) => !known.includes(column));
  if (unknown !== undefined) {
    throw new AgnesError("replace_invalid", {
      table: plan.name,
      column: unknown,
      value: formatValue(parent[unknown]),
      reason: "the table has no such column",
    });
  }
  const column = Object.keys(parent).find((one) => parent[one] == null);
  return column === undefined ? null : { column, value: "null", reason: "the value of the parent is null" };
}

/** Returns a function that finds a column of a row whose value differs from that of the parent, or null. */
function mismatchWith({ info }: TablePlan, parent: Row): (row: Row) => Omit<Mismatch, "record"> | null {
  const columns = Object.keys(parent).map((column) => {
    const identity = identityOf(info.schema, [column]);
    return { column, identity, expected: identity(parent) };
  });
  return (row) => {
    const found = columns.find(({ identity, expected }) => identity(row) !== expected);
    if (found === undefined) return null;
    const { column } = found;
    const reason = `the value of the parent is ${formatValue(parent[column])}`;
    return { column, value: row[column] == null ? "null" : formatValue(row[column]), reason };
  };
}
