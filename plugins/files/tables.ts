import { basename, relative } from "node:path";

import { AgnesError, toExposedName, type CsvOptions } from "agnes/kit";

import type { FilesOptions, SourceFormat, TableSettings } from "./options.ts";
import { readName } from "./formats.ts";
import { findTable, findTables, rootsAt, type FoundTable } from "./scan.ts";
import type { WalkRule } from "./walk.ts";
import { errors } from "./errors.ts";

/** How the options say that files are read. */
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
 * All tables of the source by name: those named in the options, and those found at the path of which no other took
 * the files. What is wrong with one of them is its `problem` and does not concern the others.
 *
 * @throws what is wrong with the path of the source itself, when no table has a path of its own
 */
export async function listTables(
  options: FilesOptions,
  resolvePath: (path: string) => string,
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
  const rule = { followLinks: options.followLinks ?? false, roots, format: options.format };
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
  const strangers = [...settings.keys()].filter((name) => !found.has(name));
  const tables = [
    ...found.values(),
    ...strangers.map((name) => missing(name, `tables.${name}`, settingsForNothing(name, [...found.keys()]))),
  ];
  return new Map(
    tables.map((table) => [
      table.name,
      withSettings(
        twice.has(table.name) ? { ...table, problem: settingsTwice(table.name) } : table,
        options,
        settings.get(table.name) ?? {},
      ),
    ]),
  );
}

/** The table as its files are now; `null` when there is nothing left of it. */
export async function lookAgain(table: FilesTable): Promise<FilesTable | null> {
  if (table.problem !== undefined) return table;
  const { name, settings, reading } = table;
  try {
    const found = await table.again();
    return found && { ...found, name, settings, reading };
  } catch (error) {
    if (!(error instanceof AgnesError)) throw error;
    return { ...table, problem: error };
  }
}

/** What a file is called inside its table; stays the same when the workspace moves. */
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
    // The tables with a path of their own are there, whatever became of this one.
    if (!(error instanceof AgnesError) || !hasOthers) throw error;
    return [missing(readName(path)?.stem ?? basename(path), path, error)];
  }
}

function missing(name: string, path: string, problem: AgnesError): FoundTable {
  const again = () => Promise.resolve(null);
  return { name, path, folder: path, format: "csv", files: [], problem, notes: [], again };
}

function byName(found: readonly FoundTable[]): ReadonlyMap<string, FoundTable> {
  const tables = new Map<string, FoundTable>();
  for (const table of found) {
    const other = tables.get(table.name);
    tables.set(table.name, other === undefined ? table : oneOf(other, table));
  }
  return tables;
}

/** Two that would have the same name are neither of them, unless one is left out anyway. */
function oneOf(one: FoundTable, other: FoundTable): FoundTable {
  if (other.isLeftOut === true) return { ...one, notes: [...one.notes, other.problem!.message] };
  if (one.isLeftOut === true) return { ...other, notes: [...other.notes, one.problem!.message] };
  const details = { name: one.name, first: one.path, second: other.path };
  return missing(one.name, one.path, errors.name_taken(details));
}

function withSettings(found: FoundTable, options: FilesOptions, settings: TableSettings): FilesTable {
  const { format } = found;
  const reading = { format, csv: csvOf(format, settings.csv ?? options.csv ?? {}) };
  return { ...found, settings, reading };
}

function csvOf(format: Reading["format"], given: NonNullable<FilesOptions["csv"]>): CsvOptions {
  if (format !== "csv" && format !== "tsv") return {};
  return {
    ...(format === "tsv" ? { delimiter: "\t" } : {}),
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  };
}

function settingsForNothing(name: string, known: readonly string[]): AgnesError {
  return new AgnesError("invalid_input", {
    what: `tables.${name}`,
    reason: `no such table was found; there are ${known.join(", ") || "none"}`,
  });
}

function settingsTwice(name: string): AgnesError {
  return new AgnesError("invalid_input", {
    what: `tables.${name}`,
    reason: "two entries have names that become this one",
  });
}
