import { createHash } from "node:crypto";
import { join, relative, sep } from "node:path";

import { AgnesError, fileError, formatValue, type Files } from "../../base/mod.ts";
import { EXTRACT_FILE } from "../../extract/format/mod.ts";

/** The checked folder of an extract. */
export interface ExtractFolder {
  /** The absolute path of `extracts/<source>`. */
  readonly directory: string;
  /** The same path with links resolved. */
  readonly realDirectory: string;
  /** The absolute paths in it that no view may read: links that lead outside, pipes, devices. */
  readonly strange: readonly string[];
}

/**
 * Checks the files of an extract before DuckDB opens it: a link could lead to the rows of another source, and opening a
 * pipe never returns.
 *
 * @param isVisited whether a folder in it is listed. Default: all.
 * @throws `extract_refused`, `file_failed`
 */
export async function checkFolder(
  files: Files,
  root: string,
  source: string,
  isVisited: (folder: string) => boolean = () => true,
): Promise<ExtractFolder> {
  const directory = join(root, source);
  const realDirectory = (await files.realPath(directory)) ?? missing(directory);
  if ((await files.identify(directory))?.kind === "link") {
    const realRoot = (await files.realPath(root)) ?? missing(root);
    if (isWithin(realRoot, realDirectory) || isWithin(realDirectory, realRoot)) {
      return refuse(
        directory,
        `it is a link to ${formatValue(realDirectory)}, which contains the data of other sources`,
      );
    }
  }
  const entries = (await files.entries(directory)) ?? missing(directory);
  for (const name of [EXTRACT_FILE, `${EXTRACT_FILE}.wal`]) {
    // A listed file needs no look-ups, which run for each query. Some file systems ignore the case of names.
    const listed = entries.filter((entry) => entry.name.toLowerCase() === name);
    if (listed.every(({ kind }) => kind === "file")) continue;
    const file = join(directory, name);
    const problem = await fileProblem(files, realDirectory, file);
    if (problem !== null) return refuse(directory, `${formatValue(file)} ${problem}`);
  }
  return {
    directory,
    realDirectory,
    strange: await strangeIn(files, { directory, realDirectory, entries, isVisited }),
  };
}

/** Returns a digest of the paths of a folder that may not be read; empty if there are none. */
export function strangeDigest({ directory, strange }: ExtractFolder): string {
  if (strange.length === 0) return "";
  const paths = strange.map((path) => relative(directory, path)).sort();
  return createHash("sha256").update(JSON.stringify(paths)).digest("hex");
}

/** Whether a path equals a folder or is inside it. */
export function isWithin(folder: string, path: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

function refuse(path: string, reason: string): never {
  throw new AgnesError("extract_refused", { path, reason });
}

/** Throws the error of a missing folder; a folder may be removed while it is checked. */
function missing(path: string): never {
  throw fileError("open", path, Object.assign(new Error("it does not exist"), { code: "ENOENT" }));
}

async function fileProblem(files: Files, realDirectory: string, path: string): Promise<string | null> {
  const target = await files.realPath(path);
  if (target === null) return null;
  if (!isWithin(realDirectory, target)) return "is a link that leads outside the extract";
  return (await files.identify(target))?.kind === "file" ? null : "is not a file";
}

type Entries = NonNullable<Awaited<ReturnType<Files["entries"]>>>;

/** The maximum number of entries in an extract. */
const ENTRIES_MAX = 1_000_000;

async function strangeIn(
  files: Files,
  {
    directory,
    realDirectory,
    entries: first,
    isVisited,
  }: Pick<ExtractFolder, "directory" | "realDirectory"> & {
    readonly entries: Entries;
    readonly isVisited: (folder: string) => boolean;
  },
): Promise<readonly string[]> {
  const strange: string[] = [];
  const todo = [directory];
  let seen = 0;
  for (let folder = todo.pop(); folder !== undefined; folder = todo.pop()) {
    // A sync may remove old files meanwhile.
    const entries: Entries = folder === directory ? first : ((await files.entries(folder)) ?? []);
    seen += entries.length;
    if (seen > ENTRIES_MAX) return refuse(directory, `it has more than ${ENTRIES_MAX} files`);
    for (const { name, kind } of entries) {
      if (kind === "file") continue;
      const path = join(folder, name);
      if (kind === "directory") {
        if (isVisited(path)) todo.push(path);
      } else if (!(await leadsInside(files, realDirectory, path))) strange.push(path);
    }
  }
  return strange;
}

/** Whether an entry leads to a path in the folder. Some file systems do not list kinds, so the entry is identified. */
async function leadsInside(files: Files, realDirectory: string, path: string): Promise<boolean> {
  // A circular link has no target.
  const target = await files.realPath(path).catch(() => null);
  if (target === null) return (await files.identify(path)) === null;
  const kind = (await files.identify(target))?.kind;
  return isWithin(realDirectory, target) && (kind === "file" || kind === "directory");
}
