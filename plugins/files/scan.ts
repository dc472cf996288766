import { realpath } from "node:fs/promises";
import { basename, dirname, join, relative, sep } from "node:path";

import type { AgnesError } from "agnes/kit";

import { refreshEntry, entryAt, entriesOf, type DataEntry, type Entry } from "./entries.ts";
import { formatUnknown, pathEmpty } from "./failures.ts";
import { mayHoldData, readName } from "./formats.ts";
import { fixedPart, isGlob, matchesOf } from "./glob.ts";
import type { SourceFormat } from "./options.ts";
import { joined, walk, type Walked, type WalkRule } from "./walk.ts";
import { errors } from "./errors.ts";

/** The files of one table. */
export interface FoundTable {
  /** The name of the file without its extension, or the name of the folder. */
  readonly name: string;
  /** The file or folder that names the table. */
  readonly path: string;
  /** The folder that origins are relative to. */
  readonly folder: string;
  readonly format: SourceFormat;
  /** Absolute paths, sorted. */
  readonly files: readonly string[];
  /** Why these files cannot be read as a table. */
  readonly problem?: AgnesError;
  /** Whether the table is skipped, because it consists only of a link out of the source; see `problem`. */
  readonly isSkipped?: boolean;
  /** Notes for users, such as links that are not followed. */
  readonly notes: readonly string[];
  /** Finds the files of this table again; `null` if it no longer exists. */
  refresh(): Promise<FoundTable | null>;
}

/**
 * Finds the tables at a path: a file is one table. Each file and each sub-folder of a folder, and each match of a glob,
 * is a table. Entries that cannot be read are tables with a problem.
 *
 * @throws `source_path_empty`, `files/format_unknown`, `file_failed`, `files/entry_unusable` for the path itself
 */
export async function findTables(path: string, rule: WalkRule): Promise<readonly FoundTable[]> {
  const entry = await entryAt(path);
  if (entry?.kind === "bad") throw entry.problem;
  if (entry?.kind === "folder") {
    const refresh = async (name: string): Promise<FoundTable | null> => {
      const refreshed = await refreshEntry(entry, name, rule);
      return refreshed && tableAt(refreshed, rule, () => refresh(name));
    };
    const found = await entriesOf(entry, rule);
    return present(found.map((one) => tableAt(one, rule, () => refresh(basename(one.path)))));
  }
  if (entry !== null || !isGlob(path)) return [await findTable(path, basename(path), rule)];
  const { entries, blocked } = await matchesOf(path, rule);
  if (entries.length + blocked.length === 0) throw pathEmpty(path);
  const refresh = async (wanted: string) =>
    (await findTables(path, rule)).find((table) => table.path === wanted) ?? null;
  const barred = blocked.map((one) => badTable(one.path, one.problem, () => refresh(one.path)));
  const tables = await present(entries.map((one) => tableAt(one, rule, () => refresh(one.path))));
  return [...tables, ...barred];
}

/**
 * Finds the one table of a path: a file, all files of a folder, or all matches of a glob.
 * @throws `source_path_empty`, `files/format_unknown`, `file_failed`, `files/entry_unusable`
 */
export async function findTable(path: string, name: string, rule: WalkRule): Promise<FoundTable> {
  const refresh = () => findTable(path, name, rule);
  const entry = await entryAt(path);
  if (entry?.kind === "bad") throw entry.problem;
  if (entry === null) {
    if (!isGlob(path)) throw pathEmpty(path);
    const { entries, blocked } = await matchesOf(path, rule);
    const walked = await Promise.all(entries.map((one) => walk(one, rule)));
    const barred = blocked.map(({ problem }): Walked => ({ files: [], leftOut: [], problem }));
    return fromFiles({ name, path, folder: fixedPart(path), refresh }, joined([...barred, ...walked]), rule);
  }
  if (entry.kind === "folder") {
    return fromFiles({ name, path, folder: path, refresh }, await walk(entry, rule), rule);
  }
  const found = fromFile(entry, rule.format, refresh);
  if (found === null) throw formatUnknown(path);
  return found;
}

