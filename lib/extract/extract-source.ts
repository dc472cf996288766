import { availableParallelism } from "node:os";
import { resolve } from "node:path";

import {
  AgnesError,
  createLog,
  eachOf,
  isAgnesError,
  messageOf,
  randomId,
  redactError,
  throwIfAborted,
  withTimeout,
  type Log,
} from "../base/mod.ts";
import { acquireLock, openDatabase, type Database } from "../duckdb/mod.ts";
import { checkSecrets } from "./check-secrets.ts";
import { extractTable, type TableOutcome } from "./extract-table.ts";
import { PART_ROWS, type ExtractRun, type TableJob } from "./job/job.ts";
import { checkPlan, duplicateNames, type TablePlan } from "./job/plan.ts";
import { createProgress, type TableProgress } from "./progress.ts";
import { MATERIALIZE_TIMEOUT_MS } from "./query-attempts.ts";
import { lockPath } from "./format/paths.ts";
import { publish } from "./publish/publish.ts";
import { sweepPublished, sweepReads, sweepTemporary } from "./publish/sweep.ts";
import { remoteAttachments, remoteTable, sameAttachments } from "./remote.ts";
import { JobList, withStoppedJobs } from "../sources/mod.ts";
import type { ExtractServices, ExtractSource } from "./job/services.ts";
import { summarise, withEarlier, type ExtractProgress, type ExtractStats, type TableStats } from "./stats.ts";
import { failedStats, statsOf, withRemoteNote } from "./table-stats.ts";
import { saveReadFacts, withReadFacts } from "./state/read-facts.ts";
import type { ExtractState, PublishedTable } from "./format/extract-state.ts";
import { readExtract } from "./state/read-extract.ts";

/** Options of `extractSource`. */
export interface ExtractRequest {
  /** The folder of the extract, `extracts/<source>`. Created if it is missing. */
  readonly directory: string;
  readonly source: ExtractSource;
  /** The id of the run, which is published with the generation. Default: a random one. */
  readonly runId?: string;
  /** What publishes the generation. Default: `run`. */
  readonly kind?: "run" | "unregister";
  readonly tables: readonly TablePlan[];
  /** Reads every table in full and adopts its current layout. Default: false. */
  readonly full?: boolean;
  /** The source's names of tables to read in full with their layout, because rows may be missing. Default: none. */
  readonly again?: readonly string[];
  /** Names of published tables to keep although they are not in `tables`; others are removed. Default: keep all. */
  readonly keep?: readonly string[];
  /** Maximum number of tables to read at once. Default: 2. */
  readonly concurrency?: number;
  /** Timeout for each table. Default: none. */
  readonly timeoutMs?: number;
  /** Maximum time without data from the source. Default: 5 minutes. */
  readonly idleTimeoutMs?: number;
  /** Timeout of the query of a materialized table, with its rows. Default: one hour. */
  readonly materializeTimeoutMs?: number;
  /** Target number of rows in a part. Default: 250,000. */
  readonly partRows?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: ExtractProgress) => void;
}

const CONCURRENCY = 2;
/** Two more than the cores, because DuckDB's threads wait while JavaScript passes rows to them. */
const THREADS = availableParallelism() + 2;
const IDLE_TIMEOUT_MS = 5 * 60_000;

/**
 * Extracts new data of a source's tables and publishes all tables together, by one rename.
 *
 * A table that fails keeps its published data and does not stop the others. If nothing is new, nothing is published.
 * Only one run at a time, across all processes, can use a folder.
 *
 * @throws `locked` while another run uses the folder; `extract_unreadable` or `extract_foreign` if the existing extract
 *   cannot be read; `disk_full`, `file_failed`, `rows_lost`, `aborted`. The published data is unchanged after an error.
 */
export async function extractSource(
  hostServices: ExtractServices,
  request: ExtractRequest,
): Promise<ExtractStats> {
  const services = { ...hostServices, log: logWithoutSecrets(hostServices.log, request.source) };
  const directory = resolve(request.directory);
  const { host } = services;
  const startedMs = host.monotonicMs();
  throwIfAborted(request.signal, "the extraction");
  await host.files.makeDirectory(directory);
  await using locked = await openLocked(services, directory, request.source);
  const { database } = locked;
  const published = await readExtract(host.files, directory);
  const previous = await withReadFacts(host, published);
  await sweepTemporary(host, directory);
  const shared = {
    id: request.runId ?? randomId(host),
    database,
    progress: new Map<TablePlan, TableProgress>(),
  };
  const stats = new Map<TablePlan, TableStats>();
  let current = previous;
  let round = { ...request, directory };
  for (;;) {
    const extraction = new Extraction(services, round, current, shared);
    const results = await extraction.tables();
    const { state, tables } = await publishResults(services, extraction, results, request.signal);
    for (const [at, plan] of round.tables.entries()) {
      stats.set(plan, withEarlier(stats.get(plan), tables[at]!));
    }
    await saveFacts(services, state ?? published, extraction.tablesWith(results));
    await sweepReads(services, directory, tables);
    current = state ?? current;
    // The next round continues only the tables whose first load is not complete.
    const left = round.tables.filter((_, at) => results[at]!.isUnfinished);
    if (left.length === 0 || state === null) break;
    const { keep: _, ...rest } = round;
    round = { ...rest, tables: left, full: false, again: [] };
  }
  return summarise([...stats.values()], {
    runId: shared.id,
    generation: current?.generation.number ?? null,
    published: current !== previous,
    elapsedMs: Math.round(host.monotonicMs() - startedMs),
  });
}

