import { tableId, type AnalyticsTable } from "../analytics/mod.ts";
import { type AgnesError, isAgnesError, messageOf, Mutex, type Host } from "../base/mod.ts";
import { GENERATIONS_KEPT } from "../extract/format/mod.ts";
import { ProfileEngine } from "./engine.ts";
import { contentOf, PublishedTables } from "./published.ts";
import type { ProfileServices } from "./services.ts";
import { ProfileStore, type KeptProfiles, type StoredProfile } from "./store.ts";

/** What a sync did with the profile of a table that changed. */
export interface ProfileOutcome {
  /** `source.name` */
  readonly table: string;
  /** `failed`: an earlier profile stays, if there is one, and is marked as stale. */
  readonly status: "computed" | "failed";
  /** The code of the error. */
  readonly code?: string;
  /** Why it failed. */
  readonly reason?: string;
  readonly elapsedMs: number;
}

/** Profiles to compute in another process. */
interface ProfileProcessRequest {
  /** The ids of the tables. */
  readonly tables: readonly string[];
  /** The time for all of them together. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Called before each table. */
  readonly onBegin: (table: string) => void;
  /** Called after each table. Its failure is recorded. */
  readonly onOutcome: (outcome: ProfileOutcome) => void;
}

/**
 * Updates profiles in another process, as `ProfileUpdates.update` does. Resolves when the process has ended.
 * @returns null: it did what it could; otherwise why the table that it began with last has no outcome
 */
export type ProfileProcess = (
  request: ProfileProcessRequest,
) => Promise<((table: string) => AgnesError) | null>;

/** The options of an update. */
interface UpdateOptions {
  /** The time for all profiles together. Default: 10 minutes. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** Called before each profile that is computed. */
  readonly onBegin?: (table: string) => void;
  /** Called with each outcome. */
  readonly onOutcome?: (outcome: ProfileOutcome) => void;
  /** Where the profiles are computed; null: in this process. Default: null. */
  readonly process?: ProfileProcess | null;
}

/** The time of one profile, and of all profiles of a sync. */
export const PROFILE_TIMEOUT_MS = 600_000;

/** Failures that the same rows would cause again. */
const LASTING: ReadonlySet<string> = new Set([
  "timed_out",
  "duckdb_out_of_memory",
  "duckdb_failed",
  "profile_memory_exceeded",
  "sql_failed",
]);

/** Computes and keeps the profiles of published tables. */
export class ProfileUpdates {
  readonly store: ProfileStore;
  readonly published: PublishedTables;
  readonly #services: ProfileServices;
  /** One profile is computed at a time, because each may use the whole memory of an engine. */
  readonly #turns = new Mutex();

  constructor(services: ProfileServices) {
    const { dataDirectory } = services.workspace;
    this.#services = services;
    this.store = new ProfileStore(services.host, dataDirectory);
    this.published = new PublishedTables(services.host, dataDirectory);
  }

  /**
   * Computes the profiles of those tables whose content has changed since they were profiled. Never fails: a failure is part
   * of the result, and is kept with the earlier profile.
   *
   * @param ids the tables to look at
   */
  async update(ids: readonly string[], options: UpdateOptions = {}): Promise<readonly ProfileOutcome[]> {
    const outcomes = new Outcomes(options.onOutcome);
    try {
      const wanted = new Set(ids);
      const tables = (await this.published.list()).filter(
        (table) => wanted.has(tableId(table)) && table.accessMode !== "remote",
      );
      const due: AnalyticsTable[] = [];
      for (const table of tables) if (isDue(table, await this.store.kept(table))) due.push(table);
      const { process = null } = options;
      if (due.length === 0) return [];
      if (process === null) await this.#updateHere(due, outcomes, options);
      else await this.#turns.run(() => this.#updateInProcess(process, due, outcomes, options));
    } catch (error) {
      this.#services.log.warn("the profiles of the tables are not updated", { error });
    }
    return outcomes.all;
  }

