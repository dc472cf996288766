import { dirname, relative, resolve } from "node:path";

import { isWithin, type ExtractFolder } from "./folder.ts";

/** A folder of an extract, with its path when its views were written. */
export interface PlacedFolder extends ExtractFolder {
  readonly source: string;
  /** The folder in which Agnes wrote the extract; null for an extract of another program. */
  readonly writtenDirectory: string | null;
}

/**
 * Resolves a path of a view to the extract's current folder; null if it is outside the extract.
 *
 * Relative paths start at the folder. Absolute paths may start with the current folder, or with the folder in which the
 * view was written, possibly on another machine: then the part after the last `extracts/<source>/` is used.
 */
export function placePath(folder: PlacedFolder, path: string): string | null {
  if (/^[a-z][a-z0-9+.-]+:/i.test(path) && !isWindowsPath(path)) return null;
  const { directory, realDirectory, writtenDirectory } = folder;
  if (!isWindowsPath(path)) {
    const absolute = resolve(directory, path);
    if (isBelow(directory, absolute)) return absolute;
    for (const earlier of [realDirectory, writtenDirectory]) {
      if (earlier === null || !isBelow(resolve(earlier), absolute)) continue;
      return resolve(directory, relative(earlier, absolute));
    }
    if (!path.startsWith("/")) return null;
  }
  const steps = path.split(isWindowsPath(path) ? /[\\/]+/ : /\/+/);
  const at = steps.findLastIndex((step, index) => step === folder.source && steps[index - 1] === "extracts");
  if (at === -1) return null;
  const placed = resolve(directory, steps.slice(at + 1).join("/"));
  return isBelow(directory, placed) ? placed : null;
}

/** Whether a path, which may have wildcards, can match a path that no view may read. */
export function reachesStrange({ strange }: ExtractFolder, path: string): boolean {
  const fixed = fixedFolder(path);
  if (fixed === null) return strange.some((one) => isWithin(one, path));
  return strange.some((one) => isWithin(fixed, one) || isWithin(one, fixed));
}

/** Returns a check whether a folder can contain a match of some paths; other folders need not be listed. */
export function leadsToSome(paths: readonly string[]): (folder: string) => boolean {
  const above = new Set<string>();
  const fixed = new Set<string>();
  for (const path of paths) {
    const inside = fixedFolder(path);
    if (inside !== null) fixed.add(inside);
    for (let at = inside ?? dirname(path); !above.has(at); at = dirname(at)) above.add(at);
  }
  return (folder) => above.has(folder) || [...fixed].some((one) => isWithin(one, folder));
}

/** Returns the folder before the first wildcard of a path; null if there is none. */
function fixedFolder(path: string): string | null {
  const wildcard = path.search(/[*?[{]/);
  return wildcard === -1 ? null : path.slice(0, path.lastIndexOf("/", wildcard));
}

function isBelow(folder: string, path: string): boolean {
  return path !== folder && isWithin(folder, path);
}

function isWindowsPath(path: string): boolean {
  return /^(?:[a-z]:[\\/]|\\\\)/i.test(path);
}
