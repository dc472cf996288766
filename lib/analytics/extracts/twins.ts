import { tableId, type AnalyticsState } from "../model.ts";
import type { RebuildReport } from "../report.ts";

/** Known names of sources in their exact case. */
export interface KnownNames {
  /** Sources that publish tables, by lower-case name. */
  readonly published: ReadonlyMap<string, string>;
  /** Sources of the configuration and the registry, by lower-case name. */
  readonly expected: ReadonlyMap<string, string>;
}

/** Folders of `extracts/` whose names differ only in case: DuckDB can publish the tables of only one of them. */
export interface TwinFolders {
  /** Folders that may be published, by priority: the first one with a table is published. */
  readonly candidates: readonly string[];
  /** Folders that are never published. */
  readonly displaced: readonly string[];
  /** The source that owns the name, in its exact case; null if the first candidate with a table gets it. */
  readonly owner: string | null;
}

/** Collects the known names before a rebuild. The database takes precedence over the report. */
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
 * Selects between folders whose names differ only in case. The source that published first keeps the name while its
 * folder exists. Otherwise a configured or registered source gets it, with or without a folder. Otherwise lower case
 * comes first.
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

/** Sorts lower case first; in Unicode, upper case comes first. */
function lowerFirst(a: string, b: string): number {
  return a > b ? -1 : a < b ? 1 : 0;
}
