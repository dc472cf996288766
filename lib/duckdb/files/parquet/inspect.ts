import { AgnesError } from "../../../base/mod.ts";
import type { FileColumn, FileInput, InspectOptions } from "../../../kit/mod.ts";
import type { Connection } from "../../connection.ts";
import { namesOfTable, originOf, uniteColumns } from "../columns.ts";
import { canonicalTypes, constantColumns } from "../constants.ts";
import { formatType, type TypeTree } from "../type-tree.ts";
import { parquetColumns, type ParquetColumn } from "./file-columns.ts";
import { widerType } from "./widen.ts";

/** What a look at Parquet files found. */
export interface InspectedParquet {
  readonly columns: readonly FileColumn[];
  /** By path: the columns of the file, none when it is empty. */
  readonly perFile: ReadonlyMap<string, readonly string[]>;
}

/**
 * Decides the columns of all Parquet files of a table together: of each the type that holds the values of every file.
 * Files say their types themselves, so those known from before do not count, but the order of the columns does.
 *
 * @throws `file_unreadable` naming a file that cannot be read, or two whose types have none in common
 */
export async function inspectParquet(
  connection: Connection,
  files: readonly FileInput[],
  { types = {}, known, look, signal }: InspectOptions,
): Promise<InspectedParquet> {
  const found: { readonly file: FileInput; readonly columns: readonly ParquetColumn[] }[] = [];
  for (const file of files) found.push({ file, columns: await parquetColumns(connection, file, { signal }) });
  const written = uniteColumns(
    found.map(({ file, columns }) => ({ file, names: columns.map(({ name }) => name) })),
  );
  const ofTable = (own: readonly string[]) => namesOfTable(own, known?.columns ?? []);
  // What the names alone are asked for is to see them as they are.
  const shown = look === "columns" ? (own: readonly string[]) => own : ofTable;
  const names = ofTable(written);
  const inFile = new Map(names.map((name, at) => [name, written[at]!]));
  const before = (known?.columns ?? []).map(({ name }) => name).filter((name) => names.includes(name));
  const columns = [...new Set([...before, ...names])].map((name): FileColumn => {
    const given = types[name];
    if (given !== undefined) return { name, type: given, given: true };
    const durations = unitedDurations(inFile.get(name)!, found);
    const type = formatType(unitedType(inFile.get(name)!, found));
    return { name, type, ...(durations === null ? {} : { description: durations }) };
  });
  const constants = await constantColumns(connection, files, columns, types);
  const perFile = new Map(
    found.map(({ file: { path, constants: fixed = {} }, columns: own }) => [
      path,
      own.length === 0 ? [] : [...new Set([...shown(own.map(({ name }) => name)), ...Object.keys(fixed)])],
    ]),
  );
  return { columns: await canonicalTypes(connection, [...columns, ...constants]), perFile };
}

type FoundFiles = readonly { readonly file: FileInput; readonly columns: readonly ParquetColumn[] }[];

/** The durations that the numbers of a column are, in all files that say so. */
function unitedDurations(name: string, files: FoundFiles): string | null {
  let first: { readonly durations: string; readonly file: FileInput } | null = null;
  for (const { file, columns } of files) {
    const durations = columns.find((column) => column.name === name)?.durations ?? null;
    if (durations === null) continue;
    first ??= { durations, file };
    if (durations === first.durations) continue;
    const reason = `its column ${JSON.stringify(name)} says ${durations}, but ${first.durations} in ${originOf(first.file)}; write both in the same unit`;
    throw new AgnesError("file_unreadable", { path: originOf(file), reason });
  }
  return first?.durations ?? null;
}

function unitedType(name: string, files: FoundFiles): TypeTree {
  let united: TypeTree | null = null;
  const typed: TypedFile[] = [];
  for (const { file, columns } of files) {
    const own = columns.find((column) => column.name === name);
    if (own === undefined || own.isNull) continue;
    const type: TypeTree | null = united === null ? own.type : widerType(united, own.type);
    if (type === null) {
      const reason = `its column ${JSON.stringify(name)} is ${formatType(own.type)}, but ${conflictOf(own.type, typed)}, so give one under types, or correct one of them`;
      throw new AgnesError("file_unreadable", { path: originOf(file), reason });
    }
    if (united === null || formatType(type) !== formatType(united)) typed.push({ file, type: own.type });
    united = type;
  }
  return united ?? files.flatMap(({ columns }) => columns).find((column) => column.name === name)!.type;
}

/** A file with the type that a column has there. */
interface TypedFile {
  readonly file: FileInput;
  readonly type: TypeTree;
}

/**
 * Which files a type does not go with: one, if there is one; else the first and the last of those that made the type
 * before it wider.
 */
function conflictOf(type: TypeTree, typed: readonly TypedFile[]): string {
  const named = ({ file, type: own }: TypedFile) => `${formatType(own)} in ${originOf(file)}`;
  const other = typed.find((one) => widerType(one.type, type) === null);
  return other === undefined
    ? `${named(typed[0]!)} and ${named(typed.at(-1)!)}; no type holds all`
    : `${named(other)}; no type holds both`;
}
