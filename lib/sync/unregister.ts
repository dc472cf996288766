import { extractSource, readExtract } from "../extract/mod.ts";
import { dataPaths } from "../workspace/mod.ts";
import type { SyncServices } from "./services.ts";

/**
 * Removes an unregistered table from the published data, with a new generation of its extract. Older generations
 * contain it until they are swept.
 */
export async function dropPublishedTable(
  services: Pick<SyncServices, "host" | "log" | "limits" | "workspace">,
  table: { readonly source: string; readonly name: string },
): Promise<void> {
  const directory = dataPaths.extract(services.workspace.dataDirectory, table.source);
  const published = await readExtract(services.host.files, directory);
  const names = published?.tables.map(({ name }) => name) ?? [];
  if (published === null || !names.includes(table.name)) return;
  const { plugin, pluginVersion } = published.generation;
  await extractSource(services, {
    directory,
    kind: "unregister",
    source: { name: table.source, plugin: { name: plugin, version: pluginVersion }, connector: {} },
    tables: [],
    keep: names.filter((name) => name !== table.name),
  });
}

/** Removes published tables that an interrupted or failed unregistration left. */
export async function dropLeftTables(
  services: Pick<SyncServices, "host" | "log" | "limits" | "workspace" | "tables">,
  source: string,
): Promise<void> {
  const published = await readExtract(
    services.host.files,
    dataPaths.extract(services.workspace.dataDirectory, source),
  );
  for (const { name } of published?.tables ?? []) {
    // Only tables with an unregistration in the log are removed, so a lost registry removes nothing.
    const [last] = await services.tables.history({ id: `${source}.${name}`, first: "newest", limit: 1 });
    if (last?.action === "unregister") await dropPublishedTable(services, { source, name });
  }
}
