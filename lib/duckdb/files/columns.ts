import { AgnesError, formatValue } from "../../base/mod.ts";
import type { FileColumn, FileInput } from "../../kit/mod.ts";

/** The columns of one file of a table, in its order. */
export interface NamedColumns {
  readonly file: FileInput;
  readonly names: readonly string[];
}

/**
 * All columns of the files of a table, in the order in which they first appear.
 * @throws `file_unreadable` for names that differ by case only: DuckDB takes them for one
 */
export function uniteColumns(files: readonly NamedColumns[]): readonly string[] {
  const seen = new Map<string, { readonly name: string; readonly file: FileInput }>();
  for (const { file, names } of files) {
    for (const name of names) {
      const other = seen.get(name.toLowerCase());
      if (other === undefined) seen.set(name.toLowerCase(), { name, file });
      else if (other.name !== name) {
        const reason = `its column ${JSON.stringify(name)} differs from ${JSON.stringify(other.name)} in ${originOf(other.file)} by case only`;
        throw new AgnesError("file_unreadable", { path: originOf(file), reason });
      }
    }
  }
  return [...seen.values()].map(({ name }) => name);
}

/**
 * The names of a file as those of its table: a name that differs from a known one by case only is that one, since
 * DuckDB does not tell them apart.
 */
export function namesOfTable(
  names: readonly string[],
  known: readonly Pick<FileColumn, "name">[],
): readonly string[] {
  const exact = new Set(known.map(({ name }) => name));
  if (names.every((name) => exact.has(name))) return names;
  const folded = new Map(known.map(({ name }) => [name.toLowerCase(), name]));
  return names.map((name) => (exact.has(name) ? name : (folded.get(name.toLowerCase()) ?? name)));
}

/** Checks that every column that somebody gave a type for is there. */
export function unknownColumn(
  types: Readonly<Record<string, string>>,
  names: readonly string[],
): string | undefined {
  return Object.keys(types).find((name) => !names.includes(name));
}

/** What errors call a file. */
export const originOf = ({ path, origin }: Pick<FileInput, "path" | "origin">): string => origin ?? path;

/** The note about a column of dates that can be read in two orders. */
export function ambiguityNote(name: string, formats: readonly string[]): string {
  const option = formats.some((format) => format.includes("%H") || format.includes("%I"))
    ? "csv.timestampFormat"
    : "csv.dateFormat";
  return `the dates in column ${name} can be read as ${formats.join(" or ")}, so it stays text; set ${option} to one of them`;
}

/** A value that is not written as an option of the table says. */
export interface FoundText {
  readonly file: Pick<FileInput, "path" | "origin">;
  readonly text: string;
}

/** The note about a column of dates that are not all of the format that the options name. */
export function formatNote(
  name: string,
  { option, format }: { readonly option: string; readonly format: string },
  found: FoundText | null,
): string {
  const what = found === null ? "a value" : `${formatValue(found.text, 100)} in ${originOf(found.file)}`;
  return `column ${name} holds ${what}, which is not written as csv.${option} says (${format}), so it stays text; correct the value or the option`;
}

/** The columns by name. */
export function columnsByName(columns: readonly FileColumn[]): ReadonlyMap<string, FileColumn> {
  return new Map(columns.map((column) => [column.name, column]));
}
