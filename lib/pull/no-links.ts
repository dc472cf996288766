import { join } from "node:path";

import { AgnesError, type Files } from "../base/mod.ts";
import { dataPaths } from "../workspace/mod.ts";

/**
 * Checks that no folder or file of the copy, which a pull writes, is a link to another place. The parts of tables are checked
 * when they are compared with the list of the server.
 *
 * @param sources the pulled sources; the folders of others are not looked at
 * @throws `pull_link_found`
 */
export async function checkNoLinks(
  files: Files,
  dataDirectory: string,
  sources: readonly string[],
): Promise<void> {
  await checkFolder(files, dataPaths.copy(dataDirectory), ["downloads"], dataDirectory);
  for (const source of sources)
    await checkFolder(files, dataPaths.extract(dataDirectory, source), ["data"], dataDirectory);
}

/** Checks a path, which may not exist, without what is in it. @throws `pull_link_found` */
export async function checkNoLink(files: Files, path: string, root: string): Promise<void> {
  if ((await files.identify(path))?.kind === "link") throw linkFound(path, root);
}

/** The error of a link. @param root the folder that the error names */
export function linkFound(path: string, root: string): AgnesError {
  return new AgnesError("pull_link_found", { path: path.slice(root.length + 1), folder: root });
}

/** Checks a folder, its entries, and the entries of some of its folders. */
async function checkFolder(
  files: Files,
  folder: string,
  inner: readonly string[],
  root: string,
): Promise<void> {
  await checkNoLink(files, folder, root);
  for (const path of [folder, ...inner.map((name) => join(folder, name))]) {
    const link = (await files.entries(path))?.find(({ kind }) => kind === "link");
    if (link !== undefined) throw linkFound(join(path, link.name), root);
  }
}
