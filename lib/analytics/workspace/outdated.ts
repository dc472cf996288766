import { join } from "node:path";

import { isAgnesError, type Host } from "../../base/mod.ts";
import { acquireLock } from "../../duckdb/mod.ts";
import { EXTRACT_FILE } from "../../extract/format/mod.ts";
import { dataPaths } from "../../workspace/mod.ts";
import { rebuildLockPath } from "../paths.ts";
import { reportPath } from "../report.ts";

/**
 * Returns the sources whose data was published after the last rebuild, so that queries read earlier rows; none while a
 * rebuild runs. All times are those of files, because the clock of a file server may differ from that of this machine.
 */
export async function outdatedSources(
  { files }: Pick<Host, "files">,
  dataDirectory: string,
  sources: readonly string[],
): Promise<readonly string[]> {
  const rebuilt = await files.stat(reportPath(dataDirectory));
  const outdated: string[] = [];
  for (const source of sources) {
    const published = await files.stat(join(dataPaths.extract(dataDirectory, source), EXTRACT_FILE));
    if (published !== null && published.modifiedAtMs > (rebuilt?.modifiedAtMs ?? 0)) outdated.push(source);
  }
  const mayRebuild = outdated.length > 0 && rebuilt !== null;
  return mayRebuild && (await isRebuilding({ files }, dataDirectory)) ? [] : outdated;
}

async function isRebuilding({ files }: Pick<Host, "files">, dataDirectory: string): Promise<boolean> {
  try {
    const lock = await acquireLock(files, rebuildLockPath(dataDirectory), "the analytics database");
    await lock[Symbol.asyncDispose]();
    return false;
  } catch (error) {
    if (isAgnesError(error, "locked")) return true;
    throw error;
  }
}
