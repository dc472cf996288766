import { fileError, type Files, type OpenedFile } from "../../lib/base/mod.ts";

/** When and how a file operation fails. */
export interface FileFault {
  /** The index of the failing operation, from 1, among `operations`. */
  readonly at: number;
  /** The error code. Default: `ENOSPC`, disk full. */
  readonly code?: string;
  /** The operations that count. Default: all write operations. */
  readonly operations?: readonly (keyof Files)[];
  /** Whether all later operations fail too, as on a full disk. Default: `false`. */
  readonly stays?: boolean;
}

/** The write operations. */
export const changingOperations = [
  "write",
  "writeChunks",
  "append",
  "sync",
  "rename",
  "link",
  "chmod",
  "remove",
  "removeDirectory",
  "makeDirectory",
  "makeTemporaryDirectory",
] as const satisfies readonly (keyof Files)[];

/** A file system whose n-th operation fails; `count` is the number of operations so far. */
export interface FaultyFiles extends Files {
  readonly count: number;
}

/**
 * Makes the n-th file operation fail. First count the operations with `at: Infinity`, then fail each of them: the
 * published data must be intact after every failure.
 */
export function faultyFiles(files: Files, fault: FileFault): FaultyFiles {
  const counted = new Set(fault.operations ?? changingOperations);
  let count = 0;
  const hit = (name: keyof Files, path: string): Error | null => {
    if (!counted.has(name)) return null;
    count += 1;
    const isHit = count === fault.at || (fault.stays === true && count > fault.at);
    return isHit ? injected(name, path, fault.code ?? "ENOSPC") : null;
  };
  const failing = <Name extends Exclude<keyof Files, "readChunks" | "open">>(name: Name): Files[Name] => {
    const work = files[name].bind(files) as (...parameters: unknown[]) => Promise<unknown>;
    const counting = (...parameters: unknown[]) => {
      const failure = hit(name, String(parameters[0]));
      return failure === null ? work(...parameters) : Promise.reject(failure);
    };
    return counting as Files[Name];
  };
  const readChunks: Files["readChunks"] = (path, chunkBytes) => {
    const failure = hit("readChunks", path);
    return failure === null ? files.readChunks(path, chunkBytes) : rejecting(failure);
  };
  // Each read and write of an open file counts too.
  const open: Files["open"] = async (path, options) => {
    const failure = hit("open", path);
    if (failure !== null) throw failure;
    const file = await files.open(path, options);
    const checked = <Name extends "read" | "readSync" | "write">(name: Name): OpenedFile[Name] => {
      const work = file[name].bind(file) as (...parameters: unknown[]) => unknown;
      const counting = (...parameters: unknown[]) => {
        const problem = hit("open", path);
        if (problem === null) return work(...parameters);
        if (name === "readSync") throw problem;
        return Promise.reject(problem);
      };
      return counting as OpenedFile[Name];
    };
    return { ...file, read: checked("read"), readSync: checked("readSync"), write: checked("write") };
  };
  return {
    get count() {
      return count;
    },
    read: failing("read"),
    readChunks,
    open,
    write: failing("write"),
    writeChunks: failing("writeChunks"),
    append: failing("append"),
    sync: failing("sync"),
    rename: failing("rename"),
    link: failing("link"),
    chmod: failing("chmod"),
    remove: failing("remove"),
    removeDirectory: failing("removeDirectory"),
    makeDirectory: failing("makeDirectory"),
    makeTemporaryDirectory: failing("makeTemporaryDirectory"),
    list: failing("list"),
    entries: failing("entries"),
    stat: failing("stat"),
    identify: failing("identify"),
    realPath: failing("realPath"),
    freeBytes: failing("freeBytes"),
  };
}

function rejecting(failure: Error): AsyncIterable<never> {
  return { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(failure) }) };
}

function injected(operation: string, path: string, code: string): Error {
  return fileError(operation, path, Object.assign(new Error(`${code}: injected`), { code }));
}
