import { join } from "node:path";

import { createHost, type Host } from "../base/mod.ts";
import { LogNames } from "./log-names.ts";
import { LogPaths } from "./log-paths.ts";

/**
 * Whether a catalog in files has any entries. Creates nothing and does not check that the entries are intact.
 *
 * @param place.directory the `directory` of `fileStorage`
 * @throws `catalog_corrupt` if a part of the log is a file instead of a directory; `file_failed`
 */
export function hasFileLog(place: {
  readonly directory: string;
  readonly catalog: string;
  /** Default: the host of this process. */
  readonly host?: Pick<Host, "files" | "now">;
}): Promise<boolean> {
  const { catalog, directory, host = createHost() } = place;
  return new LogNames(catalog, new LogPaths(join(directory, catalog)), host).exist();
}