  /** Computes and publishes a profile in its turn; a failure is recorded. */
  computeInTurn(
    table: AnalyticsTable,
    timeoutMs: number,
    { before, signal }: { readonly before: () => void; readonly signal?: AbortSignal | undefined },
  ): Promise<StoredProfile> {
    return this.#turns.run(async () => {
      before();
      await using engine = new ProfileEngine(this.#services);
      return await this.#compute(engine, table, { timeoutMs, signal });
    });
  }

  async #updateHere(
    tables: readonly AnalyticsTable[],
    outcomes: Outcomes,
    { timeoutMs: wholeMs = PROFILE_TIMEOUT_MS, signal, onBegin }: UpdateOptions,
  ): Promise<void> {
    const leftMs = countdown(this.#services.host, wholeMs);
    const isStopped = () => signal?.aborted === true;
    await using engine = new ProfileEngine(this.#services);
    for (const table of tables) {
      if (isStopped()) return;
      const elapsedMs = stopwatch(this.#services.host);
      const timeoutMs = leftMs();
      const id = tableId(table);
      if (timeoutMs <= 0) {
        outcomes.add(tooLate(id));
        continue;
      }
      onBegin?.(id);
      try {
        await this.#turns.run(() => this.#compute(engine, table, { timeoutMs, signal }));
        outcomes.add({ table: id, status: "computed", elapsedMs: elapsedMs() });
      } catch (error) {
        if (isStopped()) return;
        outcomes.add({ table: id, status: "failed", ...reasonOf(error), elapsedMs: elapsedMs() });
      }
    }
  }

  /** A table that ends its process is left out, and another process computes the others. */
  async #updateInProcess(
    process: ProfileProcess,
    tables: readonly AnalyticsTable[],
    outcomes: Outcomes,
    { timeoutMs: wholeMs = PROFILE_TIMEOUT_MS, signal }: UpdateOptions,
  ): Promise<void> {
    const leftMs = countdown(this.#services.host, wholeMs);
    const isStopped = () => signal?.aborted === true;
    for (let left = tables; left.length > 0; left = left.filter((table) => !outcomes.has(tableId(table)))) {
      if (isStopped()) return;
      const timeoutMs = leftMs();
      if (timeoutMs <= 0) {
        for (const table of left) outcomes.add(tooLate(tableId(table)));
        return;
      }
      let begun: string | null = null;
      let elapsedMs = stopwatch(this.#services.host);
      const failure = await process({
        tables: left.map(tableId),
        timeoutMs,
        signal,
        onBegin: (table) => {
          begun = table;
          elapsedMs = stopwatch(this.#services.host);
        },
        onOutcome: (outcome) => {
          outcomes.add(outcome);
          begun = null;
        },
      });
      if (failure === null || isStopped()) return;
      // A process that could not begin will not begin the next time.
      const failed = begun === null ? left : left.filter((table) => tableId(table) === begun);
      for (const table of failed.filter((one) => !outcomes.has(tableId(one)))) {
        const reason = reasonOf(failure(tableId(table)));
        await this.#recordFailure(table, contentOf(table), reason);
        outcomes.add({ table: tableId(table), status: "failed", ...reason, elapsedMs: elapsedMs() });
      }
    }
  }

  async #compute(
    engine: ProfileEngine,
    table: AnalyticsTable,
    limits: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
  ): Promise<StoredProfile> {
    const content = contentOf(table);
    try {
      const { table: read, figures } = await engine.compute(table, limits);
      const stored: StoredProfile = {
        generated_at: this.#services.host.now().toISOString(),
        generation: read.generation,
        content: contentOf(read),
        figures,
      };
      await this.store.write(table, stored, (read.generation ?? 0) - GENERATIONS_KEPT);
      return stored;
    } catch (error) {
      if (limits.signal?.aborted !== true) await this.#recordFailure(table, content, reasonOf(error));
      throw error;
    }
  }

  async #recordFailure(table: AnalyticsTable, content: string, reason: FailureReason): Promise<void> {
    const { host, log } = this.#services;
    const failed_at = host.now().toISOString();
    await this.store.fail(table, { content, failed_at, code: null, ...reason }).catch((error: unknown) => {
      log.warn("the failure of a profile is not recorded", { table: tableId(table), error });
    });
  }
}

/** The outcomes of an update, one for each table. */
class Outcomes {
  readonly #all = new Map<string, ProfileOutcome>();
  readonly #onOutcome: (outcome: ProfileOutcome) => void;

  constructor(onOutcome: (outcome: ProfileOutcome) => void = () => {}) {
    this.#onOutcome = onOutcome;
  }

  get all(): readonly ProfileOutcome[] {
    return [...this.#all.values()];
  }

  add(outcome: ProfileOutcome): void {
    this.#all.set(outcome.table, outcome);
    this.#onOutcome(outcome);
  }

  has(table: string): boolean {
    return this.#all.has(table);
  }
}

/** Returns the elapsed time, in whole milliseconds. */
function stopwatch({ monotonicMs }: Pick<Host, "monotonicMs">): () => number {
  const beganMs = monotonicMs();
  return () => Math.round(monotonicMs() - beganMs);
}

/** Returns the time that is left. */
function countdown({ monotonicMs }: Pick<Host, "monotonicMs">, wholeMs: number): () => number {
  const beganMs = monotonicMs();
  return () => wholeMs - (monotonicMs() - beganMs);
}

function tooLate(table: string): ProfileOutcome {
  const minutes = PROFILE_TIMEOUT_MS / 60_000;
  const reason = `the other profiles of this sync took the ${minutes} minutes for all of them; the next sync computes it`;
  return { table, status: "failed", reason, elapsedMs: 0 };
}

function isDue(table: AnalyticsTable, { profiles, failure }: KeptProfiles): boolean {
  const content = contentOf(table);
  if (profiles.some((profile) => profile.content === content)) return false;
  return failure?.content !== content || failure.code === null || !LASTING.has(failure.code);
}

interface FailureReason {
  readonly reason: string;
  readonly code?: string;
}

/** An error as it is kept with a profile. */
export function reasonOf(error: unknown): FailureReason {
  return { reason: messageOf(error), ...(isAgnesError(error) && { code: error.code }) };
}
