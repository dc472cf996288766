import { randomUUID } from "node:crypto";
import { availableParallelism } from "node:os";
import { resolve } from "node:path";

import {
  AgnesError,
  createLog,
  eachOf,
  isAgnesError,
  messageOf,
  nameHoldsSecret,
  redactError,
  throwIfAborted,
  withTimeout,
  type Log,
} from "../base/mod.ts";
import { acquireLock, openDatabase, type Database } from "../duckdb/mod.ts";
import { extractTable, type TableOutcome } from "./extract-table.ts";
import { PART_ROWS, type ExtractRun } from "./job/job.ts";
import { checkPlan, duplicateNames, type TablePlan } from "./job/plan.ts";
import { createProgress, type TableProgress } from "./progress.ts";
import { lockPath } from "./format/paths.ts";
import { publish } from "./publish/publish.ts";
import { sweepPublished, sweepReads, sweepTemporary } from "./publish/sweep.ts";
import { remoteAttachments, remoteTable, sameAttachments } from "./remote.ts";
import type { ExtractServices, ExtractSource } from "./job/services.ts";
import { summarise, withEarlier, type ExtractProgress, type ExtractStats, type TableStats } from "./stats.ts";
import { failedStats, statsOf, withRemoteNote } from "./table-stats.ts";
import { keepChecks, withChecks } from "./state/checked.ts";
import type { ExtractState, PublishedTable } from "./format/extract-state.ts";
import { readExtract } from "./state/read-extract.ts";

/** What `extractSource` is asked to do. */
export interface ExtractRequest {
  /** The folder of the extract, `extracts/<source>`; made when it is not there. */
  readonly directory: string;
  readonly source: ExtractSource;
  readonly tables: readonly TablePlan[];
  /** Reads every table whole and takes its layout as the source describes it now. Default `false`. */
  readonly full?: boolean;
  /** Names of published tables that stay although they are not in `tables`; all others go. Default: all stay. */
  readonly keep?: readonly string[];
  /** How many tables are read at once. Default 2. */
  readonly concurrency?: number;
  /** How long one table may take. Default: no limit. */
  readonly timeoutMs?: number;
  /** How long a source may give nothing. Default five minutes. */
  readonly idleTimeoutMs?: number;
  /** How many rows a part should have. Default 250,000. */
  readonly partRows?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: ExtractProgress) => void;
}

const CONCURRENCY = 2;
/** Two more than the cores: threads of DuckDB wait while JavaScript hands them rows. */
const THREADS = availableParallelism() + 2;
const IDLE_TIMEOUT_MS = 5 * 60_000;

/**
 * Brings the tables of a source up to date and publishes them together, by one rename.
 *
 * A table that fails keeps what was published of it and does not stop the others; when nothing is new, nothing is
 * published. One run at a time per folder, among all processes.
 *
 * @throws `locked` while another run has the folder; `extract_unreadable` and `extract_foreign` rather than replace
 *   what it cannot read; `disk_full`, `file_failed`, `rows_lost`, `aborted`. What was published before then stays.
 */
export async function extractSource(given: ExtractServices, request: ExtractRequest): Promise<ExtractStats> {
  const services = { ...given, log: logWithoutSecrets(given.log, request.source) };
  const directory = resolve(request.directory);
  const { host } = services;
  const startedMs = host.monotonicMs();
  throwIfAborted(request.signal, "the extraction");
  await host.files.makeDirectory(directory);
  await using _lock = await acquireLock(
    services.host.files,
    lockPath(directory),
    `the extract of source ${request.source.name}`,
  );
  const published = await readExtract(host.files, directory);
  const previous = await withChecks(host, published);
  await sweepTemporary(host, directory);
  await using database = await openDatabase({ limits: { threads: THREADS, ...services.limits } });
  const shared = { id: randomUUID(), database, progress: new Map<TablePlan, TableProgress>() };
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
    await keep(services, state ?? published, extraction.tablesWith(results));
    await sweepReads(services, directory, tables);
    current = state ?? current;
    // Tables of which windows of the first load are left; everything else stays as it is now.
    const left = round.tables.filter((_, at) => results[at]!.isUnfinished);
    if (left.length === 0 || state === null) break;
    const { keep: _, ...rest } = round;
    round = { ...rest, tables: left, full: false };
  }
  return summarise([...stats.values()], {
    runId: shared.id,
    generation: current?.generation.number ?? null,
    published: current !== previous,
    elapsedMs: host.monotonicMs() - startedMs,
  });
}

/** Publishes what became of the tables, when something did. */
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

/** What all rounds of a run share. */
interface Shared {
  readonly id: string;
  readonly database: Database;
  /** A table that is loaded by windows has one progress for all of them. */
  readonly progress: Map<TablePlan, TableProgress>;
}

interface TableResult {
  /** Absent when nothing of the table was ever published. */
  readonly table: PublishedTable | undefined;
  /** Whether its rows are those that are published, although where the next read continues may be new. */
  readonly isSame: boolean;
  readonly changed: boolean;
  /** Whether windows of its first load are left. */
  readonly isUnfinished: boolean;
  readonly stats: TableStats;
}

