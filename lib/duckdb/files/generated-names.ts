import { AgnesError } from "../../base/mod.ts";
import type { FileColumn, FileInput, FileReading, InspectOptions } from "../../kit/mod.ts";
import { originOf, type NamedColumns } from "./columns.ts";

/** The column names as written in one file, in file order. */
interface WrittenColumns {
  readonly file: FileInput;
  /** Names may be empty or repeated. */
  readonly written: readonly string[];
}

/**
 * Names the columns of all files of a table. Empty and repeated names are replaced with generated names that no column of
 * any file has.
 *
 * @throws with `look: "columns"` as `nameKnownColumns`
 */
export function nameColumns<T extends WrittenColumns>(
  files: readonly T[],
  { look, known }: Pick<InspectOptions, "look" | "known">,
): readonly (T & NamedColumns)[] {
  if (look === "columns") {
    const columns = known?.columns ?? [];
    return files.map((one) => ({ ...one, names: nameKnownColumns(one, columns) }));
  }
  const actual = files.flatMap(({ file, written }) => [...written, ...Object.keys(file.constants ?? {})]);
  const reserved = new Set(actual.map(fold));
  return files.map((one) => ({ ...one, names: distinct(one.written, reserved) }));
}

/**
 * Names the columns of a file of a known table. They may still differ from the table's by case.
 * @throws `file_reading_outdated` if the file has a column whose name was generated for another column of the table
 */
export function nameKnownColumns(
  { file, written }: WrittenColumns,
  columns: readonly FileColumn[],
): readonly string[] {
  const real = columns.filter(({ key }) => key === undefined).map(({ name }) => fold(name));
  const names = distinct(written, new Set([...real, ...written.map(fold)]));
  const keys = new Map(columns.map(({ name, key = name }) => [fold(name), fold(key)]));
  const other = names.find((name, at) => (keys.get(fold(name)) ?? fold(written[at]!)) !== fold(written[at]!));
  if (other === undefined) return names;
  const reason = `its column ${JSON.stringify(other)} has a name that was generated for another column`;
  throw new AgnesError("file_reading_outdated", { file: originOf(file), reason });
}

/**
 * Returns the written names of columns with generated names, by generated name.
 * @throws `file_unreadable` if two files have different written names for one generated name
 */
export function keysOf(files: readonly (WrittenColumns & NamedColumns)[]): ReadonlyMap<string, string> {
  const found = new Map<string, { readonly key: string; readonly file: FileInput }>();
  for (const { file, written, names } of files) {
    for (const [at, name] of names.entries()) {
      const key = written[at]!;
      if (fold(key) === fold(name)) continue;
      const other = found.get(name) ?? { key, file };
      found.set(name, other);
      if (other.key === key) continue;
      const reason = `its column ${JSON.stringify(key)} would be named ${JSON.stringify(name)}, like ${JSON.stringify(other.key)} in ${originOf(other.file)}; rename both columns in the files`;
      throw new AgnesError("file_unreadable", { path: originOf(file), reason });
    }
  }
  return new Map([...found].map(([name, { key }]) => [name, key]));
}

/** Returns a known reading without the columns whose generated names now belong to other columns. */
export function readingOfKeys(
  known: FileReading | undefined,
  keys: ReadonlyMap<string, string>,
): { readonly known?: FileReading } {
  if (known === undefined) return {};
  const isSame = ({ name, key }: FileColumn) => fold(key ?? name) === fold(keys.get(name) ?? name);
  return { known: { ...known, columns: known.columns.filter(isSame) } };
}

/** DuckDB's names are case-insensitive. */
const fold = (name: string) => name.toLowerCase();

/** @param reserved the folded names that must not be generated, including those of the file */
function distinct(written: readonly string[], reserved: ReadonlySet<string>): readonly string[] {
  const taken = new Set<string>();
  return written.map((own, at) => {
    let name = own;
    if (own === "" || taken.has(fold(own))) {
      const base = own === "" ? `column${at}` : own;
      name = base;
      for (let number = 1; taken.has(fold(name)) || reserved.has(fold(name)); number++) {
        name = `${base}_${number}`;
      }
    }
    taken.add(fold(name));
    return name;
  });
}
