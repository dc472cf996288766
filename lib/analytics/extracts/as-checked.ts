import { dirname, join } from "node:path";

import { isAgnesError, type Files } from "../../base/mod.ts";
import type { AnalyticsSource, AnalyticsTable } from "../model.ts";
import { checkFolder, isWithin, strangeDigest, type ExtractFolder } from "./folder.ts";
import { leadsToSome, reachesStrange } from "./place.ts";

type Place = Pick<AnalyticsSource, "source" | "directory">;

/**
 * Whether the links, pipes and devices in the folder of an extract are those that were there when its views were
 * checked; the extract's own file does not show that.
 */
export async function isFolderAsChecked(
  files: Files,
  source: Place & Pick<AnalyticsSource, "strange">,
): Promise<boolean> {
  const folder = await folderOf(files, source);
  return folder !== null && (folder === "gone" || strangeDigest(folder) === source.strange);
}

/**
 * Those tables of one extract that may not be read any more: a link in the place of a file leads to the rows of another
 * source, and opening a pipe never returns.
 */
export async function findUnsafe(
  files: Files,
  place: Place,
  tables: readonly AnalyticsTable[],
): Promise<readonly AnalyticsTable[]> {
  const { directory } = place;
  const pathsOf = new Map(tables.map((table) => [table, pathsIn(table, directory)]));
  // An extract of many parts is listed with each query, so only where these tables lie.
  const folder = await folderOf(files, place, leadsToSome([...pathsOf.values()].flat()));
  // Without a folder there is no row of others either; DuckDB says which file is gone.
  if (folder === "gone") return [];
  if (folder === null) return tables;
  return folder.strange.length === 0
    ? []
    : tables.filter((table) => pathsOf.get(table)!.some((path) => reachesStrange(folder, path)));
}

/** Null when nothing of it may be opened. */
async function folderOf(
  files: Files,
  { source, directory }: Place,
  isVisited?: (folder: string) => boolean,
): Promise<ExtractFolder | "gone" | null> {
  try {
    return await checkFolder(files, dirname(directory), source, isVisited);
  } catch (error) {
    return isAgnesError(error, "file_failed") && error.details.reason === "ENOENT" ? "gone" : null;
  }
}

/** The paths of a folder that a definition names, which has them in quotes; all there are when that is not certain. */
function pathsIn({ definition }: AnalyticsTable, directory: string): readonly string[] {
  if (definition.includes("\\")) return [join(directory, "**")];
  return [...definition.matchAll(/'((?:[^']|'')*)'|"((?:[^"]|"")*)"/g)]
    .map(([, text, name]) => text?.replaceAll("''", "'") ?? name!.replaceAll('""', '"'))
    .filter((path) => isWithin(directory, path));
}
