import { resolve } from "node:path";

import { isExecutable } from "../process/thread-pool.ts";

const ROOT = resolve(import.meta.dir, "../..");

/**
 * Writes commands so that they work as they stand, where this one was typed and however it was called: the
 * executable need not be on the PATH, and from source there is no `agnes` at all.
 *
 * @param workspace the folder they are to work on; default: the one they find by themselves
 */
export function typedFor(workspace?: string): (words: string) => string {
  const isAtHome = isExecutable() || process.cwd() === ROOT;
  // npm runs a script in the folder of its package, wherever it was typed.
  const folder = isAtHome ? workspace : resolve(workspace ?? ".");
  const program = isExecutable()
    ? quoted(process.argv0)
    : `npm ${isAtHome ? "" : `--prefix ${quoted(ROOT)} `}run agnes --`;
  const where = folder === undefined || folder === "." ? "" : ` --workspace ${quoted(folder)}`;
  return (words) => `${program} ${words}${where}`;
}

/** A word as a shell takes it. */
export function quoted(word: string): string {
  return /^[\w./:\\@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
