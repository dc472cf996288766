import type { SourceServices } from "../../sources/mod.ts";
import { namedExtensions, type NamedExtension } from "../remote/plan.ts";

/** The DuckDB extensions that loaded plugins declare. */
export function extensionsOf({
  plugins,
  workspace,
}: Pick<SourceServices, "plugins" | "workspace">): readonly NamedExtension[] {
  return namedExtensions(plugins.list(), Object.values(workspace.config.sources));
}
