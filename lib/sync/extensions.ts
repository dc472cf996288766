import { namedExtensions, type NamedExtension } from "../analytics/mod.ts";
import type { SyncServices } from "./source.ts";

/** The DuckDB extensions that the loaded plugins name. */
export function extensionsOf({
  plugins,
  workspace,
}: Pick<SyncServices, "plugins" | "workspace">): readonly NamedExtension[] {
  return namedExtensions(plugins.list(), Object.values(workspace.config.sources));
}
