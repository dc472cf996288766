import type { AgnesError } from "agnes/kit";
import { errors } from "./errors.ts";

/** The partition columns of a file by its folders, outermost first; `null` for Hive's default partition. */
export type Partitions = ReadonlyMap<string, string | null>;

const NULL = "__HIVE_DEFAULT_PARTITION__";

/**
 * Parses the partition columns of an origin: `year=2024/month=01/a.csv` has `year` 2024 and `month` 01. Names and values
 * are URL-decoded, such as `%3A` to a colon.
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
 * Returns the partition columns of all files of a table, by origin. All have the same names, in the order of the first.
 * @throws `files/partitions_differ` naming two files with different columns, or one whose path repeats a name
 */
export function tablePartitions(table: string, origins: readonly string[]): ReadonlyMap<string, Partitions> {
  const found = new Map<string, Partitions>();
  let first: { readonly origin: string; readonly names: readonly string[] } | undefined;
  for (const origin of origins) {
    const pairs = partitionsOf(origin);
    const names = pairs.map(([name]) => name);
    first ??= { origin, names };
    const own = new Map(pairs);
    // DuckDB's column names are case-insensitive.
    const folded = names.map((name) => name.toLowerCase());
    const repeated = names.find((_, at) => folded.indexOf(folded[at]!) !== at);
    if (repeated !== undefined) {
      const other = names[folded.indexOf(repeated.toLowerCase())]!;
      const reason =
        other === repeated
          ? `the path of a file contains ${repeated} twice`
          : `the path of a file contains ${other} and ${repeated}, which differ only by case`;
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

/** URL-decodes a text; text with an invalid percent escape stays unchanged. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    return text;
  }
}
