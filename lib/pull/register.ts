import type { TableRegistry } from "../tables/mod.ts";
import type { ManifestTable } from "./manifest.ts";

/** The folder of a table as the registry accepts it. */
export const FOLDER = /^[A-Za-z0-9_][A-Za-z0-9_.-]*(?:\/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$/;

/** A table with a name of its own in SQL. */
type NamedTable = ManifestTable & { readonly viewName: string };

/**
 * Registers the published tables of a copy under the server's view names, and unregisters those that are gone.
 *
 * @param options.sources the pulled sources; other tables are not changed
 * @param options.uncertain tables that stay registered as they are
 * @returns notes about tables that have another name here
 */
export async function registerCopies(
  tables: TableRegistry,
  {
    sources,
    published,
    uncertain,
  }: {
    readonly sources: readonly string[];
    readonly published: readonly ManifestTable[];
    readonly uncertain: ReadonlySet<string>;
  },
): Promise<readonly string[]> {
  const copied = published.filter((table): table is NamedTable => table.viewName !== null);
  const present = new Set(copied.map(({ id }) => id.toLowerCase()));
  for (const { id, source } of await tables.list())
    if (!uncertain.has(id) && sources.includes(source) && !present.has(id.toLowerCase()))
      await tables.unregister(id);
  const skipped = await importAll(tables, copied, (table) => ({
    ...entryOf(table),
    description: table.description,
    primary_key: [...table.primaryKey],
    folder: table.folder !== null && FOLDER.test(table.folder) ? table.folder : null,
  }));
  if (skipped.size === 0) return [];
  const left = copied.filter(({ id }) => skipped.has(id));
  const again = await importAll(tables, left, entryOf);
  return left
    .filter(({ id }) => again.has(id))
    .map(({ id, viewName }) => `${id} is not available as ${viewName} here: ${again.get(id)}`);
}

type Entry = Parameters<TableRegistry["import"]>[0]["tables"][number];

const entryOf = ({ source, name, viewName }: NamedTable) => ({
  source,
  source_table: name,
  name,
  view_name: viewName,
});

/** Registers tables in one step. @returns the reason of each table that the registry rejects, by id */
async function importAll(
  tables: TableRegistry,
  copied: readonly NamedTable[],
  toEntry: (table: NamedTable) => Entry,
): Promise<ReadonlyMap<string, string>> {
  if (copied.length === 0) return new Map();
  const document = {
    path: "the list of tables of the server",
    tables: copied.map(toEntry),
    places: copied.map(({ id }) => id),
    folder_mapping: {},
  };
  const { skipped } = await tables.import(document, { skipInvalid: true });
  return new Map(skipped.map(({ table, message }) => [table, message]));
}
