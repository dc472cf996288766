import { resolve } from "node:path";

import { shellQuoted } from "../../lib/base/mod.ts";
import { isExecutable } from "../process/thread-pool.ts";

const ROOT = resolve(import.meta.dir, "../..");

/**
 * Returns a function that formats commands so that they can be pasted into the user's shell: the executable may not be
 * on the PATH, and a run from source has no `agnes` command.
 *
 * @param workspace the folder of the workspace; default: the one that commands find
 */
export function typedFor(workspace?: string): (command: string) => string {
  const isAtHome = isExecutable() || process.cwd() === ROOT;
  // npm always runs a script in the folder of its package.
  const folder = isAtHome ? workspace : resolve(workspace ?? ".");
  const program = isExecutable()
    ? shellQuoted(process.argv0)
    : `npm ${isAtHome ? "" : `--prefix ${shellQuoted(ROOT)} `}run agnes --`;
  const where = folder === undefined || folder === "." ? "" : ` --workspace ${shellQuoted(folder)}`;
  return (command) => `${program} ${command}${where}`;
}
