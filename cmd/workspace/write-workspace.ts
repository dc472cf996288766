import { dirname, join, resolve } from "node:path";

import { AgnesError, type Host } from "../../lib/base/mod.ts";
import { CONFIG_FILE } from "../../lib/workspace/mod.ts";

/** The content of the files of a new workspace, by path. */
export type WorkspaceFiles = Readonly<Record<string, string | Uint8Array>>;

/**
 * Writes a new workspace. Existing files are kept. `agnes.yaml` is written last, so a folder with one is complete.
 * @throws `workspace_exists` if the folder has an `agnes.yaml`, `file_failed`, `disk_full`
 */
export async function writeWorkspace(
  host: Pick<Host, "files">,
  directory: string,
  files: WorkspaceFiles,
  folders: readonly string[],
): Promise<{ readonly root: string; readonly kept: readonly string[] }> {
  const root = resolve(directory);
  const config = join(root, CONFIG_FILE);
  if ((await host.files.stat(config)) !== null) throw new AgnesError("workspace_exists", { path: config });
  for (const folder of folders) await host.files.makeDirectory(join(root, folder));
  const kept: string[] = [];
  const ordered = Object.entries(files).toSorted(
    ([a], [b]) => Number(a === CONFIG_FILE) - Number(b === CONFIG_FILE),
  );
  for (const [name, content] of ordered) {
    const path = join(root, name);
    await host.files.makeDirectory(dirname(path));
    if ((await host.files.stat(path)) === null) await host.files.write(path, content);
    else kept.push(path);
  }
  return { root, kept };
}
