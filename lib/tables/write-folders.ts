import type { Commit, Edit } from "../catalog/mod.ts";
import { checkRegistryVersion } from "./decide.ts";
import { checkFolder } from "./record/mod.ts";
import { folderRow, type RegistryRow } from "./stored.ts";
import type { View } from "./transaction.ts";

/**
 * Writes the folders of buckets in one entry; null clears one.
 * @returns the folders before, of the buckets that had one
 * @throws `table_field_invalid`, `table_version_stale`
 */
export async function writeFolders(
  transact: (decide: (view: View) => Promise<readonly Edit<RegistryRow>[]>) => Promise<Commit<RegistryRow>>,
  folders: Readonly<Record<string, string | null>>,
  expected: number | undefined,
): Promise<ReadonlyMap<string, string>> {
  const changes = Object.entries(folders);
  for (const [bucket, folder] of changes) checkFolder(bucket, folder);
  const before = new Map<string, string>();
  await transact(async (view) => {
    checkRegistryVersion(view, expected);
    before.clear();
    for (const [bucket] of changes) {
      const found = await view.get(["folder", bucket]);
      if (found?.record.kind === "folder") before.set(bucket, found.record.folder);
    }
    return changes.map(([bucket, folder]) =>
      folder === null
        ? { kind: "delete", rowKey: ["folder", bucket] }
        : { kind: "put", record: folderRow(bucket, folder) },
    );
  });
  return before;
}
