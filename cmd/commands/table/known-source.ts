import { AgnesError, nearest } from "../../../lib/base/mod.ts";
import type { SourceConfig, Workspace } from "../../../lib/workspace/mod.ts";

/**
 * The configuration of a source of the workspace.
 * @throws `source_unknown`
 */
export function knownSource(workspace: Workspace, source: string): SourceConfig {
  const { sources } = workspace.config;
  const config = Object.hasOwn(sources, source) ? sources[source] : undefined;
  if (config !== undefined) return config;
  const known = Object.keys(sources);
  const near = nearest(source.slice(0, 100), known);
  throw new AgnesError("source_unknown", { source, known, ...(near === undefined ? {} : { nearest: near }) });
}