/** Locks the folder of a source, and opens a database meanwhile, because that takes as long and needs no lock. */
async function openLocked(
  { host: { files }, limits }: ExtractServices,
  directory: string,
  { name }: ExtractSource,
): Promise<AsyncDisposable & { readonly database: Database }> {
  const [database, lock] = await Promise.allSettled([
    openDatabase({ files, limits: { threads: THREADS, ...limits } }),
    acquireLock(files, lockPath(directory), `the extract of source ${name}`),
  ]);
  const close = async () => {
    // Its statements have ended when the lock is released.
    try {
      if (database.status === "fulfilled") await database.value.close();
    } finally {
      if (lock.status === "fulfilled") await lock.value[Symbol.asyncDispose]();
    }
  };
  if (database.status === "fulfilled" && lock.status === "fulfilled")
    return { database: database.value, [Symbol.asyncDispose]: close };
  await close();
  throw lock.status === "rejected" ? lock.reason : (database as PromiseRejectedResult).reason;
}

/** Publishes the results of the tables if any of them changed. */
async function publishResults(
  services: ExtractServices,
  extraction: Extraction,
  results: readonly TableResult[],
  signal: AbortSignal | undefined,
): Promise<{ readonly state: ExtractState | null; readonly tables: readonly TableStats[] }> {
  throwIfAborted(signal, "the extraction");
  const state = extraction.nextState(results);
  const tables = results.map((result) => result.stats);
  if (state === null) return { state, tables };
  const verify = new Set(results.filter((result) => result.changed).map((result) => result.stats.name));
  const built = await publish(services, extraction.run.database, state, {
    previous: extraction.previousNumber,
    verify,
    ...(signal === undefined ? {} : { signal }),
  });
  await sweepPublished(services, state);
  return { state, tables: tables.map((table) => withRemoteNote(table, built.unattached)) };
}

/** State shared by all rounds of a run. */
interface Shared {
  readonly id: string;
  readonly database: Database;
  /** A table that is loaded in windows reports one progress across them. */
  readonly progress: Map<TablePlan, TableProgress>;
}

interface TableResult {
  /** Absent if the table has never been published. */
  readonly table: PublishedTable | undefined;
  /** Whether its rows equal the published ones. Its cursor and state may be new. */
  readonly isSame: boolean;
  readonly changed: boolean;
  /** Whether its first load has more windows. */
  readonly isUnfinished: boolean;
  readonly stats: TableStats;
}

class Extraction {
  readonly run: ExtractRun;
  readonly #request: ExtractRequest;
  readonly #previous: ExtractState | null;
  /** The published tables by lower-case name. */
  readonly #published: ReadonlyMap<string, PublishedTable>;
  readonly #progress: Map<TablePlan, TableProgress>;
  readonly #startedAt: Date;
  readonly #duplicates: ReadonlySet<string>;

  constructor(
    services: ExtractServices,
    request: ExtractRequest,
    previous: ExtractState | null,
    { id, database, progress }: Shared,
  ) {
    const { directory, source, idleTimeoutMs = IDLE_TIMEOUT_MS, partRows = PART_ROWS } = request;
    const { materializeTimeoutMs = MATERIALIZE_TIMEOUT_MS } = request;
    const generation = (previous?.generation.number ?? 0) + 1;
    const timeouts = { idleTimeoutMs, materializeTimeoutMs };
    this.run = { id, services, database, directory, source, generation, partRows, ...timeouts };
    this.#request = request;
    this.#previous = previous;
    this.#progress = progress;
    this.#published = new Map((previous?.tables ?? []).map((table) => [table.name.toLowerCase(), table]));
    this.#startedAt = services.host.now();
    this.#duplicates = duplicateNames(request.tables);
  }

  /** The number of the current generation; null if there is none. */
  get previousNumber(): number | null {
    return this.#previous?.generation.number ?? null;
  }

