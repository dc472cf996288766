import { basename, relative } from "node:path";

import { AgnesError, toExposedName, type ConnectContext, type CsvOptions } from "agnes/kit";

import type { FilesOptions, SourceFormat, TableSettings } from "./options.ts";
import { readName } from "./formats.ts";
import { findTable, findTables, realPaths, rootsAt, type FoundTable } from "./scan.ts";
import type { WalkRule } from "./walk.ts";
import { errors } from "./errors.ts";

/** The configured format and CSV options. */
interface Reading {
  readonly format: SourceFormat;
  readonly csv: CsvOptions;
}

/** One table of the source: its files and how to read them. */
export interface FilesTable extends FoundTable {
  readonly reading: Reading;
  readonly settings: TableSettings;
}

/**
 * Returns all tables of the source by name: those configured with a path, and those found at the path of the source
 * whose files belong to no configured table. A table that cannot be read has a `problem`; the others are not affected.
 *
 * @throws the error of the source's path, unless some table has its own path
 */
export async function listTables(
  options: FilesOptions,
  { resolvePath, ownPaths }: Pick<ConnectContext<FilesOptions, never>, "resolvePath" | "ownPaths">,
): Promise<ReadonlyMap<string, FilesTable>> {
  const settings = new Map<string, TableSettings>();
  const twice = new Set<string>();
  for (const [key, one] of Object.entries(options.tables ?? {})) {
    const name = toExposedName(key);
    if (settings.has(name)) twice.add(name);
    settings.set(name, one);
  }
  const path = options.path === undefined ? undefined : resolvePath(options.path);
  const roots = path === undefined ? [] : await rootsAt(path);
  const ignored = await realPaths(ownPaths);
  const rule = { followLinks: options.followLinks ?? false, roots, ignored, format: options.format };
  const named = await Promise.all(
    [...settings].flatMap(([name, one]) =>
      one.path === undefined
        ? []
        : [namedTable(resolvePath(one.path), name, { ...rule, format: one.format ?? options.format })],
    ),
  );
  const taken = new Set(named.flatMap((found) => [found.path, ...found.files]));
  const scanned = path === undefined ? [] : await scannedTables(path, rule, named.length > 0);
  const rest = scanned.filter(
    ({ path: own, files }) =>
      !taken.has(own) && (files.length === 0 || !files.every((file) => taken.has(file))),
  );
  const found = byName([...named, ...rest.map((one) => ({ ...one, name: toExposedName(one.name) }))]);
  const unmatched = [...settings.keys()].filter((name) => !found.has(name));
  const tables = [
    ...found.values(),
    ...unmatched.map((name) => missing(name, `tables.${name}`, unmatchedSettings(name, [...found.keys()]))),
  ];
  return new Map(
    tables.map((table) => [
      table.name,
      withSettings(
        twice.has(table.name) ? { ...table, problem: duplicateSettings(table.name) } : table,
        options,
        settings.get(table.name) ?? {},
      ),
    ]),
  );
}

/** Finds the files of a table again; `null` if the table no longer exists. */
export async function refreshTable(table: FilesTable): Promise<FilesTable | null> {
  if (table.problem !== undefined) return table;
  const { name, settings, reading } = table;
  try {
    const found = await table.refresh();
    return found && { ...found, name, settings, reading };
  } catch (error) {
    if (!(error instanceof AgnesError)) throw error;
    return { ...table, problem: error };
  }
}

/** The path of a file relative to its table; it does not change if the workspace moves. */
export function originOf(table: FoundTable, file: string): string {
  return relative(table.folder, file);
}

async function namedTable(path: string, name: string, rule: WalkRule): Promise<FoundTable> {
  try {
    const roots = [...rule.roots, ...(await rootsAt(path))];
    return { ...(await findTable(path, name, { ...rule, roots })), name };
  } catch (error) {
    if (!(error instanceof AgnesError)) throw error;
    return missing(name, path, error);
  }
}

async function scannedTables(
  path: string,
  rule: WalkRule,
  hasOthers: boolean,
): Promise<readonly FoundTable[]> {
  try {
    return await findTables(path, rule);
  } catch (error) {
    // Tables with their own path stay readable.
    if (!(error instanceof AgnesError) || !hasOthers) throw error;
    return [missing(readName(path)?.stem ?? basename(path), path, error)];
  }
}

function missing(name: string, path: string, problem: AgnesError): FoundTable {
  const refresh = () => Promise.resolve(null);
  return { name, path, folder: path, format: "csv", files: [], problem, notes: [], refresh };
}

function byName(found: readonly FoundTable[]): ReadonlyMap<string, FoundTable> {
  const tables = new Map<string, FoundTable>();
  for (const table of found) {
    const other = tables.get(table.name);
    tables.set(table.name, other === undefined ? table : oneOf(other, table));
  }
  return tables;
}

/** Resolves two tables with the same name: an error, unless one of them is skipped. */
function oneOf(one: FoundTable, other: FoundTable): FoundTable {
  if (other.isSkipped === true) return { ...one, notes: [...one.notes, other.problem!.message] };
  if (one.isSkipped === true) return { ...other, notes: [...other.notes, one.problem!.message] };
  const details = { name: one.name, first: one.path, second: other.path };
  return missing(one.name, one.path, errors.name_taken(details));
}

function withSettings(found: FoundTable, options: FilesOptions, settings: TableSettings): FilesTable {
  const { format } = found;
  const reading = { format, csv: csvOf(format, settings.csv ?? options.csv ?? {}) };
  return { ...found, settings, reading };
}

function csvOf(format: Reading["format"], csv: NonNullable<FilesOptions["csv"]>): CsvOptions {
  if (format !== "csv" && format !== "tsv") return {};
  return {
    ...(format === "tsv" ? { delimiter: "\t" } : {}),
    ...Object.fromEntries(Object.entries(csv).filter(([, value]) => value !== undefined)),
  };
}

function unmatchedSettings(name: string, known: readonly string[]): AgnesError {
  return new AgnesError("invalid_input", {
    what: `tables.${name}`,
    reason: `no such table was found; the tables are: ${known.join(", ") || "none"}`,
  });
}

function duplicateSettings(name: string): AgnesError {
  return new AgnesError("invalid_input", {
    what: `tables.${name}`,
    reason: "two entries map to this table name",
  });
}
