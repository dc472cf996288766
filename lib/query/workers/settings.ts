import { fileURLToPath } from "node:url";

import { AgnesError, formatValue, machineLimits } from "../../base/mod.ts";
import type { DuckDBLimits } from "../../duckdb/mod.ts";

/**
 * The worker processes of `isolation: "process"`. The defaults fit the memory and cores of the machine, or of the cgroup.
 *
 * @example
 * ```ts
 * import { createAgnes } from "agnes";
 *
 * const workers = { count: 4, memoryMb: 512 };
 * await using agnes = await createAgnes({ plugins: [], isolation: "process", workers });
 * console.log(await agnes.rows("SELECT 42 AS answer", { principal: "ann" }));
 * ```
 */
export interface WorkerOptions {
  /**
   * The number of processes, each of which runs one query at a time. One of them is kept for queries in their first 250
   * milliseconds. Default: two more than cores, but at least 512 MB for each in 60 % of the memory; at least 2.
   */
  readonly count?: number;
  /**
   * The memory of one process that it shares with no other, in MB. Above it the process is killed, and its query fails with
   * `query_memory_exceeded`. Default: its part of 60 % of the memory, at most a quarter more than `limits.memoryMb` of the
   * workspace, and 256 MB.
   */
  readonly memoryMb?: number;
  /** The number of queries of one principal that may wait; more fail with `queries_waiting`. Default: 16. */
  readonly waitingMax?: number;
  /** The time that a stopped query has before its process is killed, in milliseconds. Default: 500. */
  readonly graceMs?: number;
  /** The rows of one query that wait for their reader in memory, in MB. Default: 8. */
  readonly bufferMb?: number;
  /**
   * The rows of all queries that wait for their readers in temporary files, in MB. If they are full, a query keeps its
   * process until its rows are read. Default: 1024.
   */
  readonly filesMb?: number;
  /** The time after which a query fails with `rows_not_read` if no rows are read, in milliseconds. Default: 30,000. */
  readonly stalledMs?: number;
  /**
   * The program that runs as a worker, and its arguments; it calls `runQueryWorker`. Default: this runtime, with a file of
   * this package. Programs bundled into one file must set it.
   */
  readonly command?: readonly [string, ...string[]];
}

/** Worker options with their defaults. */
export type WorkerSettings = Required<WorkerOptions> & {
  /** The limits of DuckDB in one process. */
  readonly duckdb: DuckDBLimits;
};

/** The part of the memory for workers; the rest is for the parent and the cache of files. */
const MEMORY_SHARE = 0.6;
const WORKER_MB_MIN = 512;

/** The memory of a process in addition to that of DuckDB. */
const PROCESS_MB = 256;

/** DuckDB does not count all of its memory. */
const UNCOUNTED = 1.25;

const MB = 1_000_000;

/** Completes worker options. @throws `invalid_input` */
export function workerSettings(
  options: WorkerOptions,
  limits: DuckDBLimits,
  machine: ReturnType<typeof machineLimits> = machineLimits(),
): WorkerSettings {
  for (const [name, value] of Object.entries(options)) checkOption(name, value);
  const budgetMb = (machine.memoryBytes / MB) * MEMORY_SHARE;
  const count =
    options.count ?? Math.min(machine.cores + 2, Math.max(2, Math.floor(budgetMb / WORKER_MB_MIN)));
  const wantedMb = (limits.memoryMb ?? Infinity) * UNCOUNTED + PROCESS_MB;
  const memoryMb = options.memoryMb ?? Math.floor(Math.min(budgetMb / count, wantedMb));
  const duckdbMb = Math.max(DUCKDB_MB_MIN, Math.floor((memoryMb - PROCESS_MB) / UNCOUNTED));
  return {
    count,
    memoryMb,
    waitingMax: options.waitingMax ?? 16,
    graceMs: options.graceMs ?? 500,
    bufferMb: options.bufferMb ?? 8,
    filesMb: options.filesMb ?? 1024,
    stalledMs: options.stalledMs ?? 30_000,
    command: options.command ?? [process.execPath, workerFile()],
    duckdb: { ...limits, memoryMb: Math.min(limits.memoryMb ?? Infinity, duckdbMb) },
  };
}

const DUCKDB_MB_MIN = 64;

/** The file beside this one that runs as a worker, with the same extension. */
function workerFile(): string {
  const own = import.meta.url;
  return fileURLToPath(new URL(`entry${own.slice(own.lastIndexOf("."))}`, own));
}

const OPTIONS = [
  "count",
  "memoryMb",
  "waitingMax",
  "graceMs",
  "bufferMb",
  "filesMb",
  "stalledMs",
  "command",
] satisfies readonly (keyof WorkerOptions)[];

function checkOption(name: string, value: unknown): void {
  const refuse = (reason: string) => {
    throw new AgnesError("invalid_input", { what: `the option workers.${name}`, reason });
  };
  if (!OPTIONS.includes(name as keyof WorkerOptions)) refuse(`it is none of ${OPTIONS.join(", ")}`);
  if (name === "command") {
    const isProgram =
      Array.isArray(value) && value.length > 0 && value.every((part) => typeof part === "string");
    if (!isProgram) refuse("it is not a list of a program and its arguments");
    return;
  }
  const min = name === "count" ? 1 : 0;
  if (!Number.isSafeInteger(value) || (value as number) < min)
    refuse(`${formatValue(value)} is not a whole number of at least ${min}`);
}
