import { spawnSync } from "node:child_process";

import { ROOT } from "./source.ts";

/** Runs a program of the project, prints its output, and returns its exit status. */
export function run(command: string, ...parameters: readonly string[]): number {
  const result = spawnSync(command, parameters, { cwd: ROOT, stdio: "inherit" });
  if (result.error !== undefined) throw result.error;
  return result.status ?? 1;
}
