import { readdirSync, readFileSync } from "node:fs";

/** A tick of `/proc/<pid>/stat`, in milliseconds. */
const TICK_MS = 10;

/** The processor time of a process and its children, in milliseconds; 0 if the system is not Linux. */
export function processTimeMs(pid: number): number {
  if (process.platform !== "linux") return 0;
  return ownTimeMs(pid) + childrenOf(pid).reduce((sum, child) => sum + processTimeMs(child), 0);
}

function ownTimeMs(pid: number): number {
  const fields = textOf(`/proc/${pid}/stat`).split(") ")[1]?.split(" ");
  return fields === undefined ? 0 : (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** The processes that a process started and that still run. */
export function childrenOf(pid: number): readonly number[] {
  return tasksOf(pid).flatMap((task) => {
    const children = textOf(`/proc/${pid}/task/${task}/children`).trim();
    return children === "" ? [] : children.split(" ").map(Number);
  });
}

function tasksOf(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** A file of a process, which may have ended. */
function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
