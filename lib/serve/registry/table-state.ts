import { keysInUse } from "../../extract/mod.ts";
import type { CheckedEntry } from "../../query/mod.ts";
import { folderOf, toStoredFields, type RegisteredTable } from "../../tables/mod.ts";
import { hidePaths } from "../http/hide-paths.ts";
import type { ServeServices } from "../services.ts";

/** Returns a function that adds the state of some tables to their fields. */
export async function withStates(
  { host, workspace, folders }: ServeServices,
  tables: readonly RegisteredTable[],
): Promise<(table: RegisteredTable) => object> {
  const registry = await workspace.tables();
  const { dataDirectory } = workspace.workspace;
  const [catalog, syncs, ofBuckets, keys] = await Promise.all([
    workspace.catalog(),
    workspace.syncStatus(),
    registry.folders(),
    keysInUse(host.files, dataDirectory, tables),
  ]);
  const entries = new Map<string, CheckedEntry>(catalog.map((entry) => [entry.id, entry]));
  const statuses = new Map(syncs.map((status) => [status.id, status]));
  return (table) => {
    const sync = statuses.get(table.id);
    const entry = entries.get(table.id);
    return {
      ...toStoredFields(table),
      published: entry !== undefined,
      rows: entry?.rows ?? null,
      size_bytes: entry?.sizeBytes ?? null,
      extracted_at: entry?.extractedAt ?? null,
      last_sync: entry?.checkedAt ?? null,
      last_sync_status: sync?.status ?? null,
      last_sync_error: hidePaths(sync?.error ?? null, folders),
      due_at: sync?.dueAt?.toISOString() ?? null,
      effective_primary_key: keys.get(table.id),
      effective_folder: folderOf(table, ofBuckets),
    };
  };
}
