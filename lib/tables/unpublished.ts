import { AgnesError, isAgnesError } from "../base/mod.ts";
import type { TableRegistry } from "./registry.ts";

/**
 * Adds the id of a registered table that is not published yet to the error `table_unknown`. Other errors are returned
 * unchanged.
 *
 * @param access ids or view names of the tables that the caller may see; undefined or null means all
 */
export async function explainUnknown(
  error: unknown,
  tables: () => Promise<Pick<TableRegistry, "list">>,
  access?: ReadonlySet<string> | null,
): Promise<unknown> {
  if (!isAgnesError(error, "table_unknown")) return error;
  const named = error.details.table.toLowerCase();
  const record = (await (await tables()).list()).find((one) =>
    [one.id.toLowerCase(), one.viewName.toLowerCase()].includes(named),
  );
  if (record === undefined) return error;
  const allowed = access == null ? null : new Set([...access].map((name) => name.toLowerCase()));
  if (
    allowed !== null &&
    !allowed.has(record.id.toLowerCase()) &&
    !allowed.has(record.viewName.toLowerCase())
  ) {
    return error;
  }
  return new AgnesError("table_unknown", { ...error.details, registered: record.id }, { cause: error });
}
