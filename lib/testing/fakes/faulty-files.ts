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

const CHANGES: readonly (keyof Files)[] = [
  "write",
  "append",
  "sync",
  "rename",
  "link",
  "chmod",
  "remove",
  "removeDirectory",
  "makeDirectory",
];

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
  const counted = new Set(fault.operations ?? CHANGES);
  let count = 0;
  const failing =
    <Arguments extends readonly unknown[], Result>(
      name: keyof Files,
      work: (...parameters: Arguments) => Promise<Result>,
    ) =>
    async (...parameters: Arguments): Promise<Result> => {
      if (counted.has(name)) {
        count += 1;
        if (count === fault.at || (fault.stays === true && count > fault.at)) {
          const code = fault.code ?? "ENOSPC";
          throw fileError(
            name,
            String(parameters[0]),
            Object.assign(new Error(`${code}: injected`), { code }),
          );
        }
      }
      return await work(...parameters);
    };
  return {
    get count() {
      return count;
    },
    read: failing("read", files.read),
    write: failing("write", files.write),
    append: failing("append", files.append),
    sync: failing("sync", files.sync),
    rename: failing("rename", files.rename),
    link: failing("link", files.link),
    chmod: failing("chmod", files.chmod),
    remove: failing("remove", files.remove),
    removeDirectory: failing("removeDirectory", files.removeDirectory),
    makeDirectory: failing("makeDirectory", files.makeDirectory),
    list: failing("list", files.list),
    stat: failing("stat", files.stat),
  };
}
