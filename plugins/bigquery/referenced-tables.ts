import type { Datasets } from "./datasets.ts";
import { tableNameOf, type TablePath } from "./names.ts";
import type { Settings } from "./settings.ts";
import { groupShards, isShardName } from "./shards.ts";

/** The tables of a dataset: the name by which `discover` lists each. */
type Names = ReadonlyMap<string, string>;

/**
 * Returns the names by which `discover` lists the tables of a dry run. A shard by date has the name of its group, and a
 * wildcard those of all tables with its prefix. If the tables of a dataset cannot be listed, its names are those of the dry
 * run, so that no caller can read more.
 */
export async function referencedTables(
  references: readonly TablePath[],
  { datasets, settings }: { readonly datasets: Datasets; readonly settings: Settings },
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { project, tables: single = [] } = settings;
  const listed = new Map<string, Promise<Names>>();
  const namesIn = (path: TablePath): Promise<Names> => {
    const key = JSON.stringify([path.project, path.dataset]);
    const known = listed.get(key) ?? listedNames(datasets, path, project, signal);
    listed.set(key, known);
    return known;
  };
  const found = await Promise.all(
    references.map(async (path) => {
      const own = tableNameOf(path, project);
      const { table } = path;
      const isWildcard = table.endsWith("*");
      // A shard of the option `tables` is also a table of its own.
      const isSingle = single.includes(`${path.project}.${path.dataset}.${table}`);
      if (!isWildcard && (isSingle || !isShardName(table))) return [own];
      const names = await namesIn(path);
      if (!isWildcard) return [names.get(table) ?? own];
      const prefix = table.slice(0, -1);
      const matching = [...names].filter(([name]) => name.startsWith(prefix)).map(([, name]) => name);
      return matching.length === 0 ? [own] : matching;
    }),
  );
  return [...new Set(found.flat())];
}

async function listedNames(
  datasets: Datasets,
  path: TablePath,
  project: string,
  signal: AbortSignal,
): Promise<Names> {
  try {
    const { tables, groups } = groupShards(await datasets.tables(path, signal));
    return new Map([
      ...tables.map((one) => [one.table, tableNameOf(one, project)] as const),
      ...groups.flatMap((group) =>
        group.shards.map(({ table }) => [table, tableNameOf(group.path, project)] as const),
      ),
    ]);
  } catch (error) {
    if (signal.aborted) throw error;
    return new Map();
  }
}

/** Spaces and comments between the parts of a name. */
const GAP = String.raw`(?:\s|/\*[^]*?\*/|(?:--|#)[^\n]*\n)*`;
/**
 * What BigQuery does not list with the tables of a query: metadata, other databases, and models, which functions such as
 * `ML.WEIGHTS` read. A backslash may hide a name in an escape sequence.
 */
const UNLISTED = new RegExp(
  String.raw`\\|external_query|information_schema|__tables|\b(?:ml|ai)\x60?${GAP}\.`,
  "i",
);

/** Whether a dry run lists all tables that the SQL names. */
export const namesItsTables = (sql: string): boolean => !UNLISTED.test(sql);
