import { fileError, type Files } from "../../base/mod.ts";

/** When and how a file operation fails. */
export interface FileFault {
  /** The operation that fails, counted from 1 over those of `operations`. */
  readonly at: number;
  /** What the operating system says. Default `ENOSPC`, the disk is full. */
  readonly code?: string;
  /** The operations that count. Default: all that change something. */
  readonly operations?: readonly (keyof Files)[];
  /** Whether all later operations fail too, as on a disk that stays full. Default `false`. */
  readonly stays?: boolean;
}

/** The operations that change something. */
export const changingOperations = [
  "write",
  "append",
  "sync",
  "rename",
  "link",
  "chmod",
  "remove",
  "removeDirectory",
  "makeDirectory",
] as const satisfies readonly (keyof Files)[];

/** A file system whose n-th operation fails; `count` tells how many there were. */
export interface FaultyFiles extends Files {
  readonly count: number;
}

/**
 * Makes the n-th file operation fail. Count with a fault `at: Infinity` first, then fail each in turn: what is
 * published must be whole after every one.
 *
 * @example
 * ```ts
 * import { faultyFiles } from "agnes/testing";
 * import { nodeFiles } from "agnes";
 * const files = faultyFiles(nodeFiles(), { at: 3, code: "ENOSPC" });
 * ```
 */
export function faultyFiles(files: Files, fault: FileFault): FaultyFiles {
  const counted = new Set(fault.operations ?? changingOperations);
  let count = 0;
  const failing = <Name extends keyof Files>(name: Name): Files[Name] => {
    const work = files[name].bind(files) as (...parameters: unknown[]) => Promise<unknown>;
    const counting = (...parameters: unknown[]) => {
      if (counted.has(name)) {
        count += 1;
        const isHit = count === fault.at || (fault.stays === true && count > fault.at);
        if (isHit) return Promise.reject(injected(name, String(parameters[0]), fault.code ?? "ENOSPC"));
      }
      return work(...parameters);
    };
    return counting as Files[Name];
  };
  return {
    get count() {
      return count;
    },
    read: failing("read"),
    write: failing("write"),
    append: failing("append"),
    sync: failing("sync"),
    rename: failing("rename"),
    link: failing("link"),
    chmod: failing("chmod"),
    remove: failing("remove"),
    removeDirectory: failing("removeDirectory"),
    makeDirectory: failing("makeDirectory"),
    list: failing("list"),
    stat: failing("stat"),
    freeBytes: failing("freeBytes"),
  };
}

function injected(operation: string, path: string, code: string): Error {
  return fileError(operation, path, Object.assign(new Error(`${code}: injected`), { code }));
}
