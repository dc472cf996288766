import { dirname, join } from "node:path";

import { isAgnesError, type Files } from "../../base/mod.ts";
import type { AnalyticsSource, AnalyticsTable } from "../model.ts";
import { checkFolder, isWithin, strangeDigest, type ExtractFolder } from "./folder.ts";
import { leadsToSome, reachesStrange } from "./place.ts";

type Place = Pick<AnalyticsSource, "source" | "directory">;

/**
 * Whether the links, pipes and devices in the folder of an extract are the same as when its views were checked. A change
 * of them does not change the extract's own file.
 */
export async function isFolderUnchanged(
  files: Files,
  source: Place & Pick<AnalyticsSource, "strange">,
): Promise<boolean> {
  const folder = await folderOf(files, source);
  return folder !== null && (folder === "gone" || strangeDigest(folder) === source.strange);
}

/**
 * Returns the tables of one extract that are no longer safe to read: a link in place of a file may lead to the rows of
 * another source, and opening a pipe never returns.
 */
export async function findUnsafe(
  files: Files,
  place: Place,
  tables: readonly AnalyticsTable[],
): Promise<readonly AnalyticsTable[]> {
  const { directory } = place;
  const pathsOf = new Map(tables.map((table) => [table, pathsIn(table, directory)]));
  // This runs for each query, so only the folders of these tables are listed.
  const folder = await folderOf(files, place, leadsToSome([...pathsOf.values()].flat()));
  // A missing folder cannot lead to rows of other sources; DuckDB reports the missing file.
  if (folder === "gone") return [];
  if (folder === null) return tables;
  return folder.strange.length === 0
    ? []
    : tables.filter((table) => pathsOf.get(table)!.some((path) => reachesStrange(folder, path)));
}

/** Returns the checked folder; null if no file in it may be opened. */
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

/** Returns the quoted paths of a definition that are in a folder; all paths of the folder if that is uncertain. */
function pathsIn({ definition }: AnalyticsTable, directory: string): readonly string[] {
  if (definition.includes("\\")) return [join(directory, "**")];
  return [...definition.matchAll(/'((?:[^']|'')*)'|"((?:[^"]|"")*)"/g)]
    .map(([, text, name]) => text?.replaceAll("''", "'") ?? name!.replaceAll('""', '"'))
    .filter((path) => isWithin(directory, path));
}
