import { AgnesError, shellQuoted, type TableCommand } from "../base/mod.ts";
import type { TableRecord } from "../tables/mod.ts";

/**
 * Adds the command for a table to the details of an error whose hint uses it: a registered table is updated, another one
 * is registered. The message, which may be redacted, and the stack are kept. Other errors are returned unchanged.
 *
 * @param table its id, or the source and the source's own name of an unregistered table
 */
export function withTableCommand(
  error: AgnesError,
  table:
    | Pick<TableRecord, "id" | "quarantine" | "invalidValues" | "queryMode">
    | { readonly source: string; readonly table: string },
  plugin: { readonly options: unknown },
): AgnesError {
  const { cause, message, stack } = error;
  const tableCommand = commandOf(table, hasOption(plugin.options, "types"));
  const details = { ...error.details, tableCommand } as typeof error.details;
  const before = hintOf(error, error.details);
  const completed = hintOf(error, details);
  if (completed === before) return error;
  // What follows the hint of the code stays.
  const hint = error.hint.startsWith(before) ? completed + error.hint.slice(before.length) : completed;
  return Object.assign(error.withDetails(details, { cause, texts: { message, hint } }), { stack });
}

/** The hint of an error with other details. Only the error itself has the definition of a plugin's code. */
function hintOf(error: AgnesError, details: AgnesError["details"]): string {
  const { code } = error;
  return (code.includes("/") ? error.withDetails(details) : new AgnesError(code, details)).hint;
}

function commandOf(table: Parameters<typeof withTableCommand>[1], hasTypes: boolean): TableCommand {
  return "id" in table
    ? {
        update: `agnes table update ${shellQuoted(table.id)}`,
        // A live read quarantines nothing.
        canQuarantine: table.queryMode !== "remote" && !table.quarantine && table.invalidValues === "fail",
        hasTypes,
      }
    : {
        update: `agnes table register ${shellQuoted(table.source)} ${shellQuoted(table.table)}`,
        canQuarantine: true,
        hasTypes,
      };
}

/** Whether a schema of options has one with this name, also inside others. */
function hasOption(schema: unknown, name: string): boolean {
  const { entries, wrapped, item, value, options } = schema as {
    readonly entries?: Readonly<Record<string, unknown>>;
    readonly wrapped?: unknown;
    readonly item?: unknown;
    readonly value?: unknown;
    readonly options?: unknown;
  };
  if (entries !== undefined && Object.hasOwn(entries, name)) return true;
  const parts = [
    wrapped,
    item,
    value,
    ...(Array.isArray(options) ? options : []),
    ...Object.values(entries ?? {}),
  ];
  return parts.some((part) => typeof part === "object" && part !== null && hasOption(part, name));
}
