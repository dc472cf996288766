import { join } from "node:path";

import { AgnesError, isAgnesError, messageOf, randomName, type Host, type Log } from "../../base/mod.ts";
import { openCatalog, type Catalog, type CatalogStorage } from "../../catalog/mod.ts";
import { acquireLock } from "../../duckdb/mod.ts";
import type { ExtractProgress } from "../../extract/mod.ts";
import { Records } from "../records.ts";
import type { SourceReport } from "../report.ts";
import { LiveRun, readProgress } from "./live-run.ts";
import { resultOf, runError } from "./result.ts";
import { withSkips } from "./skips.ts";
import type { Run, RunTrigger, RunWithProgress } from "./types.ts";

/** The runs that are kept; older ones are forgotten. */
const RUNS_MAX = 1000;
const KEPT_ENTRIES = 1024;

/** How often, and after which time, the lock of a source is tried again. */
const ATTEMPTS = 4;
const RETRY_MS = 25;

interface Services {
  readonly host: Host;
  readonly log: Log;
}

/** The request of a run. */
export interface RunRequest extends Pick<Run, "source" | "actor" | "full" | "requested"> {
  readonly trigger: RunTrigger;
}

/** Which runs to list. */
export interface RunsOptions {
  /** Default: all sources. */
  readonly source?: string;
  /** Default: 50. */
  readonly limit?: number;
}

/** A run of this process that is not over. */
export interface ActiveRun {
  readonly id: string;
  readonly startedAt: Date;
  update(progress: ExtractProgress): void;
  /** Keeps the result, and lets the next run of the source begin. */
  end(report: SourceReport): Promise<void>;
  /** Keeps why it was stopped, and lets the next run of the source begin. */
  stop(error: unknown): Promise<void>;
}

/** The runs of a workspace; see `Agnes.runs`. */
export interface RunHistory {
  /** Lists runs, the newest first. */
  list(options?: RunsOptions): Promise<readonly RunWithProgress[]>;
  /** @throws `run_unknown` */
  get(id: string): Promise<RunWithProgress>;
  /** The runs that are not over, by source. */
  running(): Promise<ReadonlyMap<string, RunWithProgress>>;
}

/** The runs of all sources: those that are not over, and the last thousand. One run at a time uses a source. */
export class Runs extends Records<Run> implements RunHistory {
  readonly #services: Services;
  readonly #directory: string;
  readonly #live = new Map<string, LiveRun>();

  private constructor(catalog: Catalog<Run>, services: Services, directory: string) {
    super(catalog);
    this.#services = services;
    this.#directory = directory;
  }

  /** @param options.directory the folder with the locks and the progress of runs that are not over */
  static async open(options: {
    readonly storage: CatalogStorage;
    readonly directory: string;
    readonly host: Host;
    readonly log: Log;
  }): Promise<Runs> {
    const { storage, host, log, directory } = options;
    const keys = { rowKey: "id", indexKeys: ["source", "status"], keepEntries: KEPT_ENTRIES };
    const catalog = await openCatalog<Run>({ name: "runs", ...keys, storage, host, log });
    return new Runs(catalog, { host, log }, directory);
  }

