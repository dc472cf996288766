import { spawn } from "node:child_process";
import { setTimeout } from "node:timers/promises";

import { AgnesError, processMark } from "agnes/kit";

import { errors } from "./errors.ts";
import { LastLine, Lines } from "./lines.ts";

/** A program to run, and its limits. */
export interface ProgramRequest {
  readonly command: readonly string[];
  /** The folder that it runs in. */
  readonly directory: string;
  readonly env: Readonly<Record<string, string>>;
  /** What it reads from its standard input. */
  readonly input: string;
  readonly timeoutMs: number;
  readonly noProgressMs: number;
  /** The time between TERM and KILL. Default: 10 seconds. */
  readonly graceMs?: number;
  /** Receives each line of stderr. */
  readonly onLine: (line: string) => void;
  /** Returns a number that changes while the program works. */
  readonly progress: () => Promise<number>;
  readonly signal: AbortSignal;
}

const GRACE_MS = 10_000;
/** The time to wait for the last output of a program that ended; its children may hold the pipes. */
const DRAIN_MS = 2_000;
const LINE_LENGTH_MAX = 2_000;
const LINES_MAX = 10_000;
/** The lines of stderr that the error of a failed program has. */
const LAST_LINES = 5;
const WATCH_MS = 5_000;

/**
 * Runs a program in a process group of its own, and ends the whole group and all that left it afterwards.
 *
 * @returns its last line on stdout that is not empty; null without any
 * @throws `program/program_failed`, `program/program_stopped`, `program/result_invalid` for a last line that is too long,
 * `aborted`
 */
export async function runProgram(request: ProgramRequest): Promise<string | null> {
  const { command, directory, env, signal, onLine } = request;
  signal.throwIfAborted();
  const mark = processMark();
  const child = spawn(command[0]!, command.slice(1), {
    cwd: directory,
    env: { ...env, ...mark.env },
    stdio: ["pipe", "pipe", "pipe"],
    detached: process.platform !== "win32",
    windowsHide: true,
  });
  const activity = { atMs: performance.now() };
  const last = new LastLine();
  let count = 0;
  const lastLines: string[] = [];
  const lines = new Lines(LINE_LENGTH_MAX, (line) => {
    lastLines.push(line);
    if (lastLines.length > LAST_LINES) lastLines.shift();
    count += 1;
    if (count <= LINES_MAX) onLine(line);
    if (count === LINES_MAX) onLine("(further lines are not logged)");
  });
  child.stdout.on("data", (bytes: Uint8Array) => {
    activity.atMs = performance.now();
    last.add(bytes);
  });
  child.stderr.on("data", (bytes: Uint8Array) => {
    activity.atMs = performance.now();
    lines.add(bytes);
  });
  const drained = Promise.all([ended(child.stdout), ended(child.stderr)]);
  // A program that ends early does not read its input.
  child.stdin.on("error", () => {});
  child.stdin.end(request.input);
  const exited = new Promise<Exit>((resolve) => {
    child.once("error", (error) => resolve({ kind: "unstarted", error }));
    child.once("exit", (code, killedBy) => resolve({ kind: "exited", code, killedBy }));
  });
  const kill = (name: "SIGTERM" | "SIGKILL") => {
    if (child.pid !== undefined) killGroup(child.pid, name);
  };
  const watching = new AbortController();
  try {
    const stopped = await Promise.race([exited, watch(request, activity, watching.signal)]);
    if (stopped instanceof Error) {
      kill("SIGTERM");
      await Promise.race([exited, setTimeout(request.graceMs ?? GRACE_MS, undefined, { ref: false })]);
    }
    // Children that are left must not go on, nor hold the pipes.
    kill("SIGKILL");
    await exited;
    mark.kill();
    if (stopped instanceof Error) throw stopped;
    await Promise.race([drained, setTimeout(DRAIN_MS, undefined, { ref: false })]);
    lines.end();
    checkExit(stopped, lastLines);
    return last.end();
  } finally {
    watching.abort();
    child.stdout.destroy();
    child.stderr.destroy();
  }
}

type Exit =
  | { readonly kind: "unstarted"; readonly error: Error }
  | { readonly kind: "exited"; readonly code: number | null; readonly killedBy: string | null };

/** Resolves with the reason to stop the program. */
async function watch(
  { timeoutMs, noProgressMs, progress, signal }: ProgramRequest,
  activity: { atMs: number },
  ended: AbortSignal,
): Promise<Error> {
  const startMs = performance.now();
  let known = -1;
  const pauseMs = Math.min(WATCH_MS, timeoutMs / 10, noProgressMs / 10);
  for (;;) {
    try {
      await setTimeout(pauseMs, undefined, { signal: AbortSignal.any([signal, ended]) });
    } catch {
      return signal.aborted
        ? new AgnesError("aborted", { what: "the program" })
        : new Error("the program ended");
    }
    const now = performance.now();
    const size = await progress().catch(() => known);
    if (size !== known) activity.atMs = Math.max(activity.atMs, now);
    known = size;
    if (now - startMs > timeoutMs)
      return errors.program_stopped({ reason: `it ran for more than ${timeoutMs / 60_000} minutes` });
    if (now - activity.atMs > noProgressMs)
      return errors.program_stopped({
        reason: `it wrote nothing for more than ${noProgressMs / 60_000} minutes`,
      });
  }
}

function checkExit(exit: Exit, lastLines: readonly string[]): void {
  if (exit.kind === "unstarted") {
    const { code = "" } = exit.error as NodeJS.ErrnoException;
    const reason = code === "ENOENT" ? "it does not exist" : `it cannot be started (${code})`;
    throw errors.program_failed({ reason, lastLines: [] });
  }
  if (exit.code === 0) return;
  const reason =
    exit.code === null ? `it was ended by ${exit.killedBy ?? "a signal"}` : `its exit status is ${exit.code}`;
  throw errors.program_failed({ reason, lastLines });
}

function killGroup(pid: number, name: "SIGTERM" | "SIGKILL"): void {
  try {
    process.kill(process.platform === "win32" ? pid : -pid, name);
  } catch {
    // The group has ended.
  }
}

function ended(stream: NodeJS.ReadableStream): Promise<void> {
  return new Promise((resolve) => {
    stream.once("end", resolve);
    stream.once("close", resolve);
    stream.once("error", () => resolve());
  });
}
