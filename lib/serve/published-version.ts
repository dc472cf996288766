import type { Host } from "../base/mod.ts";
import type { TableRegistry } from "../tables/mod.ts";
import { dataPaths } from "../workspace/mod.ts";

/** Changes with each rebuild of `analytics.duckdb`, and with each change of the registry. */
export async function publishedVersion(
  { files }: Pick<Host, "files">,
  dataDirectory: string,
  registry: Pick<TableRegistry, "version">,
): Promise<string> {
  const path = dataPaths.analytics(dataDirectory);
  const [version, file] = await Promise.all([registry.version(), fileVersion({ files }, path)]);
  return JSON.stringify([version, file]);
}

/** Changes when a file is replaced or written. @returns null: there is no file */
export async function fileVersion({ files }: Pick<Host, "files">, path: string): Promise<string | null> {
  const [identity, stat] = await Promise.all([files.identify(path), files.stat(path)]);
  return stat === null ? null : JSON.stringify([identity, stat.sizeBytes, stat.modifiedAtMs]);
}
