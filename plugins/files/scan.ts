import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";

import { AgnesError } from "agnes/kit";

import { isIgnored, readName } from "./formats.ts";
import type { SourceFormat } from "./options.ts";

/** The files that make up one table, as they were found. */
export interface FoundTable {
  /** The name of the file without its ending, or of the folder. */
  readonly name: string;
  /** The file or folder the name comes from. */
  readonly path: string;
  /** Where the names of the files start. */
  readonly folder: string;
  readonly format: SourceFormat;
  /** Absolute paths, sorted. */
  readonly files: readonly string[];
  /** Why these files make no table. */
  readonly problem?: AgnesError;
}

/** Lists the paths that match a glob. */
export type Glob = (pattern: string) => Promise<readonly string[]>;

/**
 * Finds the tables at a path: a file is one; of a folder, every file and every sub-folder is one; of a glob, every
 * match is one.
 */
export async function findTables(
  path: string,
  options: { readonly glob: Glob; readonly format?: SourceFormat | undefined },
): Promise<readonly FoundTable[]> {
  const { format } = options;
  if (await isFolder(path)) {
    const entries = await visibleEntries(path);
    return (await Promise.all(entries.map((entry) => tableAt(entry, format)))).filter(
      (found) => found !== null,
    );
  }
  if (!isGlob(path)) return [await oneTable(path, basename(path), format)];
  const matches = await globbed(path, options.glob);
  if (matches.length === 0) throw nothingThere(path);
  return (await Promise.all(matches.map((match) => tableAt(match, format)))).filter(
    (found) => found !== null,
  );
}

/** The one table that a path makes up: a file, all files of a folder, or all matches of a glob. */
export async function findTable(
  path: string,
  name: string,
  options: { readonly glob: Glob; readonly format?: SourceFormat | undefined },
): Promise<FoundTable> {
  if (!isGlob(path) || (await exists(path))) return { ...(await oneTable(path, name, options.format)), name };
  const matches = await globbed(path, options.glob);
  const files = (await Promise.all(matches.map((match) => filesUnder(match)))).flat();
  return fromFiles(name, path, files, options.format);
}

async function oneTable(path: string, name: string, format?: SourceFormat): Promise<FoundTable> {
  if (!(await exists(path))) throw nothingThere(path);
  if (await isFolder(path)) return fromFiles(name, path, await filesUnder(path), format);
  const found = fromFile(path, format);
  if (found === null) throw formatUnknown(path);
  return found;
}

async function tableAt(path: string, format?: SourceFormat): Promise<FoundTable | null> {
  if (isIgnored(path)) return null;
  if (!(await isFolder(path))) return fromFile(path, format);
  const files = await filesUnder(path);
  // A folder without data, such as one of scripts, is not a table.
  return files.some((file) => readName(file, format) !== null)
    ? fromFiles(basename(path), path, files, format)
    : null;
}

function fromFile(path: string, fallback?: SourceFormat): FoundTable | null {
  const read = readName(path, fallback);
  return read && { name: read.stem, path, folder: dirname(path), format: read.format, files: [path] };
}

function fromFiles(
  name: string,
  path: string,
  candidates: readonly string[],
  fallback: SourceFormat | undefined,
): FoundTable {
  const files = candidates.filter((file) => readName(file, fallback) !== null).sort();
  const first = files[0];
  if (first === undefined) throw nothingThere(path);
  const formatOf = (file: string) => readName(file, fallback)!.format;
  const format = formatOf(first);
  const other = files.find((file) => formatOf(file) !== format);
  const found = { name, path, folder: isGlob(path) ? fixedPart(path) : path, format, files };
  if (other === undefined) return found;
  return { ...found, problem: new AgnesError("source_files_mixed", { path, first, second: other }) };
}

/** What a glob matches, without what is hidden or temporary below its fixed part. */
async function globbed(pattern: string, glob: Glob): Promise<readonly string[]> {
  const fixed = fixedPart(pattern);
  const matches = await glob(pattern);
  return matches.filter((match) => !relative(fixed, match).split(/[/\\]/).some(isIgnored)).sort();
}

/** All data files in a folder and below; a file is itself. */
async function filesUnder(path: string, above: readonly string[] = []): Promise<readonly string[]> {
  const { isDirectory, identity } = await look(path);
  if (!isDirectory) return [path];
  // A link to a folder above would never end.
  if (above.includes(identity)) return [];
  const entries = await visibleEntries(path);
  return (await Promise.all(entries.map((entry) => filesUnder(entry, [...above, identity])))).flat();
}

async function visibleEntries(folder: string): Promise<readonly string[]> {
  const names = await attempt("list", folder, () => readdir(folder));
  return names
    .sort()
    .filter((name) => !isIgnored(name))
    .map((name) => join(folder, name));
}

async function look(path: string): Promise<{ readonly isDirectory: boolean; readonly identity: string }> {
  const found = await attempt("look at", path, () => stat(path));
  return { isDirectory: found.isDirectory(), identity: `${found.dev}:${found.ino}` };
}

async function isFolder(path: string): Promise<boolean> {
  return (await exists(path)) && (await look(path)).isDirectory;
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(codeOf(error))) return false;
    throw unreadable("look at", path, error);
  }
}

async function attempt<T>(operation: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw unreadable(operation, path, error);
  }
}

const GLOB = /[*?[]/;
const fixedPart = (pattern: string) => dirname(pattern.slice(0, pattern.search(GLOB) + 1));
const isGlob = (path: string) => GLOB.test(path);
const codeOf = (error: unknown) =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";

function unreadable(operation: string, path: string, error: unknown): AgnesError {
  return new AgnesError(
    "file_failed",
    { operation, path, reason: codeOf(error) || String(error) },
    { cause: error },
  );
}

function nothingThere(path: string): AgnesError {
  return new AgnesError("source_path_empty", { path });
}

function formatUnknown(path: string): AgnesError {
  return new AgnesError("source_format_unknown", { path });
}
