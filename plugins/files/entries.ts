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
  /** The path with all links resolved. Two entries are the same file if and only if these are equal. */
  readonly real: string;
  /** The folders on the path to it, with all links resolved. */
  readonly above: readonly string[];
}

/** An entry that exists but cannot be read as data. Its content is unknown, which is not the same as empty. */
export interface BadEntry {
  readonly kind: "bad";
  readonly path: string;
  readonly problem: AgnesError;
  /** Whether it may be a folder of files, regardless of its name. */
  readonly mayBeFolder: boolean;
}

/** A link to a target outside the folders of the source, which is followed only with `followLinks`. */
export interface LeftOutEntry {
  readonly kind: "leftOut";
  readonly path: string;
  readonly problem: AgnesError;
  readonly mayBeFolder: boolean;
}

/** An entry of a folder. */
export type Entry = DataEntry | BadEntry | LeftOutEntry;

/** The rule that decides which links are followed. */
export interface LinkRule {
  readonly followLinks: boolean;
  /** The folders, with all links resolved, in which the targets of links are allowed. */
  readonly roots: readonly string[];
  /** Paths, with all links resolved, that hold no data of the source. Default: none. */
  readonly ignored?: ReadonlySet<string>;
}

/** Returns the entry at a configured path, which may be a link; `null` if it does not exist. */
export async function entryAt(path: string): Promise<DataEntry | BadEntry | null> {
  try {
    return ofStat(path, await realpath(path), await stat(path), [await realpath(dirname(path))]);
  } catch (error) {
    return isGone(error) && !(await isLink(path)) ? null : linkFailure(path, error);
  }
}

/**
 * Returns the entries of a folder sorted by name, without hidden, temporary and ignored entries and links to a parent folder.
 * @throws `file_failed` if the folder cannot be listed
 */
export async function entriesOf(folder: DataEntry, rule: LinkRule): Promise<readonly Entry[]> {
  const found = await listed(folder.path);
  const visible = found.filter(({ name }) => !isIgnored(name)).sort((a, b) => (a.name < b.name ? -1 : 1));
  const entries = await Promise.all(visible.map((one) => entryOf(folder, one, rule)));
  return entries.filter((entry) => !isParentLink(entry) && !isIgnoredByRule(entry, rule));
}

function isIgnoredByRule(entry: Entry, { ignored }: LinkRule): boolean {
  return "real" in entry && ignored?.has(entry.real) === true;
}

/** Whether an entry is a link to one of its parent folders, which contains the link itself and files of other tables. */
function isParentLink(entry: Entry): boolean {
  return entry.kind === "folder" && entry.above.some((folder) => isInside(entry.real, folder));
}

/** A name in a folder, with the kind that the listing reports. */
interface Listed {
  readonly name: string;
  readonly kind: "file" | "folder" | "other" | "misnamed";
}

async function listed(folder: string): Promise<readonly Listed[]> {
  try {
    const found = await readdir(folder, { withFileTypes: true });
    const entries = found.map((one) => ({ name: one.name, kind: kindOf(one) }));
    if (!entries.some(({ name }) => name.includes("\ufffd"))) return entries;
    // Bytes that are not UTF-8 are decoded to this character. Bun returns kinds only with names as strings.
    const names = await readdir(folder, { encoding: "buffer" });
    const texts = new Set(names.map(textOf));
    const misnamed = names.filter((name) => textOf(name) === null);
    return [
      ...entries.filter(({ name }) => texts.has(name)),
      ...misnamed.map((name) => ({ name: escapedName(name), kind: "misnamed" as const })),
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
    // Some file systems do not list the kind of an entry.
    const own = await lstat(path);
    return own.isSymbolicLink() ? await linkedEntry(path, rule, above) : ofStat(path, real, own, above);
  } catch (error) {
    return {
      kind: "bad",
      path,
      problem: fileFailure("read the attributes of", path, error),
      mayBeFolder: true,
    };
  }
}

/** Reads an entry of a folder again; `null` if it no longer exists or is now a link to a parent folder. */
export async function refreshEntry(folder: DataEntry, name: string, rule: LinkRule): Promise<Entry | null> {
  const entry = await entryOf(folder, { name, kind: "other" }, rule);
  return isParentLink(entry) || (entry.kind === "bad" && isGone(entry.problem.cause)) ? null : entry;
}

/** The target of a link if it may be followed. */
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

/** Whether a path is a folder or is inside it. Links in both paths must be resolved. */
function isInside(folder: string, path: string): boolean {
  const inside = relative(folder, path);
  return inside === "" || (!/^\.\.(?:[/\\]|$)/.test(inside) && !isAbsolute(inside));
}

function ofStat(
  path: string,
  real: string,
  found: { isFile(): boolean; isDirectory(): boolean; isFIFO(): boolean; isSocket(): boolean },
  above: readonly string[],
): DataEntry | BadEntry {
  if (found.isFile()) return { kind: "file", path, real, above };
  if (found.isDirectory()) return { kind: "folder", path, real, above };
  const kind = found.isFIFO() ? "a named pipe" : found.isSocket() ? "a socket" : "a device";
  return bad(path, `it is ${kind}, not a file`, false);
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
  return {
    kind: "bad",
    path,
    problem: fileFailure("read the attributes of", path, error),
    mayBeFolder: true,
  };
}

async function isLink(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isSymbolicLink();
  } catch (error) {
    if (isGone(error)) return false;
    throw fileFailure("read the attributes of", path, error);
  }
}

const isGone = (error: unknown) => ["ENOENT", "ENOTDIR"].includes(codeOf(error));

/** Decodes a name; `null` if it is not UTF-8. */
function textOf(name: Buffer): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(name);
  } catch {
    return null;
  }
}

/** A name that is not UTF-8, with escapes: `caf\xe9.csv`. */
function escapedName(name: Buffer): string {
  return [...name]
    .map((byte) => (byte < 0x80 ? String.fromCharCode(byte) : `\\x${byte.toString(16)}`))
    .join("");
}
