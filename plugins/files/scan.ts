import { basename, dirname, relative, sep } from "node:path";

import type { AgnesError } from "agnes/kit";

import { entryAgain, entryAt, entriesOf, type DataEntry, type Entry } from "./entries.ts";
import { formatUnknown, nothingThere } from "./failures.ts";
import { mayHoldData, readName } from "./formats.ts";
import { fixedPart, isGlob, matchesOf } from "./glob.ts";
import type { SourceFormat } from "./options.ts";
import { joined, walk, type Walked, type WalkRule } from "./walk.ts";
import { errors } from "./errors.ts";

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
  /** Whether the table is left out on purpose, as `problem` says: all there is of it is a link out of the source. */
  readonly isLeftOut?: boolean;
  /** What a person should know, such as links that are not followed. */
  readonly notes: readonly string[];
  /** Looks again at what makes up this table; `null` when nothing does any more. */
  again(): Promise<FoundTable | null>;
}

/**
 * Finds the tables at a path: a file is one; of a folder, every file and every sub-folder is one; of a glob, every
 * match is one. What cannot be looked into is a table with a problem.
 *
 * @throws `source_path_empty`, `files/format_unknown`, `file_failed`, `files/entry_unusable` for the path itself
 */
export async function findTables(path: string, rule: WalkRule): Promise<readonly FoundTable[]> {
  const entry = await entryAt(path);
  if (entry?.kind === "bad") throw entry.problem;
  if (entry?.kind === "folder") {
    const look = async (name: string): Promise<FoundTable | null> => {
      const again = await entryAgain(entry, name, rule);
      return again && tableAt(again, rule, () => look(name));
    };
    const found = await entriesOf(entry, rule);
    return present(found.map((one) => tableAt(one, rule, () => look(basename(one.path)))));
  }
  if (entry !== null || !isGlob(path)) return [await findTable(path, basename(path), rule)];
  const { entries, blocked } = await matchesOf(path, rule);
  if (entries.length + blocked.length === 0) throw nothingThere(path);
  const look = async (wanted: string) =>
    (await findTables(path, rule)).find((table) => table.path === wanted) ?? null;
  const barred = blocked.map((one) => badTable(one.path, one.problem, () => look(one.path)));
  const tables = await present(entries.map((one) => tableAt(one, rule, () => look(one.path))));
  return [...tables, ...barred];
}

/**
 * The one table that a path makes up: a file, all files of a folder, or all matches of a glob.
 * @throws `source_path_empty`, `files/format_unknown`, `file_failed`, `files/entry_unusable`
 */
export async function findTable(path: string, name: string, rule: WalkRule): Promise<FoundTable> {
  const again = () => findTable(path, name, rule);
  const entry = await entryAt(path);
  if (entry?.kind === "bad") throw entry.problem;
  if (entry === null) {
    if (!isGlob(path)) throw nothingThere(path);
    const { entries, blocked } = await matchesOf(path, rule);
    const walked = await Promise.all(entries.map((one) => walk(one, rule)));
    const barred = blocked.map(({ problem }): Walked => ({ files: [], leftOut: [], problem }));
    return fromFiles({ name, path, folder: fixedPart(path), again }, joined([...barred, ...walked]), rule);
  }
  if (entry.kind === "folder") {
    return fromFiles({ name, path, folder: path, again }, await walk(entry, rule), rule);
  }
  const found = fromFile(entry, rule.format, again);
  if (found === null) throw formatUnknown(path);
  return found;
}

/** The folder, without links in its path, inside which the links at a path of the options may lead. */
export async function rootsAt(path: string): Promise<readonly string[]> {
  const entry = await entryAt(path);
  const above = isGlob(path) && entry === null ? await entryAt(fixedPart(path)) : entry;
  return above === null || above.kind === "bad" ? [] : [above.real];
}

type Again = FoundTable["again"];

async function tableAt(entry: Entry, rule: WalkRule, again: Again): Promise<FoundTable | null> {
  const { path } = entry;
  switch (entry.kind) {
    case "file":
      return fromFile(entry, rule.format, again);
    case "bad":
      return mayHoldData(entry, rule.format) ? badTable(path, entry.problem, again) : null;
    case "leftOut":
      return mayHoldData(entry, rule.format)
        ? { ...badTable(path, entry.problem, again), isLeftOut: true }
        : null;
    case "folder": {
      const walked = await walk(entry, rule);
      const hasData = walked.files.some((file) => readName(file.path, rule.format) !== null);
      // A folder without data, such as one of scripts, is not a table.
      if (!hasData && walked.problem === undefined && walked.leftOut.length === 0) return null;
      const isLeftOut = !hasData && walked.problem === undefined;
      if (isLeftOut) return { ...badTable(path, walked.leftOut[0]!.problem, again), isLeftOut };
      return fromFiles({ name: basename(path), path, folder: path, again }, walked, rule);
    }
  }
}

async function present(found: readonly Promise<FoundTable | null>[]): Promise<readonly FoundTable[]> {
  return (await Promise.all(found)).filter((table) => table !== null);
}

function fromFile(entry: DataEntry, fallback: SourceFormat | undefined, again: Again): FoundTable | null {
  const { path } = entry;
  const read = readName(path, fallback);
  if (read === null) return null;
  const { stem: name, format } = read;
  return { name, path, folder: dirname(path), format, files: [path], notes: [], again };
}

function badTable(path: string, problem: AgnesError, again: Again): FoundTable {
  const name = readName(path)?.stem ?? basename(path);
  return { name, path, folder: path, format: "csv", files: [], problem, notes: [], again };
}

function fromFiles(
  of: Pick<FoundTable, "name" | "path" | "folder" | "again">,
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
      ? (walked.leftOut[0]?.problem ?? nothingThere(of.path))
      : other === undefined
        ? undefined
        : errors.files_mixed({ path: of.path, first: files[0]!, second: other }));
  const notes = walked.leftOut.map((one) => one.problem.message);
  return { ...of, format, files, notes, ...(problem === undefined ? {} : { problem }) };
}

/** The paths of files, sorted; a file that is reached by a link as well counts once, by its own path. */
function distinct(files: readonly DataEntry[], folder: string): readonly string[] {
  const byReal = new Map<string, DataEntry>();
  const isOwn = (file: DataEntry) => file.real.endsWith(sep + relative(folder, file.path));
  for (const file of files) {
    const known = byReal.get(file.real);
    if (known === undefined || (!isOwn(known) && isOwn(file))) byReal.set(file.real, file);
  }
  return [...byReal.values()].map((file) => file.path).sort();
}
