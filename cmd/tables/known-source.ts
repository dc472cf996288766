import { unknownSource } from "../../lib/sources/mod.ts";
import type { SourceConfig, Workspace } from "../../lib/workspace/mod.ts";

/**
 * The configuration of a source of the workspace.
 * @throws `source_unknown`
 */
export function knownSource(workspace: Workspace, source: string): SourceConfig {
  const { sources } = workspace.config;
  const config = Object.hasOwn(sources, source) ? sources[source] : undefined;
  if (config === undefined) throw unknownSource(source, Object.keys(sources));
  return config;
}
