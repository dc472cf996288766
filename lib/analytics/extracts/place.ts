import { dirname, relative, resolve } from "node:path";

import { isWithin, type ExtractFolder } from "./folder.ts";

/** A folder of an extract, with where it may have been when its views were written. */
export interface PlacedFolder extends ExtractFolder {
  readonly source: string;
  /** Where our own extract was written; null for a foreign one. */
  readonly writtenDirectory: string | null;
}

/**
 * The path that a view means, below the extract's folder of now; null when it is outside of the extract.
 *
 * Relative paths start at the folder. Absolute ones may be of the folder as it was reached, or where it was when
 * the view was written, perhaps on another machine: what follows the last `extracts/<source>/` counts then.
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

/** Whether a path, perhaps with wildcards, can reach what no view may read. */
export function reachesStrange({ strange }: ExtractFolder, path: string): boolean {
  const fixed = fixedFolder(path);
  if (fixed === null) return strange.some((one) => isWithin(one, path));
  return strange.some((one) => isWithin(fixed, one) || isWithin(one, fixed));
}

/** Whether a folder can hold what some paths reach, or lead to it; all other folders need not be looked at. */
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

/** The folder in which the wildcards of a path begin; null without one. */
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
