import { readdirSync, readFileSync } from "node:fs";

import { isRunning } from "../../query/workers/isolated.ts";

/** The processes of sources that a process started. Default: this process. */
export function sourceProcesses(parent: number = process.pid): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
        const isChild = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) === parent;
        return isChild && isRunning(pid) && /sync-process/.test(readFileSync(`/proc/${pid}/cmdline`, "utf8"));
      } catch {
        return false;
      }
    });
}
