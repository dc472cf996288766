import { join } from "node:path";

import { createHost, type Host } from "../base/mod.ts";
import { LogNames } from "./log-names.ts";
import { LogPaths } from "./log-paths.ts";

/**
 * Whether a catalog in files has any trace of entries; makes nothing, and does not look whether they are whole.
 *
 * @param place.directory the folder that was given to `fileStorage`
 * @throws `catalog_corrupt` when something else is in the place of its log; `file_failed`
 * @example
 * ```ts
 * import { hasFileLog } from "agnes/catalog";
 * console.log(await hasFileLog({ directory: "data/state", catalog: "notes" }));
 * ```
 */
export function hasFileLog(place: {
  readonly directory: string;
  readonly catalog: string;
  /** Default: the real one. */
  readonly host?: Pick<Host, "files" | "now">;
}): Promise<boolean> {
  const { catalog, directory, host = createHost() } = place;
  return new LogNames(catalog, new LogPaths(join(directory, catalog)), host).exist();
}
