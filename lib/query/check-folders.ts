import { join } from "node:path";

import { AgnesError, type Files } from "../base/mod.ts";
import { findUnsafe, tableId, type AnalyticsState, type AnalyticsTable } from "../analytics/mod.ts";

/**
 * Checks that the files of tables are still safe to read: they may have been replaced since the rebuild.
 * @throws `extract_changed`
 */
export async function checkFolders(
  files: Files,
  state: AnalyticsState | null,
  tables: readonly AnalyticsTable[],
): Promise<void> {
  // Remote tables have no files.
  const inFiles = tables.filter(({ accessMode }) => accessMode !== "remote");
  await Promise.all(
    (state?.sources ?? []).map(async (source) => {
      const own = inFiles.filter((table) => table.source === source.source);
      const [unsafe] = own.length === 0 ? [] : await findUnsafe(files, source, own);
      if (unsafe !== undefined) throw new AgnesError("extract_changed", { table: tableId(unsafe) });
    }),
  );
}

/** Returns the folders with the files of published tables: of extracts of Agnes, only the folder of the parts. */
export function foldersOf(state: AnalyticsState | null): readonly string[] {
  const { sources = [], tables = [] } = state ?? {};
  const foreign = new Map<string, boolean>();
  for (const { source, generation } of tables)
    foreign.set(source, foreign.get(source) === true || generation === null);
  return sources
    .filter(({ source }) => foreign.has(source))
    .map(({ source, directory }) => (foreign.get(source) === true ? directory : join(directory, "data")));
}
