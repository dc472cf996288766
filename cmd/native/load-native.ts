import { randomUUID } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A native library embedded in the executable. */
export interface EmbeddedFile {
  /** Its file name. */
  readonly name: string;
  /** Its path in the executable, compressed with zstd. */
  readonly path: string;
  /** Its decompressed size. */
  readonly sizeBytes: number;
}

/** Native libraries that belong together, named after their content. */
export interface EmbeddedLibrary {
  readonly hash: string;
  readonly files: readonly EmbeddedFile[];
  /** The library to load; it finds the others in its folder. */
  readonly entry: string;
}

/**
 * Loads an embedded Node add-on. Unpacks it on first use.
 *
 * @public called by the module that `embedDuckDB` generates
 */
export function loadNative(library: EmbeddedLibrary): unknown {
  const directory = unpackLibrary(library, process.env);
  const module = { exports: {} };
  process.dlopen(module, join(directory, library.entry));
  return module.exports;
}

/**
 * Unpacks the files once per content, and returns their folder.
 *
 * Each file is published by one rename, so several processes may start at once, and a killed process leaves no partial
 * file under a final name. Not by `publishFile`: a native module is loaded synchronously.
 */
export function unpackLibrary(
  library: EmbeddedLibrary,
  env: Readonly<Record<string, string | undefined>>,
  temporary: string = tmpdir(),
): string {
  const errors: unknown[] = [];
  for (const root of cacheRoots(env, temporary)) {
    try {
      const directory = join(root(), `duckdb-${library.hash}`);
      mkdirSync(directory, { recursive: true });
      for (const file of library.files) unpackFile(file, join(directory, file.name));
      return directory;
    } catch (error) {
      // The folder may be missing, full or read-only: try the next one.
      errors.push(error);
    }
  }
  throw new AggregateError(errors, "cannot unpack DuckDB: no cache folder is writable; set XDG_CACHE_HOME");
}

function unpackFile(file: EmbeddedFile, path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.size === file.sizeBytes) return;
  const temporary = `${path}.${process.pid}.${randomUUID()}.tmp`;
  try {
    writeDurably(temporary, Bun.zstdDecompressSync(readFileSync(file.path)));
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    // Windows refuses to replace a library that another process has loaded. Its content is the same.
    if (statSync(path, { throwIfNoEntry: false })?.size !== file.sizeBytes) throw error;
  }
}

/** Writes a new file, and syncs it: a file is known to be whole by its size, which may be stored before its content. */
function writeDurably(path: string, content: Uint8Array): void {
  const descriptor = openSync(path, "wx", 0o755);
  try {
    writeFileSync(descriptor, content);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** The folders to try, in order of preference. Calling an entry creates its folder. */
function* cacheRoots(
  env: Readonly<Record<string, string | undefined>>,
  temporary: string,
): Generator<() => string> {
  const own = ownCache(env);
  if (own !== undefined) yield () => own;
  yield () => sharedCache(temporary);
  yield () => mkdtempSync(join(temporary, "agnes-"));
}

function ownCache(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const { XDG_CACHE_HOME, LOCALAPPDATA, HOME } = env;
  if (XDG_CACHE_HOME !== undefined && XDG_CACHE_HOME !== "") return join(XDG_CACHE_HOME, "agnes");
  if (process.platform === "win32")
    return LOCALAPPDATA === undefined ? undefined : join(LOCALAPPDATA, "agnes");
  if (HOME === undefined || HOME === "") return undefined;
  return process.platform === "darwin"
    ? join(HOME, "Library", "Caches", "agnes")
    : join(HOME, ".cache", "agnes");
}

/** A folder in a location writable by all users. It must belong to this user, or foreign code could be loaded. */
function sharedCache(directory: string): string {
  const user = process.getuid?.();
  const path = join(directory, `agnes-${user ?? "cache"}`);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const stat = lstatSync(path);
  const isOurs = user === undefined || (stat.uid === user && (stat.mode & 0o022) === 0);
  if (!stat.isDirectory() || !isOurs) throw new Error(`${path} belongs to another user`);
  return path;
}
