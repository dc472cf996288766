import { spawn, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import type { Socket } from "node:net";

/** The variable with the marks of all runs that a process belongs to. What it starts inherits it. */
const MARKS = "AGNES_PROCESS_MARKS";
/** How often all processes are looked at, because a process may start others until it is killed. */
const PASSES_MAX = 20;

/** In all marks of this process. */
const own = randomUUID();
/** It is kept, because Bun closes the pipes of a process that nothing refers to. */
let watch: ChildProcess | null = null;

/** Waits until its standard input ends, and then does what `killMarked` does. Its own environment has no mark. */
const WATCH = `
read _
pass=0
while [ $pass -lt ${PASSES_MAX} ]; do
  pids=
  for file in $(grep -lsF -- "$1" /proc/[0-9]*/environ); do
    pid=\${file#/proc/}
    pids="$pids \${pid%/environ}"
  done
  [ -z "$pids" ] && exit
  kill -KILL $pids
  pass=$((pass + 1))
done`;

/** A mark that a process and all that it starts have in their environment. */
export interface ProcessMark {
  /** The variable to add to the environment of the process. */
  readonly env: Readonly<Record<string, string>>;
  /** Kills all processes with the mark, also those that left the group or session of the process. */
  kill(): void;
}

/**
 * Returns a mark for a process that is about to be started, so that nothing that it starts outlives it. All processes with a
 * mark are also killed when this process ends, even by SIGKILL: a shell waits for that.
 *
 * Works on Linux; elsewhere nothing is killed. A process that was started with another environment is not found.
 *
 * @example
 * ```ts
 * import { spawn, type ChildProcess } from "node:child_process";
 * import { once } from "node:events";
 *
 * import { processMark } from "agnes/kit";
 *
 * const mark = processMark();
 * const child = spawn("export-tool", [], { env: { PATH: process.env["PATH"], ...mark.env } });
 * await once(child, "exit");
 * mark.kill();
 * ```
 */
export function processMark(): ProcessMark {
  watchOwn();
  const mark = randomUUID();
  // The marks of this process stay, so that the end of an outer run reaches the processes of an inner one.
  const marks = `${process.env[MARKS] ?? ""} ${own} ${mark}`.trim();
  return { env: { [MARKS]: marks }, kill: () => killMarked(mark) };
}

/** Starts the shell, in a session of its own, so that nothing that ends this process ends it too. */
function watchOwn(): void {
  if (watch !== null || process.platform !== "linux") return;
  watch = spawn("/bin/sh", ["-c", WATCH, "agnes-process-mark", own], {
    cwd: "/",
    detached: true,
    env: { PATH: process.env["PATH"] },
    stdio: ["pipe", "ignore", "ignore"],
  });
  // Without a shell, only `kill` works.
  watch.on("error", () => {});
  watch.stdin!.on("error", () => {});
  watch.unref();
  // In Node the pipe would keep this process.
  (watch.stdin as Partial<Socket>).unref?.();
}

function killMarked(mark: string): void {
  if (process.platform !== "linux") return;
  const killed = new Set<number>();
  for (let pass = 0; pass < PASSES_MAX; pass++) {
    const found = pidsWith(mark).filter((pid) => !killed.has(pid));
    if (found.length === 0) return;
    for (const pid of found) {
      killed.add(pid);
      killOne(pid);
    }
  }
}

/** Ended processes, and those of other users, have no readable environment. */
function pidsWith(mark: string): readonly number[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      return readFileSync(`/proc/${name}/environ`, "latin1").includes(mark) ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

function killOne(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}
