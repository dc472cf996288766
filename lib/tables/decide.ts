import { AgnesError, formatValue } from "../base/mod.ts";
import { isPlainObject, isVendorName, type TableChange, type TableRecord } from "./record/mod.ts";
import { allTables, registered, tableKey, type RegisteredTable } from "./stored.ts";
import { Absent, Stale, type View } from "./transaction.ts";

/** One table before and after a change. */
export interface Decision {
  readonly before: RegisteredTable | null;
  readonly after: TableRecord;
}

export type Decide = (view: View) => Promise<Decision>;

/** Checks that the registry has the version the caller expects. */
export function checkRegistryVersion(view: View, expected: number | undefined): void {
  if (expected !== undefined && expected !== view.sequence)
    throw new Stale(undefined, expected, view.sequence);
}

/** The registered table. Throws if it changed after the expected version. */
export async function present(
  view: View,
  id: string,
  expected: number | undefined,
): Promise<RegisteredTable> {
  const found = await view.get(tableKey(id));
  if (found === null) throw new Absent(id);
  const table = registered(found);
  if (expected !== undefined && (expected < table.version || expected > view.sequence)) {
    throw new Stale(table.id, expected, expected > view.sequence ? view.sequence : table.version);
  }
  return table;
}

/**
 * Checks that no other table has the view name.
 * @throws `table_view_taken`
 */
export async function checkViewName(view: View, { id, source, name, viewName }: TableRecord): Promise<void> {
  const owners = await view.query({ view_key: viewName.toLowerCase() }, allTables);
  const owner = owners.map(registered).find((table) => table.id !== id);
  if (owner === undefined) return;
  const suggestion = `${source}_${name}`.toLowerCase().slice(0, 64);
  throw new AgnesError("table_view_taken", { viewName, owner: owner.id, suggestion });
}

/** The name of unchecked content in errors. */
export function nameOf(change: TableChange): string {
  const { source, name, sourceTable } = isPlainObject(change) ? change : {};
  // Other values may be hostile, and the error names their field.
  const parts = [source, name ?? sourceTable].filter(
    (part) => typeof part === "string" && isVendorName(part),
  );
  if (parts.length === 0) return "the table";
  const text = parts.join(".");
  return `the table ${/^[\w.-]+$/.test(text) ? text : formatValue(text)}`;
}
