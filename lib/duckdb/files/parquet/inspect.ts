import { AgnesError } from "../../../base/mod.ts";
import type { FileColumn, FileInput, InspectOptions } from "../../../kit/mod.ts";
import type { Connection } from "../../connection.ts";
import { namesOfTable, originOf, uniteColumns } from "../columns.ts";
import { canonicalTypes, constantColumns } from "../constants.ts";
import { keysOf, nameColumns } from "../generated-names.ts";
import type { HostFile } from "../open-bytes.ts";
import { formatType, type TypeTree } from "../type-tree.ts";
import { parquetColumns, type ParquetColumn } from "./file-columns.ts";
import { widerType } from "./widen.ts";

/** The result of inspecting Parquet files. */
export interface InspectedParquet {
  readonly columns: readonly FileColumn[];
  /** The columns of each file, by path; none if it is empty. */
  readonly perFile: ReadonlyMap<string, readonly string[]>;
}

/**
 * Decides the columns of all Parquet files of a table, each with a type that holds the values of all files. The files
 * declare their types, so known types are ignored; the known order of columns is kept.
 *
 * @throws `file_unreadable` naming a file that cannot be read, or two files without a common type
 */
export async function inspectParquet(
  connection: Connection,
  files: readonly HostFile[],
  options: InspectOptions,
): Promise<InspectedParquet> {
  const { types = {}, known, look, signal } = options;
  const read: FoundFile[] = [];
  for (const file of files) {
    const columns = await parquetColumns(connection, file, { signal });
    read.push({ file, columns, written: columns.map((column) => column.written) });
  }
  const found = nameColumns(read, options).map((one) => ({
    ...one,
    columns: one.columns.map((column, at) => ({ ...column, name: one.names[at]! })),
  }));
  const keys = keysOf(found);
  const written = uniteColumns(found);
  const ofTable = (own: readonly string[]) => namesOfTable(own, known?.columns ?? []);
  // A request for the names alone needs them as written.
  const namesOf = look === "columns" ? (own: readonly string[]) => own : ofTable;
  const names = ofTable(written);
  const inFile = new Map(names.map((name, at) => [name, written[at]!]));
  const before = (known?.columns ?? []).map(({ name }) => name).filter((name) => names.includes(name));
  const columns = [...new Set([...before, ...names])].map((name): FileColumn => {
    const configured = types[name];
    const key = keys.get(inFile.get(name)!);
    const named = { name, ...(key === undefined ? {} : { key }) };
    if (configured !== undefined) return { ...named, type: configured, isConfigured: true };
    const durations = unitedDurations(inFile.get(name)!, found);
    const type = formatType(unitedType(inFile.get(name)!, found));
    return { ...named, type, ...(durations === null ? {} : { description: durations }) };
  });
  const constants = await constantColumns(connection, files, columns, types);
  const perFile = new Map(
    found.map(({ file: { path, constants: fixed = {} }, names: own }) => [
      path,
      own.length === 0 ? [] : [...new Set([...namesOf(own), ...Object.keys(fixed)])],
    ]),
  );
  return { columns: await canonicalTypes(connection, [...columns, ...constants]), perFile };
}

interface FoundFile {
  readonly file: FileInput;
  readonly columns: readonly ParquetColumn[];
  readonly written: readonly string[];
}

type FoundFiles = readonly FoundFile[];

/** The durations in a column, in all files that declare some. */
function unitedDurations(name: string, files: FoundFiles): string | null {
  let first: { readonly durations: string; readonly file: FileInput } | null = null;
  for (const { file, columns } of files) {
    const durations = columns.find((column) => column.name === name)?.durations ?? null;
    if (durations === null) continue;
    first ??= { durations, file };
    if (durations === first.durations) continue;
    const reason = `its column ${JSON.stringify(name)} is declared as ${durations}, but as ${first.durations} in ${originOf(first.file)}; write both in the same unit`;
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
      const reason = `its column ${JSON.stringify(name)} is ${formatType(own.type)}, but ${conflictOf(own.type, typed)}; set its type under types, or correct one of the files`;
      throw new AgnesError("file_unreadable", { path: originOf(file), reason });
    }
    if (united === null || formatType(type) !== formatType(united)) typed.push({ file, type: own.type });
    united = type;
  }
  return united ?? files.flatMap(({ columns }) => columns).find((column) => column.name === name)!.type;
}

/** A file with its type of a column. */
interface TypedFile {
  readonly file: FileInput;
  readonly type: TypeTree;
}

/**
 * Describes the files whose types conflict with a type: one file if possible, otherwise the first and the last of those
 * that widened the type so far.
 */
function conflictOf(type: TypeTree, typed: readonly TypedFile[]): string {
  const named = ({ file, type: own }: TypedFile) => `${formatType(own)} in ${originOf(file)}`;
  const other = typed.find((one) => widerType(one.type, type) === null);
  return other === undefined
    ? `${named(typed[0]!)} and ${named(typed.at(-1)!)}; no type holds all`
    : `${named(other)}; no type holds both`;
}
