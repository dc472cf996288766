import { relative } from "node:path";

import { AgnesError, toExposedName, type CsvOptions } from "agnes/kit";

import type { FilesOptions, SourceFormat, TableSettings } from "./options.ts";
import { findTable, findTables, type FoundTable, type Glob } from "./scan.ts";
import type { Reading } from "./shape.ts";

/** One table of the source: its files and how to read them. */
export interface FilesTable extends FoundTable {
  readonly reading: Reading;
  readonly settings: TableSettings;
}

/**
 * All tables of the source by name: those named in the options, and those found at the path of which no other took
 * the files.
 */
export async function listTables(
  options: FilesOptions,
  services: { readonly glob: Glob; readonly resolvePath: (path: string) => string },
): Promise<ReadonlyMap<string, FilesTable>> {
  const { glob, resolvePath } = services;
  const settings = new Map(
    Object.entries(options.tables ?? {}).map(([name, one]) => [toExposedName(name), one]),
  );
  const named = await Promise.all(
    [...settings].flatMap(([name, one]) =>
      one.path === undefined
        ? []
        : [namedTable(resolvePath(one.path), name, one.format ?? options.format, glob)],
    ),
  );
  const taken = new Set(named.flatMap((found) => found.files));
  const scanned =
    options.path === undefined
      ? []
      : await findTables(resolvePath(options.path), { glob, format: options.format });
  const rest = scanned.filter((found) => !found.files.every((file) => taken.has(file)));
  const tables = byName([...named, ...rest.map((found) => ({ ...found, name: toExposedName(found.name) }))]);
  const stranger = [...settings.keys()].find((name) => !tables.has(name));
  if (stranger !== undefined) throw settingsForNothing(stranger, [...tables.keys()]);
  return new Map(
    [...tables].map(([name, found]) => [name, withSettings(found, options, settings.get(name) ?? {})]),
  );
}

/** What a file is called inside its table; stays the same when the workspace moves. */
export function originOf(table: FoundTable, file: string): string {
  return relative(table.folder, file);
}

async function namedTable(
  path: string,
  name: string,
  format: SourceFormat | undefined,
  glob: Glob,
): Promise<FoundTable> {
  try {
    return await findTable(path, name, { glob, format });
  } catch (error) {
    // The other tables of the source are there, whatever became of this one.
    if (!(error instanceof AgnesError)) throw error;
    return { name, path, folder: path, format: "csv", files: [], problem: error };
  }
}

function byName(found: readonly FoundTable[]): ReadonlyMap<string, FoundTable> {
  const tables = new Map<string, FoundTable>();
  for (const table of found) {
    const other = tables.get(table.name);
    if (other !== undefined) {
      throw new AgnesError("source_name_taken", { name: table.name, first: other.path, second: table.path });
    }
    tables.set(table.name, table);
  }
  return tables;
}

function withSettings(found: FoundTable, options: FilesOptions, settings: TableSettings): FilesTable {
  const { format } = found;
  if (format === "parquet" && settings.types !== undefined) {
    throw new AgnesError("invalid_input", {
      what: `types of table ${found.name}`,
      reason: "Parquet files carry their own types",
    });
  }
  return {
    ...found,
    format,
    settings,
    reading: { format, csv: csvOf(format, settings.csv ?? options.csv ?? {}) },
  };
}

function csvOf(format: Reading["format"], given: NonNullable<FilesOptions["csv"]>): CsvOptions {
  if (format !== "csv" && format !== "tsv") return {};
  return {
    // DuckDB guesses whether there is a header, and guesses wrong when the names are numbers, such as years.
    header: given.names === undefined,
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
