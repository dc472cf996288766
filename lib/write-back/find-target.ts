import { AgnesError } from "../base/mod.ts";
import type { TableInfo, WriteMode } from "../kit/mod.ts";
import { discoverTables, unknownSource, type SourceHandle, type SourceServices } from "../sources/mod.ts";
import { sourceTableOf, type RegisteredTable, type TableRegistry } from "../tables/mod.ts";

/** The table that was requested: its source, and its registration or its name in the source. */
export type TargetName =
  | { readonly source: string; readonly record: RegisteredTable }
  | { readonly source: string; readonly record: null; readonly name: string };

/**
 * Finds the source of a table.
 * @param request.source the source whose own name `table` is; default: `table` is registered
 * @throws `source_unknown`, `table_not_registered`, `write_refused` for a table that is the result of a query
 */
export async function findTarget(
  services: SourceServices,
  tables: () => Promise<TableRegistry>,
  { table, source }: { readonly table: string; readonly source?: string },
): Promise<TargetName> {
  const known = Object.keys(services.workspace.config.sources);
  if (source !== undefined) {
    if (!known.includes(source)) throw unknownSource(source, known);
    return { source, record: null, name: table };
  }
  const record = await (await tables()).find(table);
  if (!known.includes(record.source)) throw unknownSource(record.source, known);
  if (record.sourceTable === null) {
    const reason = "it is the result of a query, not a table of the source";
    const advice = "Name a table of the source with `source` and its name there.";
    throw new AgnesError("write_refused", { source: record.source, table, reason, advice });
  }
  return { source: record.source, record };
}

/**
 * Describes the table in its source.
 * @throws `capability_missing`, `table_vanished`, `write_refused`, and the errors of the plugin
 */
export async function describeTarget(
  handle: SourceHandle,
  target: TargetName,
  options: { readonly mode: WriteMode; readonly signal: AbortSignal },
): Promise<TableInfo> {
  const { name: source, plugin, connector } = handle;
  const missing = (capability: string) =>
    new AgnesError("capability_missing", { plugin: plugin.name, source, capability });
  if (connector.write === undefined) throw missing("write");
  const { record } = target;
  const name = record === null ? target.name : record.sourceTable!;
  const info = await (async () => {
    if (connector.writeTarget !== undefined) {
      const bucket = record?.bucket ?? null;
      return connector.writeTarget(name, { ...options, ...(bucket === null ? {} : { bucket }) });
    }
    const discovered = await discoverTables(handle, options);
    return record === null ? discovered.find((one) => one.name === name) : sourceTableOf(record, discovered);
  })();
  if (info === undefined || info === null) {
    if (record !== null) throw new AgnesError("table_vanished", { id: record.id, source, table: name });
    const reason = "the source has no table of that name";
    const advice = `\`agnes connector discover ${source}\` lists its tables.`;
    throw new AgnesError("write_refused", { source, table: name, reason, advice });
  }
  if (info.problem !== undefined) throw info.problem;
  if (info.capabilities?.includes("write") === false) {
    const reason = "the source does not accept rows for it";
    const advice = "Write to another table of the source.";
    throw new AgnesError("write_refused", { source, table: info.name, reason, advice });
  }
  return info;
}
