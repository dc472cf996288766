import { join } from "node:path";

import { publishFile, type Host } from "../base/mod.ts";
import { dataPaths } from "../workspace/mod.ts";

/** The last list of tables, so that an unchanged one is not sent again. */
export interface StoredManifest {
  readonly etag: string;
  readonly content: unknown;
}

const manifestPath = (data: string) => join(dataPaths.copy(data), "manifest.json");

/** Reads the stored list; null if there is none, or if it is of another server. Losing it only costs one response. */
export async function readStoredManifest(
  { files }: Pick<Host, "files">,
  data: string,
  server: string,
): Promise<StoredManifest | null> {
  const bytes = await files.read(manifestPath(data));
  if (bytes === null) return null;
  try {
    const stored = JSON.parse(new TextDecoder().decode(bytes)) as StoredManifest & {
      readonly server: string;
    };
    return stored.server === server && typeof stored.etag === "string" ? stored : null;
  } catch {
    return null;
  }
}

/** Stores the list; without an ETag, removes the stored one. */
export async function writeStoredManifest(
  host: Pick<Host, "files" | "random">,
  data: string,
  server: string,
  manifest: { readonly etag: string | null; readonly content: unknown },
): Promise<void> {
  const path = manifestPath(data);
  if (manifest.etag === null) return host.files.remove(path);
  await publishFile(host, path, JSON.stringify({ server, ...manifest }));
}
