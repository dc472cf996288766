import {
  constants,
  lstatSync,
  readdirSync,
  realpathSync,
  statSync,
  type BigIntStats,
  type Dirent,
  type Stats,
} from "node:fs";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { errorNumber, fileError } from "./file-error.ts";
import { openFile, type OpenedFile } from "./opened-file.ts";
import { readChunks } from "./read-chunks.ts";
import { writeChunks } from "./write-chunks.ts";

/** The result of `Files.stat`. */
interface FileStat {
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
  readonly isDirectory: boolean;
}

/** The kind of a path, without following a link; `other` is a pipe, a device or a socket. */
type FileKind = "file" | "directory" | "link" | "other";

/** An entry of a directory. */
interface FileEntry {
  readonly name: string;
  /** `other` also if the file system does not report it. */
  readonly kind: FileKind;
}

/** The result of `Files.identify`. */
interface FileIdentity {
  readonly kind: FileKind;
  /** Device and inode; differs for another file at the same path. */
  readonly id: string;
  readonly sizeBytes: number;
}

/**
 * The file system operations of Agnes, so that a test can make any of them fail.
 *
 * Every method throws `disk_full` or `file_failed`; missing files are not errors where documented.
 */
export interface Files {
  /** Reads a whole file; `null` if it does not exist. */
  read(path: string): Promise<Uint8Array | null>;
  /**
   * Yields the bytes of a file in chunks of at most `chunkBytes`; a missing file is an error. A chunk is valid until the
   * next one is requested.
   */
  readChunks(path: string, chunkBytes: number): AsyncIterable<Uint8Array<ArrayBuffer>>;
  /**
   * Opens a file for reads at any position; a missing file is an error. With `create`, creates a temporary file that only
   * this user can read, for writes too; fails if `path` exists. With `resume`, opens it for writes too, and creates such a
   * file only if `path` does not exist.
   */
  open(path: string, options?: { create?: boolean; resume?: boolean }): Promise<OpenedFile>;
  /** Writes a new file and makes it durable; fails if `path` exists unless `replace` is set. */
  write(
    path: string,
    data: string | Uint8Array,
    options?: { mode?: number; replace?: boolean },
  ): Promise<void>;
  /**
   * Writes chunks to a new temporary file as they come, without making it durable; fails if `path` exists unless `replace`
   * or `append` is set. If it fails, an incomplete file is left. Errors of `chunks` are thrown unchanged.
   */
  writeChunks(
    path: string,
    chunks: AsyncIterable<Uint8Array>,
    options?: { replace?: boolean; append?: boolean },
  ): Promise<void>;
  /**
   * Appends to a file, creating it if needed, and makes the bytes durable unless `sync` is false. With `at`, first
   * truncates it to that size.
   */
  append(
    path: string,
    data: string | Uint8Array,
    options?: { mode?: number; at?: number; sync?: boolean },
  ): Promise<void>;
  /** Makes the writes to a file or directory durable (fsync). */
  sync(path: string): Promise<void>;
  /** Atomically renames, replacing `to`. */
  rename(from: string, to: string): Promise<void>;
  /** Creates a hard link to a file; `false` if the name exists. */
  link(existing: string, name: string): Promise<boolean>;
  /** Sets the permission bits. */
  chmod(path: string, mode: number): Promise<void>;
  /** Removes a file, if it exists. */
  remove(path: string): Promise<void>;
  /** Removes a directory and its contents, if it exists. */
  removeDirectory(path: string): Promise<void>;
  /** Creates a directory and its parents. */
  makeDirectory(path: string): Promise<void>;
  /**
   * Creates a directory with a unique name for temporary files, which only this user can read; returns its path.
   * `parent` is by default the system's directory for temporary files.
   */
  makeTemporaryDirectory(prefix: string, options?: { parent?: string }): Promise<string>;
  /** Lists the names in a directory, sorted; `null` if it does not exist. */
  list(path: string): Promise<readonly string[] | null>;
  /** Lists the entries of a directory, sorted, without following links; `null` if it does not exist. */
  entries(path: string): Promise<readonly FileEntry[] | null>;
  /** Returns size, time and kind of a path; `null` if it does not exist. */
  stat(path: string): Promise<FileStat | null>;
  /** Returns the identity of a file, without following a link; `null` if it does not exist. */
  identify(path: string): Promise<FileIdentity | null>;
  /** Returns the absolute path without links; `null` if it does not exist. */
  realPath(path: string): Promise<string | null>;
  /** Returns the free bytes on the disk of a directory; `null` if unknown. */
  freeBytes(path: string): Promise<number | null>;
}

/** How paths are looked up. */
interface Lookups {
  readonly stat: (path: string) => Promise<Stats>;
  readonly lstat: (path: string) => Promise<BigIntStats>;
  readonly realPath: (path: string) => Promise<string>;
  readonly entries: (path: string) => Promise<readonly Dirent[]>;
}

const onPool: Lookups = {
  stat: (path) => fs.stat(path),
  lstat: (path) => fs.lstat(path, { bigint: true }),
  realPath: (path) => fs.realpath(path),
  entries: (path) => fs.readdir(path, { withFileTypes: true }),
};

