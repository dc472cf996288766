import { execFile, spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { setPriority } from "node:os";
import { promisify } from "node:util";

/** A process that was started; its three standard streams are pipes. */
export type ChildProcess = ChildProcessWithoutNullStreams;

/** Starts a program with exactly this environment, in this folder. */
export function startProcess(
  [program, ...parameters]: readonly [string, ...string[]],
  options: { readonly env: Readonly<Record<string, string>>; readonly directory: string },
): ChildProcess {
  return spawn(program, parameters, {
    cwd: options.directory,
    env: { ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
    windowsHide: true,
  });
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
