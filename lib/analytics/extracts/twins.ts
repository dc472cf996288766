import { tableId, type AnalyticsState } from "../model.ts";
import type { RebuildReport } from "../report.ts";

/** Names of sources, in the case that counts. */
export interface KnownNames {
  /** Sources that publish tables, by lower-case name. */
  readonly published: ReadonlyMap<string, string>;
  /** Sources of the configuration and the registry that publish nothing yet, by lower-case name. */
  readonly expected: ReadonlyMap<string, string>;
}

/** Folders of `extracts/` whose names differ only in case: DuckDB can show the tables of one of them. */
export interface TwinFolders {
  /** Those that may be shown, the first one first: the next one only if none before it has a table. */
  readonly candidates: readonly string[];
  /** Those that may not be shown, whatever the candidates hold. */
  readonly displaced: readonly string[];
  /** The source that has the name, in its case; null if the first candidate with a table gets it. */
  readonly owner: string | null;
}

/** Collects what is known of names before a rebuild. The database counts more than the report beside it. */
export function knownNames(
  previous: AnalyticsState | null,
  last: RebuildReport | null,
  expected: readonly string[],
): KnownNames {
  const reported = [...(last?.reserved ?? []), ...(last?.published ?? [])].map(({ id }) => id);
  const ids = [...reported, ...(previous?.tables ?? []).map(tableId)];
  return {
    published: byFolded(ids.map((id) => id.slice(0, id.indexOf(".")))),
    expected: byFolded(expected),
  };
}

/**
 * Decides between folders whose names differ only in case: the source that published first keeps the name while its
 * folder is there, then the source that is configured or registered has it, with or without a folder. Otherwise
 * lower case comes first.
 */
export function groupTwins(folders: readonly string[], known: KnownNames): readonly TwinFolders[] {
  const groups = new Map<string, string[]>();
  for (const folder of folders) {
    const folded = folder.toLowerCase();
    groups.set(folded, [...(groups.get(folded) ?? []), folder]);
  }
  return [...groups].map(([folded, group]) => {
    const publisher = known.published.get(folded);
    const isThere = publisher !== undefined && group.includes(publisher);
    const owner = (isThere ? publisher : known.expected.get(folded)) ?? null;
    if (owner === null) return { candidates: group.toSorted(lowerFirst), displaced: [], owner };
    return {
      candidates: group.filter((folder) => folder === owner),
      displaced: group.filter((folder) => folder !== owner),
      owner,
    };
  });
}

function byFolded(names: readonly string[]): ReadonlyMap<string, string> {
  return new Map(names.map((name) => [name.toLowerCase(), name]));
}

/** Capital letters come before small ones in Unicode. */
function lowerFirst(a: string, b: string): number {
  return a > b ? -1 : a < b ? 1 : 0;
}
