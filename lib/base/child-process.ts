import { execFile, spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { hostname, setPriority } from "node:os";
import { promisify } from "node:util";

/** A process that was started; its three standard streams are pipes. */
export type ChildProcess = ChildProcessWithoutNullStreams;

/** The environment in which Bun ends a process when its parent ends, even while the process is busy. */
export const DIES_WITH_PARENT = { BUN_FEATURE_FLAG_NO_ORPHANS: "1" } as const;

/**
 * Starts a program with exactly this environment, in this folder.
 *
 * @param options.isGroup whether it leads a group of processes; see `signalProcess`. Has no effect on Windows. Default:
 * `false`
 */
export function startProcess(
  [program, ...parameters]: readonly [string, ...string[]],
  options: {
    readonly env: Readonly<Record<string, string>>;
    readonly directory: string;
    readonly isGroup?: boolean;
  },
): ChildProcess {
  return spawn(program, parameters, {
    cwd: options.directory,
    detached: options.isGroup === true && process.platform !== "win32",
    env: { ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
    windowsHide: true,
  });
}

/** Sends a signal to a process and all processes of its group. A process that has ended is no error. */
export function signalProcess(leader: number, signal: "SIGTERM" | "SIGKILL"): void {
  try {
    process.kill(process.platform === "win32" ? leader : -leader, signal);
  } catch {
    // It has ended.
  }
}

/** Whether a process exists. A process that ended and was not collected yet exists. */
export function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** The machine, or on Linux the container, in which each process id belongs to one process. */
export function processSpace(): string {
  try {
    return `${hostname()} ${readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    return hostname();
  }
}

/** The size of a page on the processors that Agnes has builds for. */
const PAGE_BYTES = process.platform === "linux" ? 4096 : 16_384;

/**
 * Returns the resident memory of processes that they share with no other, in bytes, by process id. Processes that ended
 * are missing. On Linux it reads `/proc` and does not wait; on other Unix systems it runs `ps`, which counts shared memory
 * too; on Windows it is empty.
 */
export function residentBytes(
  pids: readonly number[],
  platform: NodeJS.Platform = process.platform,
): ReadonlyMap<number, number> | Promise<ReadonlyMap<number, number>> {
  if (platform === "linux") return new Map(pids.flatMap((pid) => entryOf(pid)));
  return platform === "win32" ? new Map() : listedBytes(pids);
}

/** Returns those processes that use more memory than the limit; see `residentBytes`. */
export async function processesOver(pids: readonly number[], limitMb: number): Promise<ReadonlySet<number>> {
  const sizes = await residentBytes(pids);
  return new Set([...sizes].filter(([, bytes]) => bytes > limitMb * 1_000_000).map(([pid]) => pid));
}

function entryOf(pid: number): readonly (readonly [number, number])[] {
  try {
    const [, resident, shared] = readFileSync(`/proc/${pid}/statm`, "utf8").split(" ").map(Number);
    return [[pid, (resident! - shared!) * PAGE_BYTES]];
  } catch {
    return [];
  }
}

async function listedBytes(pids: readonly number[]): Promise<ReadonlyMap<number, number>> {
  const run = promisify(execFile);
  try {
    const { stdout } = await run("ps", ["-o", "pid=,rss=", "-p", pids.join(",")]);
    const lines = stdout.trim().split("\n");
    return new Map(
      lines.map((line) => line.trim().split(/\s+/).map(Number)).map(([pid, kb]) => [pid!, kb! * 1024]),
    );
  } catch {
    // `ps` fails if none of the processes exists.
    return new Map();
  }
}

/**
 * Sets the priority of all threads of a process: 0 is normal, 19 the lowest.
 *
 * @returns whether the system allowed it; only some users may raise a priority
 */
export function setProcessPriority(pid: number, priority: number): boolean {
  try {
    // On Linux a priority belongs to a thread.
    const threads = process.platform === "linux" ? readdirSync(`/proc/${pid}/task`).map(Number) : [pid];
    for (const thread of threads) setPriority(thread, priority);
    return true;
  } catch {
    return false;
  }
}

/** On Linux, makes a process the first that the system ends if memory is short. Elsewhere, does nothing. */
export function endFirstWhenMemoryIsShort(pid: number): void {
  if (process.platform !== "linux") return;
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, "1000");
  } catch {
    // A system without this file chooses by itself.
  }
}