  /** Begins a run, unless another one uses the source. @throws `source_running` */
  async begin(request: RunRequest): Promise<ActiveRun> {
    const { host, log } = this.#services;
    const lock = await this.#lock(request.source);
    try {
      const startedAt = host.now();
      const run = await this.#add({ ...request, startedAt: startedAt.toISOString(), ...NO_RESULT });
      const live = new LiveRun({ host, log }, this.#directory, run);
      this.#live.set(run.id, live);
      // Whatever the result is, the source must be free again.
      const over = async (result: () => Partial<Run>) => {
        try {
          await this.#recordEnd({ ...run, ...result(), endedAt: host.now().toISOString() });
        } catch (error) {
          log.warn("the result of a run was not recorded", { run: run.id, error });
        }
        await live.end();
        this.#live.delete(run.id);
        await lock[Symbol.asyncDispose]();
      };
      return {
        id: run.id,
        startedAt,
        update: (progress) => live.update(progress),
        end: (report) => over(() => resultOf(report)),
        stop: (error) =>
          over(() => ({
            status: isAgnesError(error, "aborted") ? "stopped" : "failed",
            error: runError(error),
          })),
      };
    } catch (error) {
      await lock[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Records that queries do not return the new rows of runs yet. Never throws. */
  async warn(ids: readonly string[], error: unknown): Promise<void> {
    const warning = runError(new AgnesError("analytics_outdated", { reason: messageOf(error) }));
    try {
      await this.catalog.transact(async (view) => {
        const runs = await Promise.all(ids.map((id) => view.get(id)));
        return runs.flatMap((run) =>
          run === null ? [] : [{ kind: "put", record: { ...run.record, warning } } as const],
        );
      });
    } catch (cause) {
      this.#services.log.warn("the warning of a run was not recorded", { runs: ids, error: cause });
    }
  }

  async list({ source, limit = 50 }: RunsOptions = {}): Promise<readonly RunWithProgress[]> {
    const found = await this.catalog.query(source === undefined ? {} : { source });
    const newest = found.slice(-limit).reverse();
    return Promise.all(newest.map(({ record }) => this.#withProgress(record)));
  }

  async get(id: string): Promise<RunWithProgress> {
    const found = await this.catalog.get(id);
    if (found === null) throw new AgnesError("run_unknown", { id });
    return this.#withProgress(found.record);
  }

  async running(): Promise<ReadonlyMap<string, RunWithProgress>> {
    const found = await this.catalog.query({ status: "running" });
    const runs = await Promise.all(found.map(({ record }) => this.#withProgress(record)));
    return new Map(runs.filter(({ status }) => status === "running").map((run) => [run.source, run]));
  }

  async #lock(source: string): Promise<AsyncDisposable> {
    const { files } = this.#services.host;
    await files.makeDirectory(this.#directory);
    try {
      return await this.#acquire(source);
    } catch (error) {
      if (!isAgnesError(error, "locked")) throw error;
      // The newest one: earlier ones were lost, because this one has the lock.
      const running = await this.catalog.query({ source, status: "running" });
      const run = running.at(-1)?.record;
      const { holder } = error.details;
      throw new AgnesError(
        "source_running",
        run === undefined ? { source, holder } : { source, holder, runId: run.id, startedAt: run.startedAt },
        { cause: error },
      );
    }
  }

  /** Acquires the lock of a source. Who only looks whether a run is alive has it for a moment. */
  async #acquire(source: string): Promise<AsyncDisposable> {
    const { host } = this.#services;
    for (let attempt = 1; ; attempt++) {
      try {
        return await acquireLock(host.files, this.#lockPath(source), `source ${source}`);
      } catch (error) {
        if (!isAgnesError(error, "locked") || attempt === ATTEMPTS) throw error;
        await host.sleep(RETRY_MS);
      }
    }
  }

  #lockPath(source: string): string {
    return join(this.#directory, `${source}.lock`);
  }

  /**
   * Whether a run uses a source. The operating system releases the lock of a process that was killed. The number of a
   * process, or the name of its machine, would show nothing: in containers, the next process has the same number.
   */
  async #isLocked(source: string): Promise<boolean> {
    try {
      await (
        await acquireLock(this.#services.host.files, this.#lockPath(source), `source ${source}`)
      )[Symbol.asyncDispose]();
      return false;
    } catch (error) {
      if (isAgnesError(error, "locked")) return true;
      throw error;
    }
  }

  /**
   * Records a new run, with an id after the last one, also if the clock was set back. The caller has the lock of the source,
   * so earlier runs that did not end are lost.
   */
  async #add(begun: Omit<Run, "id">): Promise<Run> {
    let run!: Run;
    await this.catalog.transact(async (view) => {
      const all = (await view.query({})).map(({ record }) => record);
      run = { ...begun, id: idAfter(all.at(-1)?.id, begun.startedAt, this.#services.host) };
      const forgotten = new Set(all.slice(0, Math.max(0, all.length + 1 - RUNS_MAX)).map(({ id }) => id));
      const lost = all.filter(
        ({ id, source, status }) => source === run.source && status === "running" && !forgotten.has(id),
      );
      return [
        ...[...forgotten].map((rowKey) => ({ kind: "delete", rowKey }) as const),
        ...lost.map((other) => ({ kind: "put", record: { ...other, status: "lost" } }) as const),
        { kind: "put", record: run },
      ];
    });
    return run;
  }

  /** Records the result of a run. A run that is skipped again replaces the one before it. */
  async #recordEnd(ended: Run): Promise<void> {
    await this.catalog.transact(async (view) => {
      const known = (await view.query({ source: ended.source })).map(({ record }) => record);
      const { run, replaced } = withSkips(ended, known.filter(({ id }) => id !== ended.id).at(-1));
      const put = { kind: "put", record: run } as const;
      return replaced === null ? [put] : [{ kind: "delete", rowKey: replaced }, put];
    });
  }

  async #withProgress(stored: Run): Promise<RunWithProgress> {
    const run = complete(stored);
    if (run.status !== "running") return { ...run, progress: [] };
    const own = this.#live.get(run.id);
    if (own !== undefined) return { ...run, progress: own.progress };
    if (await this.#isLocked(run.source))
      return { ...run, progress: await readProgress(this.#services.host, this.#directory, run) };
    // It may have ended in the meantime.
    const now = (await this.catalog.get(run.id))?.record ?? run;
    return { ...now, status: now.status === "running" ? "lost" : now.status, progress: [] };
  }
}

/** Runs of earlier versions have not all fields. */
function complete(run: Omit<Run, "skips" | "warning"> & Partial<Run>): Run {
  return { ...run, skips: run.skips ?? null, warning: run.warning ?? null };
}

const NO_RESULT = {
  endedAt: null,
  status: "running",
  generation: null,
  published: false,
  counts: { extracted: 0, unchanged: 0, failed: 0 },
  tables: [],
  error: null,
  skips: null,
  warning: null,
} as const;

/** Milliseconds in base 36 have eight digits until the year 2059; nine keep ids sorted beyond it. */
const TIME_LENGTH = 9;

function idAfter(last: string | undefined, startedAt: string, host: Host): string {
  const lastMs = last === undefined ? 0 : Number.parseInt(last.slice(0, TIME_LENGTH), 36);
  const timeMs = Math.max(Date.parse(startedAt), lastMs + 1);
  return `${timeMs.toString(36).padStart(TIME_LENGTH, "0")}${randomName(host, 6)}`;
}
