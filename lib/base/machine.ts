import { readFileSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { dirname, join } from "node:path";

/** The resources that this process may use. */
export interface MachineLimits {
  readonly memoryBytes: number;
  /** The number of cores, at least 1. */
  readonly cores: number;
}

/** The parts of the machine that tests replace. */
interface Machine {
  /** Reads a file of the system; null if it does not exist. */
  readonly read: (path: string) => string | null;
  readonly memoryBytes: number;
  readonly cores: number;
}

/** Returns the limits of the cgroup (version 1 or 2) of this process, or those of the machine if they are lower. */
export function machineLimits(machine: Machine = thisMachine()): MachineLimits {
  let { memoryBytes, cores } = machine;
  for (const directory of directoriesOf(machine)) {
    const numberIn = (name: string) => {
      const text = machine.read(join(directory, name))?.trim();
      return text !== undefined && /^\d+$/.test(text) ? Number(text) : null;
    };
    const memory = numberIn("memory.max") ?? numberIn("memory.limit_in_bytes");
    if (memory !== null && memory > 0) memoryBytes = Math.min(memoryBytes, memory);
    const [quota, period] = machine.read(join(directory, "cpu.max"))?.trim().split(" ") ?? [];
    const share =
      quota === undefined
        ? (numberIn("cpu.cfs_quota_us") ?? 0) / (numberIn("cpu.cfs_period_us") ?? 1)
        : Number(quota) / Number(period);
    if (share > 0) cores = Math.min(cores, Math.max(1, Math.ceil(share)));
  }
  return { memoryBytes, cores };
}

const ROOT = "/sys/fs/cgroup";

/** The folders of the process's cgroups and of their parents, whose limits apply too. */
function directoriesOf({ read }: Machine): readonly string[] {
  const found = new Set<string>();
  for (const line of read("/proc/self/cgroup")?.split("\n") ?? []) {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) continue;
    const mounts =
      controllers === "" ? [ROOT] : controllers.split(",").map((controller) => join(ROOT, controller));
    for (const mount of mounts) {
      for (let at = path; ; at = dirname(at)) {
        found.add(join(mount, at));
        if (at === "/") break;
      }
    }
  }
  return [...found];
}

function thisMachine(): Machine {
  return {
    read: (path) => {
      try {
        return readFileSync(path, "utf8");
      } catch {
        return null;
      }
    },
    memoryBytes: totalmem(),
    cores: availableParallelism(),
  };
}
