import { isAgnesError, type Files } from "../base/mod.ts";
import type { RegisteredTable } from "../tables/mod.ts";
import { dataPaths } from "../workspace/mod.ts";
import { publishedKey } from "./job/definition.ts";
import { readExtract } from "./state/read-extract.ts";

/**
 * The primary keys of tables by their ids: the registered key, otherwise the key of the last read, which may come from
 * the source or its options.
 */
export async function keysInUse(
  files: Files,
  dataDirectory: string,
  tables: readonly RegisteredTable[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const keys = new Map<string, readonly string[]>(tables.map(({ id, primaryKey: key }) => [id, key]));
  const open = tables.filter(({ primaryKey: key }) => key.length === 0);
  for (const source of new Set(open.map((table) => table.source))) {
    for (const [name, key] of await publishedKeys(files, dataPaths.extract(dataDirectory, source))) {
      const id = `${source}.${name}`;
      if (keys.get(id)?.length === 0) keys.set(id, key);
    }
  }
  return keys;
}

/** The keys of an extract; empty if it cannot be read, because keys are optional here. */
async function publishedKeys(
  files: Files,
  directory: string,
): Promise<readonly (readonly [name: string, key: readonly string[]])[]> {
  try {
    const extract = await readExtract(files, directory);
    return (extract?.tables ?? []).map((table) => [table.name, publishedKey(table)] as const);
  } catch (error) {
    if (isAgnesError(error, "extract_unreadable") || isAgnesError(error, "extract_foreign")) return [];
    throw error;
  }
}
