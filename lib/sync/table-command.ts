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
    | Pick<TableRecord, "id" | "quarantine" | "invalidValues">
    | { readonly source: string; readonly table: string },
  plugin: { readonly options: unknown },
): AgnesError {
  const { code, cause, message, stack } = error;
  // A plugin's own codes have no hints about commands.
  if (code.includes("/")) return error;
  const details = {
    ...error.details,
    tableCommand: commandOf(table, hasOption(plugin.options, "types")),
  } as typeof error.details;
  const { hint } = new AgnesError(code, details);
  if (hint === new AgnesError(code, error.details).hint) return error;
  return Object.assign(error.withDetails(details, { cause, texts: { message, hint } }), { stack });
}

function commandOf(table: Parameters<typeof withTableCommand>[1], hasTypes: boolean): TableCommand {
  return "id" in table
    ? {
        update: `agnes table update ${shellQuoted(table.id)}`,
        canQuarantine: !table.quarantine && table.invalidValues === "fail",
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
