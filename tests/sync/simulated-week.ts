import { AgnesError, silentLog, type Host } from "../../lib/base/mod.ts";
import { seededRandom } from "../../lib/testing/fakes/fake-host.ts";
import { Scheduler } from "../../lib/sync/mod.ts";
import type { TableSyncState } from "../../lib/sync/sync-state.ts";
import { nextDue, parseSchedule, type RegisteredTable } from "../../lib/tables/mod.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const WEEK_MS = 7 * 24 * HOUR_MS;
/** The clocks of the simulation are looked at this often. */
const STEP_MS = 5 * MINUTE_MS;
/** After more failures in a row, the waits alone would make a table later than `weekProblems` allows. */
const FAILURES_MAX = 7;
const START_MS = Date.parse("2026-03-02T00:00:00Z");

/** A successful sync of a table. */
export interface SimulatedSync {
  readonly table: string;
  /** By the monotonic clock, since the start of the week. */
  readonly atMs: number;
  /** By the wall clock. */
  readonly wallMs: number;
}

/** What a week of schedulers did. */
export interface SimulatedWeek {
  readonly tables: readonly Pick<RegisteredTable, "id" | "syncSchedule">[];
  readonly syncs: readonly SimulatedSync[];
  /** Steps of the wall clock against the monotonic one. */
  readonly jumps: readonly { readonly atMs: number; readonly stepMs: number }[];
  /** The wall clock at the end. */
  readonly endMs: number;
  readonly failures: number;
  readonly kills: number;
  readonly takeovers: number;
}

const SCHEDULES = ["every 30m", "every 6h", "daily 05:00,17:00", "0 */3 * * *", "30 4 * * 1,4"];

/**
 * Lets two processes schedule one workspace for a week: syncs take time and fail, processes are killed and started again,
 * and the wall clock jumps. The last twelve hours are calm.
 */
