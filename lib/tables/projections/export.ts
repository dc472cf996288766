import { publishFile, type Host } from "../../base/mod.ts";
import type { TableRegistry } from "../registry.ts";
import type { RegistrySnapshot } from "../types.ts";
import { renderDataDescription } from "./data-description.ts";
import { renderRegistryJson } from "./registry-json.ts";
import { renderUpstreamDescription } from "./render-upstream.ts";

/**
 * `markdown`: `data_description.md`; `json`: the whole registry; `audit`: its log, one change a line; `upstream`: a
 * `data_description.md` for the readers of the earlier system.
 */
export type ProjectionFormat = "markdown" | "json" | "audit" | "upstream";

/** What the format `upstream` needs beside the registry. */
export interface ProjectionOptions {
  /** The source whose tables are exported. Default: that of all tables, when there is only one. */
  readonly source?: string;
  /** Is told what the format has no words for. */
  readonly onNote?: (note: string) => void;
}

const APPEND_CHARACTERS = 1_000_000;

/** Everything that is registered at one version of the registry. */
export async function snapshotOf(registry: TableRegistry): Promise<RegistrySnapshot> {
  for (;;) {
    const version = await registry.version();
    const [tables, folders] = [await registry.list(), await registry.folders()];
    // Someone may have changed it in between; tables of one version and folders of another were never the registry.
    if ((await registry.version()) === version) return { version, tables, folders };
  }
}

/** The registry in one of its forms, as pieces of text. */
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

/** The audit log, one JSON object a line, oldest first. */
export async function* auditLines(registry: TableRegistry, from = 1): AsyncIterable<string> {
  for await (const change of registry.changes(from)) yield `${JSON.stringify(change)}\n`;
}

/** Writes the registry in one of its forms to a file; readers see the old content or the new. */
export async function writeProjection(
  registry: TableRegistry,
  host: Pick<Host, "files" | "random">,
  path: string,
  format: ProjectionFormat,
  options: ProjectionOptions = {},
): Promise<void> {
  await publishFile(host, path, async (temporary) => {
    await host.files.write(temporary, "");
    // Each append is made durable, so the lines of a long log go together.
    let waiting = "";
    for await (const piece of renderProjection(registry, format, options)) {
      waiting += piece;
      if (waiting.length < APPEND_CHARACTERS) continue;
      await host.files.append(temporary, waiting);
      waiting = "";
    }
    await host.files.append(temporary, waiting);
  });
}
