import { AgnesError } from "../base/mod.ts";
import { parseManifest } from "./manifest.ts";

/** Characters without a meaning in patterns of rsync. */
const PART_PATH = /^data\/\w[\w-]*\/\w[\w-]*\.parquet$/;

/** A filter of rsync for the parts of tables. */
export interface RsyncFilter {
  /** The rules, relative to the data folder of the server. */
  readonly rules: string;
  readonly tables: number;
  readonly parts: number;
  readonly sizeBytes: number;
}

/**
 * Returns the rules by which rsync copies exactly the listed parts from the data folder of a server to that of a copy.
 * @throws `manifest_invalid`
 */
export function rsyncFilter(server: string, content: unknown): RsyncFilter {
  const { tables, invalid } = parseManifest(server, content);
  for (const error of invalid.values()) throw error;
  const rules = new Set<string>(["+ /extracts/"]);
  const available = tables.filter(({ copy }) => copy !== null);
  let parts = 0;
  let sizeBytes = 0;
  for (const { id, source, copy, remotePaths } of available) {
    rules.add(`+ /extracts/${source}/`).add(`+ /extracts/${source}/data/`);
    for (const path of remotePaths.values()) {
      if (!PART_PATH.test(path))
        throw new AgnesError("manifest_invalid", {
          server,
          what: `table ${id}`,
          reason: "has an unusual path",
        });
      rules.add(`+ /extracts/${source}/${path.slice(0, path.lastIndexOf("/") + 1)}`);
      rules.add(`+ /extracts/${source}/${path}`);
      parts += 1;
    }
    sizeBytes += copy!.sizeBytes;
  }
  const lines = ["# Made by `agnes subscription export`.", ...rules, "- *", ""];
  return { rules: lines.join("\n"), tables: available.length, parts, sizeBytes };
}
