import { AgnesError, type Host, type Log } from "../../base/mod.ts";
import {
  requestedTables,
  Scheduler,
  takeLease,
  type RunTrigger,
  type SchedulerState,
  type SyncOptions,
} from "../../sync/mod.ts";
import { dataPaths } from "../../workspace/mod.ts";
import { healthJob } from "./health-job.ts";
import { logEnded, logRun } from "./log-run.ts";
import { metadataJob } from "./metadata-job.ts";
import type { ServedWorkspace } from "../workspace.ts";

/** A sync that a client requests. */
export interface SyncRequest {
  /** Sources, or tables by id or view name; undefined: all sources. */
  readonly only: readonly string[] | undefined;
  readonly full: boolean;
  readonly trigger: RunTrigger;
  readonly actor: string;
}

/** What began. */
interface Begun {
  readonly sources: readonly string[];
  /** The runs that began at once; those of other sources follow. */
  readonly runs: readonly { readonly id: string; readonly source: string }[];
}

/** A sync that uses sources. */
interface ActiveSync {
  readonly actor: string;
  readonly startedAt: Date;
  /** The ids of its runs that are not over, by source. */
  readonly runs: Map<string, string>;
}

/** The syncs that the server began. One at a time uses a source. */
export class SyncRequests {
  readonly #workspace: ServedWorkspace;
  readonly #host: Host;
  readonly #log: Log;
  #scheduler: Scheduler | null = null;
  readonly #stop = new AbortController();
  readonly #syncs = new Set<Promise<unknown>>();
  /** The sources of the syncs that are not over, also those that wait for their turn. */
  readonly #sources = new Map<string, ActiveSync>();

  constructor(services: { readonly host: Host; readonly log: Log; readonly workspace: ServedWorkspace }) {
    this.#host = services.host;
    this.#log = services.log;
    this.#workspace = services.workspace;
  }

  /** The state of its scheduler. */
  get scheduler(): SchedulerState {
    return this.#scheduler?.state ?? "stopped";
  }

  startScheduler(): void {
    const { workspace } = this.#workspace;
    const { directory, dataDirectory, config } = workspace;
    this.#scheduler ??= new Scheduler({
      host: this.#host,
      log: this.#log,
      directory,
      sources: Object.keys(config.sources),
      sourcesAtOnce: config.limits.sourcesAtOnce,
      tables: () => this.#workspace.tables(),
      state: () => this.#workspace.syncState(),
      jobs: [healthJob(this.#workspace.health), metadataJob(this.#workspace.metadata)],
      failing: () => this.#workspace.health.failing(),
      lease: () => takeLease(this.#host, dataPaths.running(dataDirectory)),
      sync: (source, tables, signal) =>
        this.run(
          {
            only: tables.map((table) => `${source}.${table}`),
            full: false,
            trigger: "schedule",
            actor: "schedule",
          },
          signal,
        ),
    });
  }

  /** Lets another process sync what is due, and waits for the syncs that began. */
  async stopScheduler(): Promise<void> {
    await this.#scheduler?.retire();
    await Promise.allSettled(this.#syncs);
  }

  /**
   * Begins a sync, and resolves when the first of its runs began.
   * @throws `source_unknown`, `table_not_registered`, `source_running`
   */
  async begin(request: SyncRequest): Promise<Begun> {
    const sources = await this.#sourcesOf(request);
    const runs: { readonly id: string; readonly source: string }[] = [];
    await new Promise<void>((resolve, reject) => {
      let hasBegun = false;
      const onRun = (run: { readonly id: string; readonly source: string }) => {
        runs.push(run);
        hasBegun = true;
        resolve();
      };
      this.#run(request, sources, undefined, onRun).then(resolve, (error: unknown) => {
        if (!hasBegun) reject(error as Error);
        else if (!this.#stop.signal.aborted) this.#log.error("a requested sync failed", { sources, error });
      });
    });
    return { sources, runs: [...runs] };
  }

  /** Runs a sync to its end. @throws `source_running`, and the errors of the sync */
  async run(request: SyncRequest, signal: AbortSignal): Promise<void> {
    await this.#run(request, await this.#sourcesOf(request), signal);
  }

  /** Stops all syncs. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#scheduler?.close();
    await Promise.allSettled(this.#syncs);
  }

  /** Resolves what is requested, and checks that no run uses the sources. */
  async #sourcesOf({ only }: SyncRequest): Promise<readonly string[]> {
    const { workspace } = this.#workspace;
    const tables = await this.#workspace.tables();
    const known = Object.keys(workspace.config.sources);
    const requested = await requestedTables(tables, known, only);
    for (const [source, names] of requested) {
      for (const name of names ?? []) await tables.find(`${source}.${name}`);
    }
    const running = await (await this.#workspace.runs()).running();
    const sources = [...requested.keys()];
    for (const source of sources) {
      const run = running.get(source);
      if (run !== undefined)
        throw new AgnesError("source_running", {
          source,
          holder: run.actor,
          runId: run.id,
          startedAt: run.startedAt,
        });
    }
    return sources;
  }

  /** @throws `source_running` for a source of a sync that is not over, also if it waits for its turn */
  #checkFree(sources: readonly string[]): void {
    for (const source of sources) {
      const sync = this.#sources.get(source);
      if (sync === undefined) continue;
      const { actor: holder, runs } = sync;
      const startedAt = sync.startedAt.toISOString();
      const runId = runs.get(source);
      throw new AgnesError(
        "source_running",
        runId === undefined
          ? { source, holder, startedAt, runIds: [...runs.values()] }
          : { source, holder, startedAt, runId },
      );
    }
  }

  async #run(
    { only, full, trigger, actor }: SyncRequest,
    sources: readonly string[],
    signal: AbortSignal | undefined,
    onRun: NonNullable<SyncOptions["onRun"]> = () => {},
  ): Promise<void> {
    const stop = this.#stop.signal;
    this.#checkFree(sources);
    const own: ActiveSync = { actor, startedAt: this.#host.now(), runs: new Map() };
    for (const source of sources) this.#sources.set(source, own);
    const begun = new Set<string>();
    let failure: AgnesError | undefined;
    const sync = this.#workspace
      .sync({
        ...(only !== undefined && { only }),
        full,
        trigger,
        actor,
        signal: signal === undefined ? stop : AbortSignal.any([stop, signal]),
        onRun(run) {
          begun.add(run.source);
          own.runs.set(run.source, run.id);
          onRun(run);
        },
        onSource: (report) => {
          const { source, error } = report;
          if (begun.has(source)) logRun(this.#log, own.runs.get(source), report);
          else failure ??= error;
          this.#sources.delete(source);
          own.runs.delete(source);
        },
      })
      .finally(() => {
        // A source that was over may be in another sync already.
        for (const source of sources) if (this.#sources.get(source) === own) this.#sources.delete(source);
        this.#syncs.delete(sync);
      });
    this.#syncs.add(sync);
    try {
      await sync;
    } catch (error) {
      logEnded(this.#log, own.runs, error);
      throw error;
    }
    if (failure !== undefined) throw failure;
  }
}
