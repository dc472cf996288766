import { isAgnesError } from "../base/mod.ts";
import type { TablePlan } from "../extract/mod.ts";
import { table, type AnyPlugin, type TableInfo } from "../kit/mod.ts";
import { registeredTable } from "../sources/mod.ts";
import {
  checkedQuery,
  checkQueriedColumns,
  extractionSettings,
  sourceTablesOf,
  type TableRecord,
} from "../tables/mod.ts";

/** The plan of a run of one source. */
export interface SourcePlan {
  readonly tables: readonly TablePlan[];
  /** Registered tables that the source no longer has. Their published data stays. */
  readonly vanished: readonly TableRecord[];
}

/**
 * Combines the registered tables with those of the source.
 *
 * A materialized table whose query is SQL needs no counterpart in the source. Without `discover`, the registered tables are
 * read, and their columns come with the first rows. A table whose JSON query is not valid any more gets a plan that fails.
 *
 * @param discovered the tables of the source; `null` if its plugin cannot list them
 */
export function planSource(
  records: readonly TableRecord[],
  discovered: readonly TableInfo[] | null,
  now: Date,
  plugin: Pick<AnyPlugin, "name" | "sourceQuery">,
): SourcePlan {
  const tables: TablePlan[] = [];
  const vanished: TableRecord[] = [];
  const sourceTable = discovered === null ? registeredTable : sourceTablesOf(discovered);
  const columnsFrom = discovered === null ? ({ columnsFrom: "read" } as const) : {};
  for (const record of records) {
    const isJson = plugin.sourceQuery !== undefined && record.sourceTable !== null;
    const info = record.sourceQuery !== null && !isJson ? table(record.name, {}) : sourceTable(record);
    if (info === undefined) vanished.push(record);
    else tables.push({ ...planOf(record, info, now, plugin), ...columnsFrom });
  }
  return { tables, vanished };
}

function planOf(
  record: TableRecord,
  info: TableInfo,
  now: Date,
  { name, sourceQuery: schema }: Pick<AnyPlugin, "name" | "sourceQuery">,
): TablePlan {
  try {
    if (schema === undefined) return { info, ...extractionSettings(record, info, now) };
    const form = { plugin: name, schema, now, isRegistered: true };
    const query = checkedQuery(record, record.id, form);
    const known = info.schema.fields.map((field) => String(field.name));
    // Without `discover` the columns come with the rows.
    if (query !== null && known.length > 0) checkQueriedColumns(query, record.id, known);
    return { info, ...extractionSettings(record, info, now, query) };
  } catch (error) {
    // The plugin may have changed since the table was registered, or a date in the query is now too late.
    if (!isAgnesError(error)) throw error;
    return { info: { ...info, problem: error, hasBadRows: false }, ...extractionSettings(record, info, now) };
  }
}
