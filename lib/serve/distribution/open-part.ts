import { basename, dirname, join, sep } from "node:path";

import { AgnesError, isAgnesError, type Files, type OpenedFile } from "../../base/mod.ts";
import { sha256OfFile } from "../../extract/mod.ts";
import type { FoundPart } from "./find-part.ts";

/** An opened part. The caller must close the file. */
export interface OpenedPart {
  readonly file: OpenedFile;
  readonly sizeBytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

/** Hashes of parts that no generation lists, by path. Parts never change. */
const hashes = new Map<string, string>();
const HASHES_MAX = 1000;

/**
 * Opens a part. Its path must be that of a file: a link could lead to the rows of another source, and opening a pipe never
 * returns.
 *
 * @param directory the folder of the extract
 * @throws `part_gone`, `part_unreadable`
 */
export async function openPart(
  files: Files,
  { directory, table }: { readonly directory: string; readonly table: string },
  part: FoundPart,
): Promise<OpenedPart> {
  const unreadable = (reason: string, cause?: unknown) =>
    new AgnesError("part_unreadable", { table, reason }, { cause });
  const missing = () =>
    part.isCurrent ? unreadable("its file is missing") : new AgnesError("part_gone", { table });
  try {
    const path = await realPartPath(files, directory, part.path);
    if (path === null) throw missing();
    if (path === undefined) throw unreadable("its path is not that of a file");
    const sha256 = part.listed?.sha256 ?? (await hashOf(files, path));
    // An unfinished part has another name.
    if (part.listed === null && !basename(path).startsWith(sha256.slice(0, 32))) throw missing();
    const file = await files.open(path);
    const sizeBytes = part.listed?.sizeBytes ?? file.sizeBytes;
    if (file.sizeBytes === sizeBytes) return { file, sizeBytes, sha256 };
    await file.close();
    throw unreadable("its file has another size than was published");
  } catch (error) {
    if (!isAgnesError(error, "file_failed")) throw error;
    throw error.details.reason === "ENOENT" ? missing() : unreadable("its file cannot be opened", error);
  }
}

/** @returns null: it does not exist; undefined: it is not a file, or a link leads to it */
async function realPartPath(
  files: Files,
  directory: string,
  part: string,
): Promise<string | undefined | null> {
  const [real, root] = [await files.realPath(directory), await files.realPath(dirname(directory))];
  if (real === null || root === null) return null;
  // The folder itself may be a link, but not into the data of other sources.
  const isInside = (folder: string, path: string) => `${path}${sep}`.startsWith(`${folder}${sep}`);
  const isOwn = real === join(root, basename(directory));
  if (!isOwn && (isInside(root, real) || isInside(real, root))) return undefined;
  const wanted = join(real, part);
  const found = await files.realPath(wanted);
  if (found === null) return (await files.identify(wanted)) === null ? null : undefined;
  return found === wanted && (await files.identify(wanted))?.kind === "file" ? wanted : undefined;
}

async function hashOf(files: Files, path: string): Promise<string> {
  const known = hashes.get(path);
  if (known !== undefined) return known;
  const sha256 = await sha256OfFile(files, path);
  if (hashes.size >= HASHES_MAX) hashes.clear();
  hashes.set(path, sha256);
  return sha256;
}
