import { createHash } from "node:crypto";
import { lstat, readdir, realpath, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";

import { AgnesError, shown } from "../../base/mod.ts";
import { EXTRACT_FILE } from "../../extract/format/mod.ts";

/** A folder that may be read. */
export interface ExtractFolder {
  /** The absolute path of `extracts/<source>`. */
  readonly directory: string;
  /** The same without links. */
  readonly realDirectory: string;
  /** Absolute paths below it that no view may read: links that lead outside, pipes, devices. */
  readonly strange: readonly string[];
}

/**
 * Checks what an extract is made of before DuckDB opens it: a link could lead to the rows of another source, and
 * opening a pipe never returns.
 *
 * @param isVisited which folders below it are listed. Default: all.
 * @throws `extract_refused`, `file_failed`
 */
export async function checkFolder(
  root: string,
  source: string,
  isVisited: (folder: string) => boolean = () => true,
): Promise<ExtractFolder> {
  const directory = join(root, source);
  const realDirectory = await realpath(directory);
  const realRoot = await realpath(root);
  const isLink = (await lstat(directory)).isSymbolicLink();
  if (isLink && (isWithin(realRoot, realDirectory) || isWithin(realDirectory, realRoot))) {
    return refuse(directory, `it is a link to ${shown(realDirectory)}, which holds other sources' data`);
  }
  const path = join(directory, EXTRACT_FILE);
  for (const file of [path, `${path}.wal`]) {
    const problem = await fileProblem(realDirectory, file);
    if (problem !== null) return refuse(directory, `${shown(file)} ${problem}`);
  }
  return { directory, realDirectory, strange: await strangeIn(directory, realDirectory, isVisited) };
}

/** Changes when other paths of a folder may not be read; empty when all may. */
export function strangeDigest({ directory, strange }: ExtractFolder): string {
  if (strange.length === 0) return "";
  const paths = strange.map((path) => relative(directory, path)).sort();
  return createHash("sha256").update(JSON.stringify(paths)).digest("hex");
}

/** Whether a path is a folder or below it. */
export function isWithin(folder: string, path: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

function refuse(path: string, reason: string): never {
  throw new AgnesError("extract_refused", { path, reason });
}

async function fileProblem(realDirectory: string, path: string): Promise<string | null> {
  const target = await realpath(path).catch(() => null);
  if (target === null) return null;
  if (!isWithin(realDirectory, target)) return "is a link that leads outside the extract";
  return (await stat(target)).isFile() ? null : "is not a file";
}

/** More entries than this are not looked at. */
const ENTRIES_MAX = 1_000_000;

async function strangeIn(
  directory: string,
  realDirectory: string,
  isVisited: (folder: string) => boolean,
): Promise<readonly string[]> {
  const strange: string[] = [];
  const todo = [directory];
  let seen = 0;
  for (let folder = todo.pop(); folder !== undefined; folder = todo.pop()) {
    const entries = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
      // A sync may remove what it no longer needs meanwhile.
      if (error.code === "ENOENT" && folder !== directory) return [];
      throw error;
    });
    seen += entries.length;
    if (seen > ENTRIES_MAX) return refuse(directory, `it has more than ${ENTRIES_MAX} files`);
    for (const entry of entries) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        if (isVisited(path)) todo.push(path);
      } else if (!entry.isFile() && !(await leadsInside(realDirectory, path))) strange.push(path);
    }
  }
  return strange;
}

/** Some file systems do not tell the kind of an entry, so the entry is asked. What is gone leads nowhere. */
async function leadsInside(realDirectory: string, path: string): Promise<boolean> {
  try {
    const target = await realpath(path);
    const found = await stat(target);
    return isWithin(realDirectory, target) && (found.isFile() || found.isDirectory());
  } catch {
    return (await lstat(path).catch(() => null)) === null;
  }
}
