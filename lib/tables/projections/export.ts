import { storedChange } from "../history.ts";
import type { TableRegistry } from "../registry.ts";
import type { RegistrySnapshot } from "../types.ts";
import { renderDataDescription } from "./data-description.ts";
import { renderRegistryJson } from "./registry-json.ts";
import { renderUpstreamDescription } from "./render-upstream.ts";

/**
 * `markdown`: `data_description.md`; `json`: the whole registry; `audit`: its log, one change per line; `upstream`: a
 * `data_description.md` for readers of the earlier system.
 */
export type ProjectionFormat = "markdown" | "json" | "audit" | "upstream";

/** Options of the format `upstream`. */
export interface ProjectionOptions {
  /** The source to export. Required if the registry has tables of several sources. */
  readonly source?: string;
  /** Receives a note for each field or table that the format cannot represent. Default: discarded. */
  readonly onNote?: (note: string) => void;
}

/** A consistent snapshot of the registry at one version. */
export async function snapshotOf(registry: TableRegistry): Promise<RegistrySnapshot> {
  for (;;) {
    const version = await registry.version();
    const [tables, folders] = [await registry.list(), await registry.folders()];
    // Retries if the registry changed in between, so that tables and folders have the same version.
    if ((await registry.version()) === version) return { version, tables, folders };
  }
}

/** Renders the registry in a format, as pieces of text. */
export async function* renderProjection(
  registry: TableRegistry,
  format: ProjectionFormat,
  options: ProjectionOptions = {},
): AsyncIterable<string> {
  if (format === "audit") return yield* auditLines(registry);
  const snapshot = await snapshotOf(registry);
  if (format === "json") yield renderRegistryJson(snapshot);
  else if (format === "markdown") yield renderDataDescription(snapshot);
  else {
    const { text, notes } = renderUpstreamDescription(snapshot, options.source);
    for (const note of notes) options.onNote?.(note);
    yield text;
  }
}

/** The audit log, one JSON object per line, oldest first. */
export async function* auditLines(registry: TableRegistry, from = 1): AsyncIterable<string> {
  for await (const change of registry.changes(from)) yield `${JSON.stringify(storedChange(change))}\n`;
}