/** The folder, with all links resolved, in which the targets of links at a configured path are allowed. */
export async function rootsAt(path: string): Promise<readonly string[]> {
  const entry = await entryAt(path);
  const above = isGlob(path) && entry === null ? await entryAt(fixedPart(path)) : entry;
  return above === null || above.kind === "bad" ? [] : [above.real];
}

/** The paths with all links resolved, of files and folders that may not exist yet. */
export async function realPaths(paths: readonly string[]): Promise<ReadonlySet<string>> {
  const real = paths.map((path) =>
    realpath(path).catch(async () =>
      join(await realpath(dirname(path)).catch(() => dirname(path)), basename(path)),
    ),
  );
  return new Set(await Promise.all(real));
}

type Refresh = FoundTable["refresh"];

async function tableAt(entry: Entry, rule: WalkRule, refresh: Refresh): Promise<FoundTable | null> {
  const { path } = entry;
  switch (entry.kind) {
    case "file":
      return fromFile(entry, rule.format, refresh);
    case "bad":
      return mayHoldData(entry, rule.format) ? badTable(path, entry.problem, refresh) : null;
    case "leftOut":
      return mayHoldData(entry, rule.format)
        ? { ...badTable(path, entry.problem, refresh), isSkipped: true }
        : null;
    case "folder": {
      const walked = await walk(entry, rule);
      const hasData = walked.files.some((file) => readName(file.path, rule.format) !== null);
      // A folder without data, such as one of scripts, is not a table.
      if (!hasData && walked.problem === undefined && walked.leftOut.length === 0) return null;
      const isSkipped = !hasData && walked.problem === undefined;
      if (isSkipped) return { ...badTable(path, walked.leftOut[0]!.problem, refresh), isSkipped };
      return fromFiles({ name: basename(path), path, folder: path, refresh }, walked, rule);
    }
  }
}

async function present(found: readonly Promise<FoundTable | null>[]): Promise<readonly FoundTable[]> {
  return (await Promise.all(found)).filter((table) => table !== null);
}

function fromFile(entry: DataEntry, fallback: SourceFormat | undefined, refresh: Refresh): FoundTable | null {
  const { path } = entry;
  const read = readName(path, fallback);
  if (read === null) return null;
  const { stem: name, format } = read;
  return { name, path, folder: dirname(path), format, files: [path], notes: [], refresh };
}

function badTable(path: string, problem: AgnesError, refresh: Refresh): FoundTable {
  const name = readName(path)?.stem ?? basename(path);
  return { name, path, folder: path, format: "csv", files: [], problem, notes: [], refresh };
}

function fromFiles(
  of: Pick<FoundTable, "name" | "path" | "folder" | "refresh">,
  walked: Walked,
  { format: fallback }: WalkRule,
): FoundTable {
  const formats = new Map<string, SourceFormat>();
  for (const file of distinct(walked.files, of.folder)) {
    const read = readName(file, fallback);
    if (read !== null) formats.set(file, read.format);
  }
  const files = [...formats.keys()];
  const format = files[0] === undefined ? "csv" : formats.get(files[0])!;
  const other = files.find((file) => formats.get(file) !== format);
  const problem =
    walked.problem ??
    (files.length === 0
      ? (walked.leftOut[0]?.problem ?? pathEmpty(of.path))
      : other === undefined
        ? undefined
        : errors.files_mixed({ path: of.path, first: files[0]!, second: other }));
  const notes = walked.leftOut.map((one) => one.problem.message);
  return { ...of, format, files, notes, ...(problem === undefined ? {} : { problem }) };
}

/** The sorted paths of files. A file that is also reached by a link counts once, by its own path. */
function distinct(files: readonly DataEntry[], folder: string): readonly string[] {
  const byReal = new Map<string, DataEntry>();
  const isOwn = (file: DataEntry) => file.real.endsWith(sep + relative(folder, file.path));
  for (const file of files) {
    const known = byReal.get(file.real);
    if (known === undefined || (!isOwn(known) && isOwn(file))) byReal.set(file.real, file);
  }
  return [...byReal.values()].map((file) => file.path).sort();
}
