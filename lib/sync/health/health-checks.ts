import { isAgnesError } from "../../base/mod.ts";
import type { Health } from "../../kit/mod.ts";
import { checkHealth, openSource, type SourceServices } from "../../sources/mod.ts";
import type { SourceReport } from "../report.ts";
import { checkSources, failureOf } from "./check-source.ts";
import { failedHealth, type HealthRecords, type HealthResult, type HealthState } from "./health-records.ts";

/** The last known health of a source. */
export interface SourceHealth {
  readonly source: string;
  /** `unknown`: it was never checked, or its plugin has no health check. */
  readonly state: HealthState;
  /** The code of the failure; null unless `failed`. */
  readonly code: string | null;
  /** One sentence, without secrets; null if it was never checked. */
  readonly reason: string | null;
  /** When it entered its state; null if it was never checked. */
  readonly since: Date | null;
  /** The time of the last check, or of the last run that read it; null if there was none. */
  readonly checkedAt: Date | null;
}

/** Checks sources in other processes. */
export type HealthProcess = (request: {
  readonly sources: readonly string[];
  /** The sources whose last check ended or blocked its process; kept from check to check. */
  readonly unruly: Set<string>;
  readonly signal: AbortSignal;
  /** Takes the results of each process. */
  readonly onResults: (results: readonly HealthResult[]) => Promise<void>;
}) => Promise<void>;

/** The health of the sources of a workspace: checking it, and what is known of it. */
export class HealthChecks {
  readonly #services: SourceServices;
  readonly #records: () => Promise<HealthRecords>;
  readonly #process: HealthProcess | null;
  /** The sources whose last check ended or blocked its process. */
  readonly #unruly = new Set<string>();

  /** @param process where `check` runs; null: in this process */
  constructor(
    services: SourceServices,
    records: () => Promise<HealthRecords>,
    process: HealthProcess | null,
  ) {
    this.#services = services;
    this.#records = records;
    this.#process = process;
  }

  /** The last known health of each configured source, in the order of `agnes.yaml`. No source is called. */
  async last(): Promise<readonly SourceHealth[]> {
    const known = await (await this.#records()).all();
    return this.#sources().map((source) => {
      const record = known.get(source);
      if (record === undefined)
        return { source, state: "unknown", code: null, reason: null, since: null, checkedAt: null };
      return { ...record, since: new Date(record.since), checkedAt: new Date(record.checkedAt) };
    });
  }

  /** The sources whose last check failed a short time ago. */
  async failing(): Promise<ReadonlySet<string>> {
    return (await this.#records()).failing();
  }

  /**
   * Checks all configured sources, several at once, and keeps the results.
   * @throws `aborted`, `internal` if a process cannot begin, and errors of the catalog
   */
  async check(signal: AbortSignal): Promise<void> {
    const records = await this.#records();
    const sources = this.#sources();
    const onResults = (results: readonly HealthResult[]) => records.record(results);
    if (this.#process !== null) return this.#process({ sources, unruly: this.#unruly, signal, onResults });
    await checkSources(this.#services, sources, { signal, onResult: (result) => onResults([result]) });
  }

  /**
   * Checks one source, also by listing its tables if its plugin has no health check, and keeps the result.
   * @throws `aborted`, `source_unknown`, and the errors of connecting, which are kept too
   */
  async checkOne(source: string, signal: AbortSignal | undefined): Promise<Health> {
    try {
      await using handle = await openSource(this.#services, source, signal);
      const health = await checkHealth(handle, { ...(signal && { signal }) });
      const failure = failureOf(source, health);
      const { message } = health;
      const kept =
        failure === null
          ? ({ source, state: "ok", code: null, reason: message } as const)
          : failedHealth(source, failure);
      await this.#keep(kept);
      return isAgnesError(health) ? { ok: false, message: kept.reason ?? message } : health;
    } catch (error) {
      if (signal?.aborted !== true && this.#sources().includes(source))
        await this.#keep(failedHealth(source, error));
      throw error;
    }
  }

  /** Keeps the result of a check. The caller has the result too, so a failure to keep it is a warning. */
  async #keep(result: HealthResult): Promise<void> {
    try {
      await (await this.#records()).record([result]);
    } catch (error) {
      this.#services.log.warn("the health of a source was not recorded", { source: result.source, error });
    }
  }

  /** Keeps what a run showed of its source. A failure is a warning, because the run has its own record. */
  async recordRun(report: SourceReport): Promise<void> {
    try {
      await (await this.#records()).recordRun(report);
    } catch (error) {
      this.#services.log.warn("the health of a source was not recorded", { source: report.source, error });
    }
  }

  #sources(): readonly string[] {
    return Object.keys(this.#services.workspace.config.sources);
  }
}
