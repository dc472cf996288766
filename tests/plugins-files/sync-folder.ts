import { join } from "node:path";

import { createHost, silentLog } from "../../lib/base/mod.ts";
import { extractSource, publishedStates, type ExtractStats, type TablePlan } from "../../lib/extract/mod.ts";
import { discoverTables } from "../../lib/sources/mod.ts";
import type { Folder } from "./support.ts";

/**
 * Syncs the tables of a folder into `extract` beside it.
 *
 * @param options the options of the source; `isKnown`: whether to use the published state
 */
export async function syncFolder(
  folder: Folder,
  options: Readonly<Record<string, unknown>>,
  { plan = {}, isKnown = true }: { readonly plan?: Partial<TablePlan>; readonly isKnown?: boolean } = {},
): Promise<ExtractStats> {
  const directory = join(folder.path, "extract");
  const host = createHost();
  const { handle } = await folder.connect(options, isKnown ? publishedStates(host, directory) : undefined);
  const tables = await discoverTables(handle);
  return extractSource(
    { host, log: silentLog, limits: { memoryMb: 512, threads: 2 } },
    {
      directory,
      source: { name: "exports", plugin: handle.plugin, connector: handle.connector },
      tables: tables.map((info) => ({
        id: `exports.${info.name}`,
        name: info.name,
        info,
        mode: "local",
        strategy: "full_refresh",
        primaryKey: info.primaryKey,
        schemaPolicy: "evolve",
        quarantine: false,
        description: "",
        ...plan,
      })),
    },
  );
}
