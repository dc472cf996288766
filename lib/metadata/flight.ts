import { createHash } from "node:crypto";
import { join } from "node:path";

import { AgnesError, isAgnesError, randomName, type Host } from "../base/mod.ts";
import { acquireLock } from "../duckdb/mod.ts";
import type { MetadataStore } from "./store.ts";
import type { RunRow } from "./stored.ts";

/** The key of a refresh of all tables; that of one table is its id in lower case, which has a dot. */
export const ALL = "all";
/** How long the run of another process may be unknown after it took the lock. */
const UNKNOWN_MAX_MS = 5_000;
const PAUSE_MS = 25;

/** A refresh that is not over. */
export interface Flight {
  readonly key: string;
  readonly runId: string;
  /** ISO 8601. */
  readonly startedAt: string;
}

interface FlightServices {
  readonly host: Host;
  /** The folder of the locks. */
  readonly directory: string;
  readonly store: MetadataStore;
}

/** Begins a refresh in this process; `takeFlight` then takes it among all processes. */
export function newFlight(host: Pick<Host, "random" | "now">, key: string): Flight {
  return { key, runId: randomName(host, 12), startedAt: host.now().toISOString() };
}

/** The error of a refresh that another one makes needless. */
export function alreadyRunning({ key, runId, startedAt }: FlightOfOther): AgnesError<"already_running"> {
  const what =
    key === ALL ? "a refresh of the metadata of all tables" : "a refresh of the metadata of this table";
  return new AgnesError("already_running", { what, runId, startedAt });
}

type FlightOfOther = { readonly [F in keyof Flight]: F extends "key" ? string : string | null };

/**
 * Takes the lock of a refresh, and records its run for the others. The operating system releases the lock of a process that
 * ends in any way.
 * @throws `already_running` with the run of the other process, if it is known
 */
export async function takeFlight(services: FlightServices, flight: Flight): Promise<AsyncDisposable> {
  const { host, directory, store } = services;
  const { key, runId, startedAt } = flight;
  await host.files.makeDirectory(directory);
  const untilMs = host.monotonicMs() + UNKNOWN_MAX_MS;
  for (;;) {
    const lock = await lockOrNull(services, key);
    if (lock !== null) {
      try {
        await store.writeRun({ kind: "run", key, runId, startedAt, finishedAt: null, counts: null });
      } catch (error) {
        await lock[Symbol.asyncDispose]();
        throw error;
      }
      return lock;
    }
    const other = await store.run(key);
    if (other !== null && other.finishedAt === null) throw alreadyRunning(other);
    // The other process has the lock and no run yet, or no run and soon no lock.
    if (host.monotonicMs() > untilMs) throw alreadyRunning({ key, runId: null, startedAt: null });
    await host.sleep(PAUSE_MS);
  }
}

/**
 * Returns the refresh of all tables that another process runs; null if there is none. A run whose process ended is recorded
 * as finished.
 */
export async function runningElsewhere(services: FlightServices): Promise<RunRow | null> {
  const run = await services.store.run(ALL);
  if (run === null || run.finishedAt !== null) return null;
  const lock = await lockOrNull(services, ALL);
  if (lock === null) return run;
  try {
    await services.store.writeRun({ ...run, finishedAt: services.host.now().toISOString() });
  } finally {
    await lock[Symbol.asyncDispose]();
  }
  return null;
}

/** Removes the lock of a table that is no longer registered. */
export async function removeLock(
  { host, directory }: Omit<FlightServices, "store">,
  id: string,
): Promise<void> {
  await host.files.remove(lockPath(directory, id.toLowerCase()));
}

async function lockOrNull({ host, directory }: FlightServices, key: string): Promise<AsyncDisposable | null> {
  try {
    return await acquireLock(host.files, lockPath(directory, key), "the metadata cache");
  } catch (error) {
    if (isAgnesError(error, "locked")) return null;
    throw error;
  }
}

/** Ids may have characters that are not valid in file names. */
function lockPath(directory: string, key: string): string {
  const name = key === ALL ? ALL : createHash("sha256").update(key).digest("hex").slice(0, 32);
  return join(directory, `${name}.lock`);
}
