import { AgnesError, shellQuoted, type TableCommand } from "../base/mod.ts";
import type { TableRecord } from "../tables/mod.ts";

/**
 * Adds the command for a table to the details of an error whose hint uses it: a registered table is updated, another one
 * is registered. Other errors are returned unchanged.
 *
 * @param table its id, or the source and the source's own name of an unregistered table
 */
export function withTableCommand(
  error: AgnesError,
  table: Pick<TableRecord, "id" | "quarantine"> | { readonly source: string; readonly table: string },
): AgnesError {
  const { code, details, cause, retry } = error;
  // A plugin's own codes have no hints about commands.
  if (code.includes("/")) return error;
  const completed = new AgnesError(code, { ...details, tableCommand: commandOf(table) } as typeof details, {
    cause,
    retry,
  });
  return completed.hint === error.hint ? error : completed;
}

function commandOf(table: Parameters<typeof withTableCommand>[1]): TableCommand {
  return "id" in table
    ? { update: `agnes table update ${shellQuoted(table.id)}`, canQuarantine: !table.quarantine }
    : {
        update: `agnes table register ${shellQuoted(table.source)} ${shellQuoted(table.table)}`,
        canQuarantine: true,
      };
}
