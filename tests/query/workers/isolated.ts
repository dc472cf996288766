import { readdirSync, readFileSync } from "node:fs";

import { isAgnesError } from "../../../lib/base/mod.ts";
import { IsolatedSession, workerSettings, type WorkerOptions } from "../../../lib/query/mod.ts";
import type { Queries } from "../../../lib/query/mod.ts";
import { testServices } from "../published.ts";

/** A session whose SQL runs in worker processes. */
export function isolated(
  dataDirectory: string,
  workers: WorkerOptions = {},
): IsolatedSession & AsyncDisposable {
  const services = testServices();
  const settings = workerSettings({ count: 2, ...workers }, services.limits);
  const session = new IsolatedSession(services, { dataDirectory, settings });
  return Object.assign(session, { [Symbol.asyncDispose]: () => session.close() });
}

/** The worker processes of a process, which are not zombies. Default: those of this process. */
export function workersOf(parent: number = process.pid): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const stat = statOf(pid);
      return stat !== null && stat.parent === parent && stat.state !== "Z" && isWorker(pid);
    });
}

/** Whether a process runs; a zombie does not. */
export function isRunning(pid: number): boolean {
  const state = statOf(pid)?.state;
  return state !== undefined && state !== "Z";
}

function statOf(pid: number): { readonly state: string; readonly parent: number } | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { state: state!, parent: Number(parent) };
  } catch {
    return null;
  }
}

function isWorker(pid: number): boolean {
  try {
    return /entry\.(?:ts|js)|__query-worker/.test(readFileSync(`/proc/${pid}/cmdline`, "utf8"));
  } catch {
    return false;
  }
}

/** Waits until a condition holds. */
export async function until(condition: () => boolean, timeoutMs = 30_000): Promise<void> {
  const startMs = performance.now();
  while (!condition()) {
    if (performance.now() - startMs > timeoutMs) throw new Error("the condition does not hold in time");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The rows of a query. */
export async function rowsIn(
  session: Queries,
  sql: string,
  options: Omit<Parameters<Queries["runQuery"]>[0], "sql"> = {},
): Promise<readonly unknown[]> {
  const result = await session.runQuery({ sql, ...options });
  const rows: unknown[] = [];
  for await (const batch of result.batches) for (const row of batch) rows.push(row.toJSON());
  return rows;
}

/** The error of some work; null if it succeeds. */
export async function errorOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
    return null;
  } catch (error) {
    return error;
  }
}

/** The code of the error of some work; empty if it succeeds. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "";
  } catch (error) {
    if (!isAgnesError(error)) throw error;
    return error.code;
  }
}

/** Inside one call of a function for minutes, in which DuckDB looks for no interrupt. Only trusted callers may run it. */
export const STUCK = {
  sql: "SELECT regexp_matches(repeat('a', 99000000), repeat('(a?){0,900}', 10) || 'b') AS n",
  trusted: true,
};

/** Runs for minutes, and ends soon after an interrupt. */
export const LONG = "SELECT sum(a.range * b.range) AS n FROM range(10000000) a, range(10000000) b";
