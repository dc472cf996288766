import { AgnesError, formatValue } from "../../base/mod.ts";
import type { FileColumn, FileInput } from "../../kit/mod.ts";

/** The columns of one file, in file order. */
export interface NamedColumns {
  readonly file: FileInput;
  readonly names: readonly string[];
}

/**
 * Returns all columns of the files of a table, in order of first appearance.
 * @throws `file_unreadable` for names that differ only by case, which DuckDB treats as equal
 */
export function uniteColumns(files: readonly NamedColumns[]): readonly string[] {
  const seen = new Map<string, { readonly name: string; readonly file: FileInput }>();
  for (const { file, names } of files) {
    for (const name of names) {
      const other = seen.get(name.toLowerCase());
      if (other === undefined) seen.set(name.toLowerCase(), { name, file });
      else if (other.name !== name) {
        const reason = `its column ${JSON.stringify(name)} differs from ${JSON.stringify(other.name)} in ${originOf(other.file)} only by case`;
        throw new AgnesError("file_unreadable", { path: originOf(file), reason });
      }
    }
  }
  return [...seen.values()].map(({ name }) => name);
}

/**
 * Maps the names of a file to those of its table. A name that differs from a known one only by case maps to it, because
 * DuckDB's names are case-insensitive.
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

/** Returns the first column with a configured type that is not among the names. */
export function unknownColumn(
  types: Readonly<Record<string, string>>,
  names: readonly string[],
): string | undefined {
  return Object.keys(types).find((name) => !names.includes(name));
}

/** The name of a file in errors. */
export const originOf = ({ path, origin }: Pick<FileInput, "path" | "origin">): string => origin ?? path;

/** The note for a column of dates that can be read in two orders. */
export function ambiguityNote(name: string, formats: readonly string[]): string {
  const option = formats.some((format) => format.includes("%H") || format.includes("%I"))
    ? "csv.timestampFormat"
    : "csv.dateFormat";
  return `the dates in column ${name} can be read as ${formats.join(" or ")}, so it stays text; set ${option} to one of them`;
}

/** A value that does not match the configured format. */
export interface FoundText {
  readonly file: Pick<FileInput, "path" | "origin">;
  readonly text: string;
}

/** The note for a column of dates that do not all match the configured format. */
export function formatNote(
  name: string,
  { option, format }: { readonly option: string; readonly format: string },
  found: FoundText | null,
): string {
  const value = found === null ? "a value" : `${formatValue(found.text, 100)} in ${originOf(found.file)}`;
  return `column ${name} contains ${value}, which does not match csv.${option} (${format}), so it stays text; correct the value or the option`;
}

/** The columns by name. */
export function columnsByName(columns: readonly FileColumn[]): ReadonlyMap<string, FileColumn> {
  return new Map(columns.map((column) => [column.name, column]));
}
