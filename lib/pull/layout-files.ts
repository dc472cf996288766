import { dirname, join } from "node:path";

import * as v from "valibot";

import { AgnesError, publishFile, type Files, type Host } from "../base/mod.ts";
import { sha256OfFile } from "../extract/mod.ts";
import { dataPaths } from "../workspace/mod.ts";

const madeFile = v.object({
  sha256: v.string(),
  sizeBytes: v.number(),
  /** Device and inode of the part that it is a link to; null: it is a copy. */
  id: v.nullable(v.string()),
});

const stored = v.object({ version: v.literal(1), files: v.record(v.string(), v.array(madeFile)) });

/** A file that a pull made in the folder of the layout. */
export type MadeFile = Readonly<v.InferOutput<typeof madeFile>>;

/**
 * The files that pulls made, by their paths relative to the folder of the layout. While a pull replaces a file, its path has
 * the old and the new one.
 */
export type MadeFiles = ReadonlyMap<string, readonly MadeFile[]>;

const listPath = (data: string) => join(dataPaths.copy(data), "layout.json");

/** Reads the list of files that pulls made; null if none did. @throws `copy_unreadable` */
export async function readMadeFiles({ files }: Host, dataDirectory: string): Promise<MadeFiles | null> {
  const path = listPath(dataDirectory);
  const bytes = await files.read(path);
  if (bytes === null) return null;
  try {
    return new Map(Object.entries(v.parse(stored, JSON.parse(new TextDecoder().decode(bytes))).files));
  } catch (error) {
    throw new AgnesError("copy_unreadable", { path }, { cause: error });
  }
}

/** Replaces the list. */
export async function writeMadeFiles(host: Host, dataDirectory: string, made: MadeFiles): Promise<void> {
  const content = { version: 1, files: Object.fromEntries(made) };
  await publishFile(host, listPath(dataDirectory), JSON.stringify(content));
}

/** Whether a path still has the file that a pull made there, and not one of somebody else. */
export async function isMade(
  files: Files,
  path: string,
  made: readonly MadeFile[] | undefined,
): Promise<boolean> {
  if (made === undefined) return false;
  const found = await files.identify(path);
  if (found?.kind !== "file") return false;
  if (made.some(({ id }) => id === found.id)) return true;
  const sizeBytes = (await files.stat(path))?.sizeBytes;
  const alike = made.filter((file) => file.sizeBytes === sizeBytes);
  if (sizeBytes === undefined || alike.length === 0) return false;
  // Copied to another disk, or on a file system without links.
  const sha256 = await sha256OfFile(files, path, sizeBytes);
  return alike.some((file) => file.sha256 === sha256);
}

/** The files of two lists. */
export function allMade(first: MadeFiles, second: MadeFiles): MadeFiles {
  const all = new Map(first);
  for (const [path, files] of second) all.set(path, [...(all.get(path) ?? []), ...files]);
  return all;
}

/** The first path that a place needs and somebody else has, relative to the root; null: none. */
export async function takenPath(
  files: Files,
  { root, made }: { readonly root: string; readonly made: MadeFiles },
  place: { readonly path: string; readonly isFolder: boolean },
): Promise<string | null> {
  const names = place.path.split("/");
  for (let length = 1; length < names.length; length++) {
    const parent = names.slice(0, length).join("/");
    const found = await files.identify(join(root, parent));
    if (found === null) return null;
    if (found.kind !== "directory" && !(await isMade(files, join(root, parent), made.get(parent))))
      return parent;
  }
  const found = await files.identify(join(root, place.path));
  if (found === null) return null;
  if (found.kind !== "directory")
    return (await isMade(files, join(root, place.path), made.get(place.path))) ? null : place.path;
  const inside = (await files.list(join(root, place.path))) ?? [];
  const others: string[] = [];
  for (const name of inside) {
    const path = `${place.path}/${name}`;
    if (!(await isMade(files, join(root, path), made.get(path)))) others.push(path);
  }
  // Files of others may stay in the folder of a table, but a folder of others is not used.
  if (others.length === 0 || (place.isFolder && others.length < inside.length)) return null;
  return others[0]!;
}

/** Removes files that pulls made, and the folders that are empty then. Files of others stay. */
export async function removeMade(files: Files, root: string, made: MadeFiles): Promise<void> {
  for (const [path, file] of made) {
    if (!(await isMade(files, join(root, path), file))) continue;
    await files.remove(join(root, path));
    await removeEmptyFolders(files, root, dirname(path));
  }
}

async function removeEmptyFolders(files: Files, root: string, path: string): Promise<void> {
  for (let at = path; at !== "."; at = dirname(at)) {
    const inside = await files.list(join(root, at));
    if (inside !== null && inside.length > 0) return;
    await files.removeDirectory(join(root, at));
  }
}
