import type { AgnesError } from "agnes/kit";
import { errors } from "./errors.ts";

/** The partition columns that the folders of a file stand for, outermost first; `null` for Hive's word for null. */
export type Partitions = ReadonlyMap<string, string | null>;

const NULL = "__HIVE_DEFAULT_PARTITION__";

/**
 * The partition columns in an origin: `year=2024/month=01/a.csv` has `year` 2024 and `month` 01. Names and values are
 * as they were before the writer encoded them for a path, such as `%3A` for a colon.
 */
export function partitionsOf(origin: string): readonly (readonly [name: string, value: string | null])[] {
  const folders = origin.split(/[/\\]/).slice(0, -1);
  return folders.flatMap((folder) => {
    const at = folder.indexOf("=");
    if (at <= 0) return [];
    const value = folder.slice(at + 1);
    return [[decoded(folder.slice(0, at)), value === NULL ? null : decoded(value)] as const];
  });
}

/**
 * The partition columns of all files of a table, by origin. All have the same names, in the order of the first.
 * @throws `files/partitions_differ` naming two files that do not go together, or one that has a name twice
 */
export function tablePartitions(table: string, origins: readonly string[]): ReadonlyMap<string, Partitions> {
  const found = new Map<string, Partitions>();
  let first: { readonly origin: string; readonly names: readonly string[] } | undefined;
  for (const origin of origins) {
    const pairs = partitionsOf(origin);
    const names = pairs.map(([name]) => name);
    first ??= { origin, names };
    const own = new Map(pairs);
    // DuckDB does not tell columns apart by case.
    const folded = names.map((name) => name.toLowerCase());
    const twice = names.find((_, at) => folded.indexOf(folded[at]!) !== at);
    if (twice !== undefined) {
      const other = names[folded.indexOf(twice.toLowerCase())]!;
      const reason =
        other === twice
          ? `the path of a file has ${twice} twice`
          : `the path of a file has ${other} and ${twice}, which differ by case only`;
      throw errors.partitions_differ({ table, first: origin, reason });
    }
    if (names.length !== first.names.length || !first.names.every((name) => own.has(name))) {
      throw differing(table, first.origin, origin, `${listOf(first.names)} and ${listOf(names)}`);
    }
    found.set(origin, new Map(first.names.map((name) => [name, own.get(name)!])));
  }
  return found;
}

const listOf = (names: readonly string[]) => (names.length === 0 ? "none" : names.join(", "));

function differing(table: string, first: string, second: string, reason: string): AgnesError {
  return errors.partitions_differ({ table, first, second, reason });
}

/** A percent sign that encodes nothing stands for itself. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    return text;
  }
}
