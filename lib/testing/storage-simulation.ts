import { createHost, isAgnesError, type Host } from "../base/mod.ts";
import { openCatalog, type Catalog, type CatalogStorage } from "../catalog/mod.ts";
import { seededRandom } from "./fakes/fake-host.ts";
import { checkOutcome, type Attempt, type Item, type Sighting } from "./storage-check.ts";
import { VirtualClock } from "./storage-clock.ts";
import { faultyStorage, type StorageFault } from "./storage-faults.ts";

/** Options of a simulation. */
export interface StorageSimulation {
  /** The seed of all choices: the same seed repeats a run, except with `realTime`. */
  readonly seed: number;
  /** Opens a storage on the same, initially empty, data each time, like another process. */
  readonly open: () => CatalogStorage;
  /** The name of the catalog. Default: `simulated`. */
  readonly catalog?: string;
  /** The number of concurrent processes. Default: 4. */
  readonly processes?: number;
  /** The number of steps of each process. Default: 10. */
  readonly steps?: number;
  /** The share of calls that fail. Default: 0.12. */
  readonly faultRate?: number;
  /** Whether to use real time, for storages outside the process. Default: `false`. */
  readonly realTime?: boolean;
  /** Called when the faults end, for a storage with its own faults. */
  readonly onCalm?: () => void;
}

/** Statistics of a simulation, to check that many runs cover all faults. */
export interface SimulationReport {
  /** The number of injected faults by kind. */
  readonly faults: Readonly<Record<StorageFault, number>>;
  /** The number of processes stopped during a step. */
  readonly stopped: number;
  /** The number of times that a new process replaced a stopped one and opened the catalog again. */
  readonly reopened: number;
  /** The number of writes by reported outcome. */
  readonly writes: Readonly<Record<"acknowledged" | "refused" | "unknown", number>>;
}

const KEYS = ["a", "b", "B", "c/d", "é", "f"];
const COLOURS = ["red", "Red", "blue"];
const FAULTS: readonly StorageFault[] = ["fails before", "fails after", "never answers", "answers late"];

/**
 * Simulates several processes that write and read one catalog while calls fail and processes stop at any point. Then
 * checks that the log contains every acknowledged change exactly once and in order and no rejected change, that
 * versions have no gaps and that every index matches the log. Deterministic for each seed. Returns statistics.
 *
 * @throws Error with the seed and the failed check
 * @example
 * ```ts
 * import { memoryStorage } from "agnes/catalog";
 * import { simulateStorage } from "agnes/testing";
 * const storage = memoryStorage();
 * await simulateStorage({ seed: 1, open: () => storage });
 * ```
 */