export async function simulateWeek(seed: number): Promise<SimulatedWeek> {
  const random = seededRandom(seed);
  const tables = Array.from({ length: 6 }, (_, at) => ({
    id: `s${at % 3}.t${at}`,
    source: `s${at % 3}`,
    name: `t${at}`,
    queryMode: "local",
    syncSchedule: SCHEDULES[Math.floor(random() * SCHEDULES.length)]!,
    registeredAt: new Date(START_MS).toISOString(),
  })) as unknown as readonly RegisteredTable[];
  const states = new Map<string, TableSyncState>();
  const syncs: SimulatedSync[] = [];
  const jumps: { atMs: number; stepMs: number }[] = [];
  const sleepers = new Set<{ readonly atMs: number; wake(): void }>();
  const using = new Set<string>();
  let [atMs, wallStepMs, failures, kills, takeovers] = [0, 0, 0, 0, 0];
  let leaseOf: object | null = null;
  const now = () => new Date(START_MS + atMs + wallStepMs);
  const isCalm = () => atMs > WEEK_MS - 12 * HOUR_MS;
  const sleep = (durationMs: number, signal?: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      const sleeper = { atMs: atMs + durationMs, wake: resolve };
      sleepers.add(sleeper);
      signal?.addEventListener("abort", () => {
        if (sleepers.delete(sleeper)) reject(new AgnesError("aborted", { what: "waiting" }));
      });
    });

  /** Starts a process that is alive until it is killed. */
  function start() {
    const process = { isAlive: true, sources: new Set<string>() };
    /** Nothing goes on in a killed process. */
    const alive = async <T>(value: T): Promise<T> => (process.isAlive ? value : new Promise<T>(() => {}));
    const host = { now, monotonicMs: () => atMs, sleep } as unknown as Host;
    const sync = async (source: string, names: readonly string[]) => {
      if (using.has(source)) throw new AgnesError("source_running", { source, holder: "a process" });
      using.add(source);
      process.sources.add(source);
      const [startMs, startedAt] = [atMs, now()];
      await sleep((1 + random() * 40) * MINUTE_MS);
      if (!process.isAlive) return alive(undefined);
      for (const name of names) {
        const id = `${source}.${name}`;
        const last = states.get(id);
        const failuresBefore = last?.failures ?? 0;
        const isFailed = !isCalm() && failuresBefore < FAILURES_MAX && random() < 0.2;
        if (isFailed) failures += 1;
        else syncs.push({ table: id, atMs: startMs, wallMs: startedAt.getTime() });
        states.set(id, {
          succeededAt: isFailed ? (last?.succeededAt ?? null) : startedAt,
          attemptedAt: startedAt,
          recordedAt: now(),
          runId: "r",
          failures: isFailed ? failuresBefore + 1 : 0,
          error: null,
        });
      }
      process.sources.delete(source);
      using.delete(source);
      return undefined;
    };
    const scheduler = new Scheduler({
      host,
      log: silentLog,
      directory: "/workspace",
      sources: ["s0", "s1", "s2"],
      sourcesAtOnce: 2,
      tables: () => alive({ list: async () => alive(tables) }),
      state: () =>
        alive({
          ofRegistered: async (source) =>
            alive(
              new Map(
                tables
                  .filter((table) => table.source === source && states.has(table.id))
                  .map((table) => [table.name, states.get(table.id)!]),
              ),
            ),
        }),
      lease: async () => {
        if (!process.isAlive || leaseOf !== null) return alive(null);
        leaseOf = process;
        takeovers += 1;
        return { [Symbol.asyncDispose]: async () => void (leaseOf = null) };
      },
      sync,
    });
    return {
      scheduler,
      kill() {
        process.isAlive = false;
        if (leaseOf === process) leaseOf = null;
        for (const source of process.sources) using.delete(source);
      },
    };
  }

  const running = [start(), start()];
  const settle = async () => {
    for (let turn = 0; turn < 6; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  while (atMs < WEEK_MS) {
    await settle();
    atMs += STEP_MS;
    if (!isCalm() && random() < 0.006) {
      const stepMs = Math.round((random() - 0.5) * 6 * HOUR_MS);
      jumps.push({ atMs, stepMs });
      wallStepMs += stepMs;
    }
    if (!isCalm() && random() < 0.01) {
      const at = Math.floor(random() * running.length);
      running[at]!.kill();
      running[at] = start();
      kills += 1;
    }
    for (const sleeper of sleepers) {
      if (sleeper.atMs > atMs) continue;
      sleepers.delete(sleeper);
      sleeper.wake();
    }
  }
  await settle();
  const closing = Promise.all(running.map(({ scheduler }) => scheduler.close()));
  // Syncs that have begun end.
  for (let step = 0; step < 20; step++) {
    atMs += STEP_MS;
    for (const sleeper of sleepers) sleeper.wake();
    sleepers.clear();
    await settle();
  }
  await closing;
  return {
    tables,
    syncs,

    jumps,
    endMs: START_MS + WEEK_MS + wallStepMs,
    failures,
    kills,
    takeovers,
  };
}

/** What is wrong with a week: slots that were lost, or that ran twice. */
export function weekProblems(week: SimulatedWeek): readonly string[] {
  const problems: string[] = [];
  for (const { id, syncSchedule } of week.tables) {
    const schedule = parseSchedule(syncSchedule!);
    const own = week.syncs.filter(({ table }) => table === id).sort((a, b) => a.atMs - b.atMs);
    for (const [at, sync] of own.entries()) {
      const before = own[at - 1];
      if (before === undefined) continue;
      const due = nextDue(schedule, new Date(before.wallMs), new Date(sync.wallMs));
      const forwardMs = week.jumps
        .filter((jump) => jump.stepMs > 0 && jump.atMs > before.atMs && jump.atMs <= sync.atMs)
        .reduce((sum, jump) => sum + jump.stepMs, 0);
      if (sync.wallMs > due.getTime() + 6 * HOUR_MS + forwardMs)
        problems.push(`${id} was late: due at ${time(due.getTime())}, synced at ${time(sync.wallMs)}`);
      if (sync.wallMs < due.getTime())
        problems.push(`${id} ran twice: at ${time(before.wallMs)} and ${time(sync.wallMs)}`);
    }
    const last = own.at(-1);
    if (last === undefined) problems.push(`${id} never ran`);
    // In the calm hours: the backoff of an hour, the sync of another source, and the looks at the clock.
    else if (
      nextDue(schedule, new Date(last.wallMs), new Date(week.endMs)).getTime() <
      week.endMs - 3 * HOUR_MS
    )
      problems.push(`${id} lost a slot after ${time(last.wallMs)}`);
  }
  return problems;
}

const time = (ms: number): string => new Date(ms).toISOString();