const onThisThread: Lookups = {
  stat: async (path) => statSync(path),
  lstat: async (path) => lstatSync(path, { bigint: true }),
  realPath: async (path) => realpathSync.native(path),
  entries: async (path) => readdirSync(path, { withFileTypes: true }),
};

/**
 * The real file system, whose lookups of paths block the process. They take a third of the processor time, because no thread
 * of the pool wakes for them: for a process that does one thing at a time, and whose parent kills it when it hangs.
 */
export function blockingFiles(): Files {
  return filesWith(onThisThread);
}

/** The file systems of `nodeFiles` whose lookups do not block. */
const ofPool = new WeakSet<Files>();

/** Whether these are the unchanged files of `nodeFiles`, whose lookups do not block. */
export function areNodeFiles(files: Files): boolean {
  return ofPool.has(files);
}

/** The real file system. */
export function nodeFiles(): Files {
  const files = filesWith(onPool);
  ofPool.add(files);
  return files;
}

function filesWith(lookups: Lookups): Files {
  return {
    read: (path) => absentIsNull(attempt("read", path, () => fs.readFile(path))),
    readChunks,
    open: openFile,
    write: (path, data, options = {}) =>
      attempt("write", path, () =>
        writeTo(path, data, { flag: options.replace === true ? "w" : "wx", mode: options.mode }),
      ),
    writeChunks,
    append: (path, data, options = {}) =>
      attempt("append to", path, () => writeTo(path, data, { ...options, flag: "a" })),
    sync: (path) => attempt("sync", path, () => syncPath(path)),
    rename: (from, to) => attempt("rename", from, () => fs.rename(from, to)),
    link: async (existing, name) => {
      try {
        await fs.link(existing, name);
        return true;
      } catch (error) {
        if (errorNumber(error) === "EEXIST") return false;
        throw fileError("link", existing, error);
      }
    },
    chmod: (path, mode) => attempt("set the mode of", path, () => fs.chmod(path, mode)),
    remove: (path) => attempt("remove", path, () => fs.rm(path, { force: true })),
    removeDirectory: (path) => attempt("remove", path, () => fs.rm(path, { force: true, recursive: true })),
    makeDirectory: (path) =>
      attempt("create", path, async () => void (await fs.mkdir(path, { recursive: true }))),
    makeTemporaryDirectory: (prefix, { parent = tmpdir() } = {}) => {
      const start = join(parent, prefix);
      return attempt("create", start, () => fs.mkdtemp(start));
    },
    list: (path) => absentIsNull(attempt("list", path, async () => (await fs.readdir(path)).sort())),
    entries: (path) => absentIsNull(attempt("list", path, () => entriesOf(lookups, path))),
    stat: (path) => absentIsNull(attempt("stat", path, () => statPath(lookups, path))),
    identify: (path) => absentIsNull(attempt("stat", path, () => identify(lookups, path))),
    realPath: (path) => absentIsNull(attempt("resolve", path, () => lookups.realPath(path))),
    freeBytes: (path) => attempt("get the free space for", path, () => freeBytes(path)),
  };
}

async function attempt<T>(operation: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw fileError(operation, path, error);
  }
}

async function absentIsNull<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    const number = errorNumber((error as Error).cause);
    if (number === "ENOENT" || number === "ENOTDIR") return null;
    throw error;
  }
}

async function writeTo(
  path: string,
  data: string | Uint8Array,
  options: { flag: string; mode?: number | undefined; at?: number; sync?: boolean },
): Promise<void> {
  const { flag, mode = 0o644, at, sync = true } = options;
  const handle = await fs.open(path, flag, mode);
  try {
    if (at !== undefined) await handle.truncate(at);
    await handle.writeFile(data);
    if (sync) await handle.sync();
  } finally {
    await handle.close();
  }
}

async function syncPath(path: string): Promise<void> {
  const handle = await fs.open(path, constants.O_RDONLY);
  try {
    await handle.sync();
  } catch (error) {
    // Windows and some network file systems cannot sync a directory; the rename is still atomic.
    const number = errorNumber(error);
    if (number !== "EPERM" && number !== "EISDIR" && number !== "EINVAL" && number !== "ENOTSUP") throw error;
  } finally {
    await handle.close();
  }
}

async function statPath(lookups: Lookups, path: string): Promise<FileStat> {
  const stat = await lookups.stat(path);
  return { sizeBytes: stat.size, modifiedAtMs: stat.mtimeMs, isDirectory: stat.isDirectory() };
}

async function entriesOf(lookups: Lookups, path: string): Promise<readonly FileEntry[]> {
  const entries = await lookups.entries(path);
  return entries
    .map((entry) => ({ name: entry.name, kind: kindOf(entry) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function identify(lookups: Lookups, path: string): Promise<FileIdentity> {
  const stat = await lookups.lstat(path);
  return { kind: kindOf(stat), id: `${stat.dev}:${stat.ino}`, sizeBytes: Number(stat.size) };
}

function kindOf(found: Pick<Dirent, "isFile" | "isDirectory" | "isSymbolicLink">): FileKind {
  if (found.isFile()) return "file";
  if (found.isDirectory()) return "directory";
  return found.isSymbolicLink() ? "link" : "other";
}

async function freeBytes(path: string): Promise<number | null> {
  const { bavail, bsize, blocks } = await fs.statfs(path);
  // Some network file systems report no blocks at all.
  return blocks === 0 ? null : bavail * bsize;
}