export async function simulateStorage(simulation: StorageSimulation): Promise<SimulationReport> {
  const clock = new VirtualClock();
  const random = seededRandom(simulation.seed);
  const host = simulation.realTime === true ? { ...createHost(), random } : clock.host(random);
  const work = new Run(simulation, host, random).all();
  try {
    return await (simulation.realTime === true ? work : clock.run(work));
  } catch (error) {
    throw new Error(`seed ${simulation.seed}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

type SimulatedHost = Pick<Host, "now" | "monotonicMs" | "random" | "sleep" | "env" | "userName">;

class Run {
  readonly #simulation: StorageSimulation;
  readonly #host: SimulatedHost;
  readonly #random: () => number;
  readonly #attempts: Attempt[] = [];
  readonly #sightings: Sighting[] = [];
  readonly #survivors: Catalog<Item>[] = [];
  readonly #faults = { "fails before": 0, "fails after": 0, "never answers": 0, "answers late": 0 };
  #stopped = 0;
  #reopened = 0;
  /** The newest entry that was reported to any process. */
  #acknowledged = 0;
  #calm = false;
  /** The factor by which calls may take longer. */
  #slowdown = 1;

  constructor(simulation: StorageSimulation, host: SimulatedHost, random: () => number) {
    this.#simulation = simulation;
    const sleep: Host["sleep"] = (durationMs, signal) => host.sleep(durationMs * this.#slowdown, signal);
    this.#host = simulation.realTime === true ? { ...host, sleep } : host;
    this.#random = random;
  }

  async all(): Promise<SimulationReport> {
    const { processes = 4 } = this.#simulation;
    await Promise.all(Array.from({ length: processes }, (_, process) => this.#process(process)));
    this.#calm = true;
    this.#simulation.onCalm?.();
    // Pending requests arrive now.
    await this.#host.sleep(this.#lateMs * 3);
    // From here on, a late response is caused by a busy machine.
    this.#slowdown = 10;
    await using last = await this.#open(() => true);
    const catalogs = [last, ...this.#survivors];
    // Without faults, no write may be rejected.
    await Promise.all(catalogs.map((catalog, at) => this.#insertCalmly(catalog, `calm-${at}`)));
    for (const catalog of catalogs) await catalog.recover();
    await checkOutcome(catalogs, { keys: KEYS, colours: COLOURS }, this.#attempts, this.#sightings);
    await last.rebuildIndexes();
    await checkOutcome([last], { keys: KEYS, colours: COLOURS }, this.#attempts, []);
    for (const catalog of this.#survivors) await catalog.close();
    const writes = { acknowledged: 0, refused: 0, unknown: 0 };
    for (const { outcome } of this.#attempts) writes[outcome] += 1;
    return { faults: this.#faults, stopped: this.#stopped, reopened: this.#reopened, writes };
  }

  async #insertCalmly(catalog: Catalog<Item>, op: string): Promise<void> {
    const item = { id: "f", colour: "red", size: 0, op };
    const { version } = await catalog.insert(item, { actor: op });
    this.#attempts.push({ op, outcome: "acknowledged", sequence: version });
  }

  get #callTimeoutMs(): number {
    return this.#simulation.realTime === true ? 150 : 100;
  }

  get #lateMs(): number {
    return this.#callTimeoutMs * 1.5;
  }

  #open(alive: () => boolean): Promise<Catalog<Item>> {
    const { faultRate = 0.12, realTime = false } = this.#simulation;
    // Some processes are disconnected for longer than all retries, so that the outcome is unknown to writers.
    const cutOffAtMs =
      !realTime && this.#random() < 0.1 ? this.#host.monotonicMs() + this.#random() * 200 : Infinity;
    const isCutOff = () => {
      const sinceMs = this.#host.monotonicMs() - cutOffAtMs;
      return sinceMs >= 0 && sinceMs < this.#callTimeoutMs * 30;
    };
    const storage = faultyStorage(this.#simulation.open(), {
      next: () => {
        if (this.#calm || (this.#random() >= faultRate && !isCutOff())) return undefined;
        const fault = this.#pick(FAULTS);
        this.#faults[fault] += 1;
        return fault;
      },
      delayMs: () => (realTime ? 0 : this.#random() * 5),
      lateMs: this.#lateMs,
      alive,
      host: this.#host,
    });
    return openCatalog<Item>({
      storage,
      name: this.#simulation.catalog ?? "simulated",
      rowKey: "id",
      indexKeys: ["colour", "size"],
      host: this.#host,
      callTimeoutMs: this.#callTimeoutMs,
      // In real time, a busy machine may take seconds for a few attempts.
      retryBudgetMs: this.#callTimeoutMs * (realTime ? 100 : 20),
    });
  }

  /** Runs processes in sequence: when one dies, the next opens the catalog again. */
  async #process(process: number): Promise<void> {
    const { steps = 10 } = this.#simulation;
    let step = 0;
    let stopped = false;
    while (step < steps) {
      const life = { alive: true };
      const catalog = await this.#open(() => life.alive).catch(passing);
      // Opening may fail under faults, but must not change anything.
      if (catalog === undefined) {
        step += 1;
        continue;
      }
      if (stopped) this.#reopened += 1;
      stopped = false;
      const dies = this.#random() < 0.5;
      const end = dies ? Math.min(steps, step + 1 + Math.floor(this.#random() * 4)) : steps;
      let acknowledged = 0;
      for (; step < end; step++) {
        const op = `${process}-${step}`;
        const doing = this.#step(catalog, op, acknowledged);
        if (dies && step === end - 1) {
          // Killed during this step; its outcome is unknown.
          const death = this.#host.sleep(this.#random() * 30).then(() => undefined);
          await Promise.race([doing, death]);
          life.alive = false;
          stopped = true;
          this.#stopped += 1;
        } else acknowledged = Math.max(acknowledged, (await doing) ?? 0);
      }
      if (!dies) this.#survivors.push(catalog);
    }
  }

  async #step(catalog: Catalog<Item>, op: string, acknowledged: number): Promise<number | undefined> {
    const kind = this.#random();
    const key = this.#pick(KEYS);
    if (kind < 0.25) {
      await this.#read(catalog, key, kind < 0.12, acknowledged).catch(passing);
      return undefined;
    }
    if (kind < 0.31) {
      await (kind < 0.28 ? catalog.rebuildIndexes() : catalog.recover()).catch(passing);
      return undefined;
    }
    const attempt: Attempt = { op, outcome: "unknown" };
    this.#attempts.push(attempt);
    const since = this.#acknowledged;
    try {
      const sequence = await this.#write(catalog, attempt, key, kind);
      attempt.outcome = sequence === undefined ? "refused" : "acknowledged";
      if (sequence !== undefined) attempt.sequence = sequence;
      // A delete by key without a record must have been decided on the newest state.
      else if (isDeleteByKey(kind)) this.#sightings.push({ key, version: 0, since });
      this.#acknowledged = Math.max(this.#acknowledged, sequence ?? 0);
      return sequence;
    } catch (error) {
      if (isAgnesError(error, "catalog_conflict")) {
        this.#sightings.push({ key, version: error.details.actualVersion, since });
      }
      attempt.outcome = isAgnesError(error, "catalog_outcome_unknown") ? "unknown" : "refused";
      if (!isAgnesError(error)) throw error;
      return undefined;
    }
  }

  async #read(catalog: Catalog<Item>, key: string, isLookup: boolean, since: number): Promise<void> {
    if (isLookup) {
      const versions = new Map((await catalog.query({})).map(({ record, version }) => [record.id, version]));
      for (const each of KEYS) this.#sightings.push({ key: each, version: versions.get(each) ?? 0, since });
    } else {
      const found = await catalog.get(key);
      this.#sightings.push({ key, version: found?.version ?? 0, since });
    }
  }

  /** The written sequence number, or `undefined` if there was nothing to write. */
  async #write(
    catalog: Catalog<Item>,
    attempt: Attempt,
    key: string,
    kind: number,
  ): Promise<number | undefined> {
    const { op } = attempt;
    const options = { actor: op };
    const item = (id: string): Item => ({
      id,
      colour: this.#pick(COLOURS),
      size: Math.floor(this.#random() * 2),
      op,
    });
    if (kind < 0.55) return (await catalog.insert(item(key), options)).version;
    if (kind < 0.65) {
      const expectedVersion = (await catalog.get(key))?.version ?? 0;
      attempt.expected = { key, version: expectedVersion };
      return (await catalog.insert(item(key), { ...options, expectedVersion })).version;
    }
    const commit =
      kind < 0.75
        ? await catalog.insertMany([item("a"), item("b"), item(key)], options)
        : isDeleteByKey(kind)
          ? await catalog.delete(key, options)
          : kind < 0.9
            ? await catalog.delete({ colour: this.#pick(COLOURS) }, options)
            : await catalog.transact(async (view) => {
                const size = ((await view.get("f"))?.record.size ?? 0) + 1;
                return [{ kind: "put", record: { ...item("f"), size, op: `count ${op}` } }];
              }, options);
    return commit.changes.length > 0 ? commit.sequence : undefined;
  }

  #pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random() * items.length)]!;
  }
}

function isDeleteByKey(kind: number): boolean {
  return kind >= 0.75 && kind < 0.85;
}

function passing(error: unknown): undefined {
  if (isAgnesError(error, "catalog_unavailable") || isAgnesError(error, "timed_out")) return undefined;
  throw error;
}
