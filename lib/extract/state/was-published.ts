import type { Host } from "../../base/mod.ts";
import { extractPath, lockPath } from "../format/paths.ts";

/** Whether a folder holds an extract that Agnes published. Extracts of other writers have no lock file. */
export async function wasPublished({ files }: Pick<Host, "files">, directory: string): Promise<boolean> {
  const found = await Promise.all(
    [extractPath(directory), lockPath(directory)].map((path) => files.stat(path)),
  );
  return found.every((stat) => stat !== null);
}
