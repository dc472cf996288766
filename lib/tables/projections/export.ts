import { publishFile, type Host } from "../../base/mod.ts";
import type { TableRegistry } from "../registry.ts";
import type { RegistrySnapshot } from "../types.ts";
import { renderDataDescription } from "./data-description.ts";
import { renderRegistryJson } from "./registry-json.ts";

/** `markdown`: `data_description.md`; `json`: the whole registry; `audit`: its log, one change a line. */
export type ProjectionFormat = "markdown" | "json" | "audit";

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
): AsyncIterable<string> {
  if (format === "audit") yield* auditLines(registry);
  else {
    const snapshot = await snapshotOf(registry);
    yield format === "json" ? renderRegistryJson(snapshot) : renderDataDescription(snapshot);
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
): Promise<void> {
  await publishFile(host, path, async (temporary) => {
    await host.files.write(temporary, "");
    // Each append is made durable, so the lines of a long log go together.
    let waiting = "";
    for await (const piece of renderProjection(registry, format)) {
      waiting += piece;
      if (waiting.length < APPEND_CHARACTERS) continue;
      await host.files.append(temporary, waiting);
      waiting = "";
    }
    await host.files.append(temporary, waiting);
  });
}
