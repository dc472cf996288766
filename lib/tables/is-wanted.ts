import type { TableRecord } from "./record/mod.ts";
import type { TableFilter } from "./types.ts";

/** Whether a table matches the parts of a filter that no index of the registry covers. */
export function isWanted(table: TableRecord, { dataset, text }: TableFilter): boolean {
  if (dataset !== undefined && table.dataset !== dataset) return false;
  const part = text?.toLowerCase();
  if (part === undefined) return true;
  return [table.id, table.viewName, table.sourceTable, table.description].some((field) =>
    field?.toLowerCase().includes(part),
  );
}
