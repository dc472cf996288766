import { extractSource, readExtract } from "../extract/mod.ts";
import { dataPaths } from "../workspace/mod.ts";
import type { SyncServices } from "./services.ts";

/**
 * Takes a table that is not registered any more out of what is published: a new generation of its extract without
 * it. Older generations still hold it until they are swept.
 */
export async function dropPublishedTable(
  services: Pick<SyncServices, "host" | "log" | "limits" | "workspace">,
  table: { readonly source: string; readonly name: string },
): Promise<void> {
  const directory = dataPaths.extract(services.workspace.dataDirectory, table.source);
  const published = await readExtract(directory);
  const names = published?.tables.map(({ name }) => name) ?? [];
  if (published === null || !names.includes(table.name)) return;
  const { plugin, pluginVersion } = published.generation;
  await extractSource(services, {
    directory,
    source: { name: table.source, plugin: { name: plugin, version: pluginVersion }, connector: {} },
    tables: [],
    keep: names.filter((name) => name !== table.name),
  });
}

/** Takes out what an unregistration left published: its process stopped, or it could not do it. */
export async function dropLeftTables(
  services: Pick<SyncServices, "host" | "log" | "limits" | "workspace" | "tables">,
  source: string,
): Promise<void> {
  const published = await readExtract(dataPaths.extract(services.workspace.dataDirectory, source));
  for (const { name } of published?.tables ?? []) {
    // Only what somebody took out is dropped: a registry that was lost has no such entry.
    const [last] = await services.tables.history({ id: `${source}.${name}`, first: "newest", limit: 1 });
    if (last?.action === "unregister") await dropPublishedTable(services, { source, name });
  }
}
