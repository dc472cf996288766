import type { RegisteredTable, TableRegistry } from "../tables/mod.ts";
import type { ManifestTable } from "./manifest.ts";

/** The folder of a table as the registry accepts it. */
export const FOLDER = /^[A-Za-z0-9_][A-Za-z0-9_.-]*(?:\/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$/;

/** A table with a name of its own in SQL. */
type NamedTable = ManifestTable & { readonly viewName: string };

/**
 * Registers the published tables of a copy under the server's view names, and unregisters those that are gone. A table without
 * a name on the server gets one that no other table has, because its plain name may be another table there.
 *
 * @param options.sources the pulled sources; other tables are not changed
 * @param options.uncertain tables that stay registered as they are, unless the server has their name for another table now
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
    readonly uncertain: (id: string) => boolean;
  },
): Promise<readonly string[]> {
  const present = new Set(published.map(({ id }) => id.toLowerCase()));
  const names = new LocalNames(published);
  const renamed: RegisteredTable[] = [];
  for (const table of await tables.list()) {
    if (present.has(table.id.toLowerCase())) continue;
    if (!sources.includes(table.source)) names.take(table.viewName);
    else if (!uncertain(table.id)) await tables.unregister(table.id);
    else if (names.has(table.viewName)) renamed.push(table);
    else names.take(table.viewName);
  }
  const notes: string[] = [];
  const ownName = (table: ManifestTable | RegisteredTable): string => {
    const viewName = names.own(table);
    notes.push(`${table.id} has no name of its own in SQL on the server; here it is ${viewName}`);
    return viewName;
  };
  for (const table of renamed) await tables.renameView(table.id, ownName(table));
  const copied = published.map((table) => ({ ...table, viewName: table.viewName ?? ownName(table) }));
  const skipped = await importAll(tables, copied, (table) => ({
    ...entryOf(table),
    description: table.description,
    primary_key: [...table.primaryKey],
    folder: table.folder !== null && FOLDER.test(table.folder) ? table.folder : null,
  }));
  if (skipped.size === 0) return notes;
  const left = copied.filter(({ id }) => skipped.has(id));
  const again = await importAll(tables, left, entryOf);
  const problems = left
    .filter(({ id }) => again.has(id))
    .map(({ id, viewName }) => `${id} is not available as ${viewName} here: ${again.get(id)}`);
  return [...notes, ...problems];
}

/** The view names in use, without regard to case. */
class LocalNames {
  readonly #used: Set<string>;

  constructor(published: readonly ManifestTable[]) {
    this.#used = new Set(published.flatMap(({ viewName }) => viewName?.toLowerCase() ?? []));
  }

  has(viewName: string): boolean {
    return this.#used.has(viewName.toLowerCase());
  }

  take(viewName: string): void {
    this.#used.add(viewName.toLowerCase());
  }

  /** The name that the registry suggests for a table whose name is taken, or with a number. */
  own({ source, name }: { readonly source: string; readonly name: string }): string {
    const stem = `${source}_${name}`.toLowerCase();
    let viewName = stem.slice(0, NAME_LENGTH_MAX);
    for (let number = 2; this.has(viewName); number++) {
      const end = `_${number}`;
      viewName = stem.slice(0, NAME_LENGTH_MAX - end.length) + end;
    }
    this.take(viewName);
    return viewName;
  }
}

const NAME_LENGTH_MAX = 64;

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
