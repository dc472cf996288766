import type { Dirent } from "node:fs";
import { lstat, readdir, realpath, stat } from "node:fs/promises";
import { dirname, isAbsolute, join, relative } from "node:path";

import type { AgnesError } from "agnes/kit";

import { codeOf, fileFailure, unusable } from "./failures.ts";
import { isIgnored } from "./formats.ts";
import { errors } from "./errors.ts";

/** A file, or a folder of files, that may hold data. */
export interface DataEntry {
  readonly kind: "file" | "folder";
  readonly path: string;
  /** The path without links: two entries are the same file exactly if these are equal. */
  readonly real: string;
  /** The folders through which it was reached, without links in their paths. */
  readonly above: readonly string[];
}

/** An entry that is there and cannot be data: what it would have held is unknown, which is not the same as nothing. */
export interface BadEntry {
  readonly kind: "bad";
  readonly path: string;
  readonly problem: AgnesError;
  /** Whether it may stand for a folder of files, whatever its name. */
  readonly mayBeFolder: boolean;
}

/** A link out of the folders of the source, which is not followed unless the options say so. */
export interface LeftOutEntry {
  readonly kind: "leftOut";
  readonly path: string;
  readonly problem: AgnesError;
  readonly mayBeFolder: boolean;
}

/** What is at one name of a folder. */
export type Entry = DataEntry | BadEntry | LeftOutEntry;

/** Which links are followed. */
export interface LinkRule {
  readonly followLinks: boolean;
  /** Folders, without links in their paths, inside which links may lead. */
  readonly roots: readonly string[];
}

/** What a path of the options names. Such a path may be a link itself; `null` when there is nothing. */
export async function entryAt(path: string): Promise<DataEntry | BadEntry | null> {
  try {
    return ofStat(path, await realpath(path), await stat(path), [await realpath(dirname(path))]);
  } catch (error) {
    return isGone(error) && !(await isLink(path)) ? null : linkFailure(path, error);
  }
}

/**
 * The entries of a folder by name, without those that are hidden or temporary, and without links to a folder above.
 * @throws `file_failed` when the folder cannot be listed
 */
export async function entriesOf(folder: DataEntry, rule: LinkRule): Promise<readonly Entry[]> {
  const found = await listed(folder.path);
  const shown = found.filter(({ name }) => !isIgnored(name)).sort((a, b) => (a.name < b.name ? -1 : 1));
  const entries = await Promise.all(shown.map((one) => entryOf(folder, one, rule)));
  return entries.filter((entry) => !leadsBack(entry));
}

/** Whether an entry is a link to a folder above it: that holds what is beside the table, and this link again. */
function leadsBack(entry: Entry): boolean {
  return entry.kind === "folder" && entry.above.some((folder) => isInside(entry.real, folder));
}

/** A name in a folder, and what the folder itself says is there. */
interface Listed {
  readonly name: string;
  readonly kind: "file" | "folder" | "other" | "misnamed";
}

async function listed(folder: string): Promise<readonly Listed[]> {
  try {
    const found = await readdir(folder, { withFileTypes: true });
    const entries = found.map((one) => ({ name: one.name, kind: kindOf(one) }));
    if (!entries.some(({ name }) => name.includes("\ufffd"))) return entries;
    // Bytes that are no UTF-8 show as this character. Bun gives the kinds only with names that are text.
    const names = await readdir(folder, { encoding: "buffer" });
    const texts = new Set(names.map(textOf));
    const misnamed = names.filter((name) => textOf(name) === null);
    return [
      ...entries.filter(({ name }) => texts.has(name)),
      ...misnamed.map((name) => ({ name: shownName(name), kind: "misnamed" as const })),
    ];
  } catch (error) {
    throw fileFailure("list", folder, error);
  }
}

function kindOf(dirent: Dirent): Listed["kind"] {
  return dirent.isFile() ? "file" : dirent.isDirectory() ? "folder" : "other";
}

async function entryOf(folder: DataEntry, { name, kind }: Listed, rule: LinkRule): Promise<Entry> {
  const path = join(folder.path, name);
  const real = join(folder.real, name);
  if (kind === "misnamed") return bad(path, "its name is not UTF-8", true);
  const above = [...folder.above, folder.real];
  if (kind !== "other") return { kind, path, real, above };
  try {
    // Some file systems do not say with the name what it is.
    const own = await lstat(path);
    return own.isSymbolicLink() ? await linkedEntry(path, rule, above) : ofStat(path, real, own, above);
  } catch (error) {
    return { kind: "bad", path, problem: fileFailure("look at", path, error), mayBeFolder: true };
  }
}

/** Looks again at an entry of a folder; `null` when it is gone, or a link to a folder above by now. */
export async function entryAgain(folder: DataEntry, name: string, rule: LinkRule): Promise<Entry | null> {
  const entry = await entryOf(folder, { name, kind: "other" }, rule);
  return leadsBack(entry) || (entry.kind === "bad" && isGone(entry.problem.cause)) ? null : entry;
}

/** What a link leads to, when it may be followed. */
async function linkedEntry(
  path: string,
  { followLinks, roots }: LinkRule,
  above: readonly string[],
): Promise<Entry> {
  try {
    const target = await realpath(path);
    const found = ofStat(path, target, await stat(target), above);
    if (followLinks || roots.some((root) => isInside(root, target))) return found;
    const problem = errors.link_outside({ path, target });
    return { kind: "leftOut", path, problem, mayBeFolder: found.kind === "folder" };
  } catch (error) {
    return linkFailure(path, error);
  }
}

/** Whether a path is a folder or lies in it; neither may have links in it. */
function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way === "" || (!/^\.\.(?:[/\\]|$)/.test(way) && !isAbsolute(way));
}

function ofStat(
  path: string,
  real: string,
  found: { isFile(): boolean; isDirectory(): boolean; isFIFO(): boolean; isSocket(): boolean },
  above: readonly string[],
): DataEntry | BadEntry {
  if (found.isFile()) return { kind: "file", path, real, above };
  if (found.isDirectory()) return { kind: "folder", path, real, above };
  const what = found.isFIFO() ? "a named pipe" : found.isSocket() ? "a socket" : "a device";
  return bad(path, `it is ${what}, not a file`, false);
}

const bad = (path: string, reason: string, mayBeFolder: boolean): BadEntry => ({
  kind: "bad",
  path,
  problem: unusable(path, reason),
  mayBeFolder,
});

function linkFailure(path: string, error: unknown): BadEntry {
  if (isGone(error)) return bad(path, "it is a link to nothing", true);
  if (codeOf(error) === "ELOOP") return bad(path, "it is a link that leads back to itself", true);
  return { kind: "bad", path, problem: fileFailure("look at", path, error), mayBeFolder: true };
}

async function isLink(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isSymbolicLink();
  } catch (error) {
    if (isGone(error)) return false;
    throw fileFailure("look at", path, error);
  }
}

const isGone = (error: unknown) => ["ENOENT", "ENOTDIR"].includes(codeOf(error));

/** The name as text; `null` when its bytes are none. */
function textOf(name: Buffer): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(name);
  } catch {
    return null;
  }
}

/** A name that is no text, so that it can be shown and typed: `caf\xe9.csv`. */
function shownName(name: Buffer): string {
  return [...name]
    .map((byte) => (byte < 0x80 ? String.fromCharCode(byte) : `\\x${byte.toString(16)}`))
    .join("");
}