  /** Extracts all tables and returns their results in the order of the request. */
  async tables(): Promise<readonly TableResult[]> {
    const { tables, concurrency = CONCURRENCY } = this.#request;
    const { services, directory } = this.run;
    let isComplete = false;
    try {
      const results = await eachOf(tables, concurrency, (plan) => this.#table(plan));
      isComplete = results.every(({ stats }) => stats.status !== "failed");
      return results;
    } finally {
      // Parts of failed tables would use disk space until the next run.
      if (!isComplete) await sweepTemporary(services.host, directory);
    }
  }

  /** The state to publish; null if it equals the published one. */
  nextState(results: readonly TableResult[]): ExtractState | null {
    const { id: runId, services, directory, source, generation: number } = this.run;
    const previous = this.#previous;
    const next = this.tablesWith(results);
    const remotes = remoteAttachments(source, next, previous);
    const isSame =
      previous !== null &&
      previous.generation.directory === directory &&
      next.length === previous.tables.length &&
      sameAttachments(previous.remotes, remotes) &&
      results.every((result) => result.isSame);
    if (isSame || (previous === null && next.length === 0)) return null;
    return {
      directory,
      generation: {
        number,
        runId,
        kind: this.#request.kind ?? "run",
        plugin: source.plugin.name,
        pluginVersion: source.plugin.version,
        startedAt: this.#startedAt,
        finishedAt: services.host.now(),
        directory,
      },
      tables: next,
      remotes,
      eventIds: previous?.eventIds ?? [],
    };
  }

  /** All tables of the extract with these results. */
  tablesWith(results: readonly TableResult[]): readonly PublishedTable[] {
    const { keep, tables } = this.#request;
    const requested = new Set(tables.map((plan) => plan.name.toLowerCase()));
    const kept = keep === undefined ? null : new Set(keep.map((name) => name.toLowerCase()));
    const others = (this.#previous?.tables ?? []).filter(({ name }) => {
      const folded = name.toLowerCase();
      return !requested.has(folded) && (kept?.has(folded) ?? true);
    });
    // Plans of one name fail, and each keeps the same published table.
    const found = new Set(results.flatMap(({ table }) => table ?? []));
    return [...others, ...found].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async #table(plan: TablePlan): Promise<TableResult> {
    const { services, source } = this.run;
    const { host, log } = services;
    const { signal, timeoutMs, onProgress } = this.#request;
    const startedMs = host.monotonicMs();
    const progress = this.#progress.get(plan) ?? createProgress(host, plan, onProgress);
    this.#progress.set(plan, progress);
    const previous = this.#published.get(plan.name.toLowerCase());
    const jobs = new JobList();
    const run = () => ({ elapsedMs: Math.round(host.monotonicMs() - startedMs), jobs });
    using timeout = withTimeout(`table ${plan.name}`, timeoutMs, signal);
    try {
      const { problem, hasBadRows = false } = plan.info;
      if (problem !== undefined && !(plan.quarantine && hasBadRows)) throw problem;
      checkPlan(plan);
      if (this.#duplicates.has(plan.name.toLowerCase())) {
        throw new AgnesError("table_plan_invalid", {
          id: plan.id,
          table: plan.name,
          reason: "another table of the source has this name",
        });
      }
      const outcome = await this.#outcome(plan, previous, {
        signal: timeout.signal,
        progress,
        onJob: jobs.onJob,
      });
      checkSecrets(outcome.table, source);
      // The remaining windows are read after this one is published.
      const isUnfinished = outcome.table.loadedUntil !== undefined;
      if (!isUnfinished) progress.finish("done", outcome.table);
      return {
        table: outcome.table,
        isSame: !outcome.changed,
        changed: outcome.changed && plan.mode !== "remote",
        isUnfinished,
        stats: statsOf(plan, outcome, source, run()),
      };
    } catch (error) {
      if (signal?.aborted === true) throw withStoppedJobs(error, jobs);
      progress.finish("failed", previous);
      const known = isAgnesError(error)
        ? error
        : new AgnesError("internal", { what: messageOf(error) }, { cause: error });
      const failure = withStoppedJobs(redactError(known, source.secrets ?? []), jobs) as AgnesError;
      log.error("the table failed; its published data is kept", { table: plan.name, error: failure });
      return {
        table: previous,
        isSame: true,
        changed: false,
        isUnfinished: false,
        stats: failedStats(plan, previous, failure, run()),
      };
    }
  }

  async #outcome(
    plan: TablePlan,
    previous: PublishedTable | undefined,
    { signal, progress, onJob }: Pick<TableJob, "signal" | "progress" | "onJob">,
  ): Promise<TableOutcome> {
    const { services, source } = this.run;
    if (plan.mode === "remote") return remoteTable(services.host, source, plan, previous);
    return extractTable({
      run: this.run,
      plan,
      original: plan,
      previous: previous?.mode === "remote" ? undefined : previous,
      full: this.#request.full ?? false,
      isReadAgain: this.#request.again?.includes(plan.info.name) === true,
      progress,
      onJob,
      signal,
    });
  }
}

/** A log that redacts the secrets of a source that are known when a line is written. */
function logWithoutSecrets(log: Log, source: ExtractSource): Log {
  const secrets = { [Symbol.iterator]: () => (source.secrets ?? [])[Symbol.iterator]() };
  return createLog(({ level, message, fields }) => log[level](message, fields), secrets);
}

/** Saves the findings of reads that changed nothing. Without them the next read only does more work. */
async function saveFacts(
  services: ExtractServices,
  published: ExtractState | null,
  tables: readonly PublishedTable[],
): Promise<void> {
  if (published === null) return;
  try {
    await saveReadFacts(services.host, published, tables);
  } catch (error) {
    if (!isAgnesError(error)) throw error;
    services.log.warn("the findings of unchanged reads could not be saved", {
      path: published.directory,
      error,
    });
  }
}