class Extraction {
  readonly run: ExtractRun;
  readonly #request: ExtractRequest;
  readonly #previous: ExtractState | null;
  /** What is published, by the lower-case name. */
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
    const generation = (previous?.generation.number ?? 0) + 1;
    this.run = { id, services, database, directory, source, generation, idleTimeoutMs, partRows };
    this.#request = request;
    this.#previous = previous;
    this.#progress = progress;
    this.#published = new Map((previous?.tables ?? []).map((table) => [table.name.toLowerCase(), table]));
    this.#startedAt = services.host.now();
    this.#duplicates = duplicateNames(request.tables);
  }

  /** The number of the generation that is published now. */
  get previousNumber(): number | null {
    return this.#previous?.generation.number ?? null;
  }

  /** The results of all tables, in the order they were asked for. */
  async tables(): Promise<readonly TableResult[]> {
    const { tables, concurrency = CONCURRENCY } = this.#request;
    const { services, directory } = this.run;
    let isWhole = false;
    try {
      const results = await eachOf(tables, concurrency, (plan) => this.#table(plan));
      isWhole = results.every(({ stats }) => stats.status !== "failed");
      return results;
    } finally {
      // What failed tables wrote would fill the disk until the next run.
      if (!isWhole) await sweepTemporary(services.host, directory);
    }
  }

  /** What is to be published; null when it is what is published already. */
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
        kind: "run",
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

  /** All tables there are now. */
  tablesWith(results: readonly TableResult[]): readonly PublishedTable[] {
    const { keep, tables } = this.#request;
    const asked = new Set(tables.map((plan) => plan.name.toLowerCase()));
    const kept = keep === undefined ? null : new Set(keep.map((name) => name.toLowerCase()));
    const others = (this.#previous?.tables ?? []).filter(({ name }) => {
      const folded = name.toLowerCase();
      return !asked.has(folded) && (kept?.has(folded) ?? true);
    });
    const found = results.flatMap(({ table }) => table ?? []);
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
    using timeout = withTimeout(`table ${plan.name}`, timeoutMs, signal);
    try {
      const { problem, hasBadRows = false } = plan.info;
      if (problem !== undefined && !(plan.quarantine && hasBadRows)) throw problem;
      checkPlan(plan);
      if (this.#duplicates.has(plan.name.toLowerCase())) {
        throw new AgnesError("table_plan_invalid", {
          table: plan.name,
          reason: "another table of the source has this name",
        });
      }
      const outcome = await this.#outcome(plan, previous, timeout.signal, progress);
      checkSecrets(outcome.table, source);
      // The windows that are left are read once this one is published.
      const isUnfinished = outcome.table.loadedUntil !== undefined;
      if (!isUnfinished) progress.finish("done", outcome.table);
      return {
        table: outcome.table,
        isSame: !outcome.changed,
        changed: outcome.changed && plan.mode !== "remote",
        isUnfinished,
        stats: statsOf(plan, outcome, source, host.monotonicMs() - startedMs),
      };
    } catch (error) {
      if (signal?.aborted === true) throw error;
      progress.finish("failed", previous);
      const failure = redactError(
        isAgnesError(error)
          ? error
          : new AgnesError("internal", { what: messageOf(error) }, { cause: error }),
        source.secrets ?? [],
      );
      log.error("a table failed; what was published of it stays", { table: plan.name, error: failure });
      return {
        table: previous,
        isSame: true,
        changed: false,
        isUnfinished: false,
        stats: failedStats(plan, previous, failure, host.monotonicMs() - startedMs),
      };
    }
  }

  async #outcome(
    plan: TablePlan,
    previous: PublishedTable | undefined,
    signal: AbortSignal,
    progress: TableProgress,
  ): Promise<TableOutcome> {
    const { services, source } = this.run;
    if (plan.mode === "remote") return remoteTable(services.host, source, plan, previous);
    return extractTable({
      run: this.run,
      plan,
      original: plan,
      previous: previous?.mode === "remote" ? undefined : previous,
      full: this.#request.full ?? false,
      progress,
      signal,
    });
  }
}

/** A log that redacts the secrets of a source, as far as they are known when a line is written. */
function logWithoutSecrets(log: Log, source: ExtractSource): Log {
  const secrets = { [Symbol.iterator]: () => (source.secrets ?? [])[Symbol.iterator]() };
  return createLog(({ level, message, fields }) => log[level](message, fields), secrets);
}

/**
 * Checks that no secret is published: answers and rows name columns, and a read returns the state that its table keeps.
 *
 * @throws `table_read_failed`
 */
function checkSecrets(
  { name, columns, state }: PublishedTable,
  { name: source, secrets = [] }: ExtractSource,
): void {
  const refuse = (what: string): never => {
    const reason = `${what} holds the value of a secret`;
    throw new AgnesError("table_read_failed", { source, table: name, reason });
  };
  if (columns.some((column) => nameHoldsSecret(column.name, secrets))) refuse("the name of a column");
  if (state !== undefined && nameHoldsSecret(JSON.stringify(state), secrets))
    refuse("the state that the read returned");
}

/** Keeps what reads that changed nothing found; without it the next one only does more. */
async function keep(
  services: ExtractServices,
  published: ExtractState | null,
  tables: readonly PublishedTable[],
): Promise<void> {
  if (published === null) return;
  try {
    await keepChecks(services.host, published, tables);
  } catch (error) {
    if (!isAgnesError(error)) throw error;
    services.log.warn("what was found unchanged could not be kept", { path: published.directory, error });
  }
}
