import { spawn, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import type { Socket } from "node:net";

/** The variable with the marks of all runs that a process belongs to. What it starts inherits it. */
const MARKS = "AGNES_PROCESS_MARKS";
/** How often all processes are looked at, because a process may start others until it is killed. */
const PASSES_MAX = 20;
/** How often, and how long, it waits for a process that replaces its program. */
const WAITS_MAX = 4;
const WAIT_MS = 5;

/** In all marks of this process. */
const own = randomUUID();
/** It is kept, because Bun closes the pipes of a process that nothing refers to. */
let watch: ChildProcess | null = null;

/**
 * Waits until its standard input ends, and then does what `killMarked` does. A process that replaces its program is found a
 * second later. Its own environment has no mark.
 */
const WATCH = `
read _
pass=0 quiet=0
while [ $pass -lt ${PASSES_MAX} ]; do
  pids=
  for file in $(grep -lsF -- "$1" /proc/[0-9]*/environ); do
    pid=\${file#/proc/}
    pids="$pids \${pid%/environ}"
  done
  if [ -n "$pids" ]; then kill -KILL $pids
  elif [ $quiet -eq 1 ]; then exit
  else quiet=1; sleep 1
  fi
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
 * import { spawn } from "node:child_process";
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
  let waits = 0;
  for (let pass = 0; pass < PASSES_MAX; pass++) {
    const { pids, isUnsure } = processesWith(mark);
    const found = pids.filter((pid) => !killed.has(pid));
    if (found.length === 0 && (!isUnsure || waits++ === WAITS_MAX)) return;
    if (found.length === 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WAIT_MS);
    for (const pid of found) {
      killed.add(pid);
      killOne(pid);
    }
  }
}

/** The processes with a mark. It is unsure if some process may have one that cannot be read yet. */
function processesWith(mark: string): { readonly pids: readonly number[]; readonly isUnsure: boolean } {
  const pids: number[] = [];
  let isUnsure = false;
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const environment = readFileSync(`/proc/${name}/environ`, "latin1");
      if (environment.includes(mark)) pids.push(Number(name));
      // While a process replaces its program, it has memory and no environment.
      else if (environment === "")
        isUnsure ||= !readFileSync(`/proc/${name}/statm`, "latin1").startsWith("0 ");
    } catch {
      // Ended processes, and those of other users, have no readable environment.
    }
  }
  return { pids, isUnsure };
}

function killOne(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}
