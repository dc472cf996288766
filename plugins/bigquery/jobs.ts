import type { ConnectContext, ReadOptions } from "agnes/kit";
import * as v from "valibot";

import { Rejection, type BigQueryApi } from "./api.ts";
import { DailyBytes } from "./daily-bytes.ts";
import type { Datasets } from "./datasets.ts";
import { checkBytes, checkStatement, dryRunOf, priceOf, type DryRun } from "./estimate.ts";
import { failureOf, isPassing } from "./failures.ts";
import { jobReport } from "./job-report.ts";
import { jobLabels } from "./labels.ts";
import type { TablePath } from "./names.ts";
import type { NamedParameter } from "./parameters.ts";
import { resultOf, type QueryResult } from "./results.ts";
import { jobSchema, type Job } from "./schemas.ts";
import type { Settings } from "./settings.ts";
import { zeroProblem } from "./zero-estimate.ts";

/** What a query of metadata bills. */
const METADATA_BYTES = 10 * 1024 ** 2;
const JOBS_MAX = 4;
const RETRY_PAUSE_MS = 2_000;
const POLL_PAUSE_MS = 200;
const POLL_PAUSE_MAX_MS = 5_000;
/** The longest time that BigQuery runs a query. */
const TIMEOUT_MS = 6 * 60 * 60_000;
const CANCEL_TIMEOUT_MS = 5_000;

/** A query to run. */
export interface QueryRequest {
  readonly sql: string;
  readonly parameters: readonly NamedParameter[];
  /** Where its tables are. Default: as BigQuery determines it. */
  readonly location?: string | undefined;
  readonly limitBytes: number;
  /** Whether it reads metadata, whose bytes a dry run does not estimate. Then only BigQuery stops it at the limit. Default: false. */
  readonly isMetadata?: boolean | undefined;
  readonly timeoutMs?: number | undefined;
  /** For whom it runs; see `SourceQueryOptions.user`. */
  readonly user?: string | undefined;
  /** What is queried, for errors: `table sales.orders`. */
  readonly what: string;
  readonly signal: AbortSignal;
  /** Called while the job runs. */
  readonly onProgress?: ReadOptions["onProgress"] | undefined;
  /** Receives each job. */
  readonly onJob: ReadOptions["onJob"] | undefined;
}

/** A query to estimate. */
type DryRunRequest = Omit<QueryRequest, "limitBytes" | "onJob">;

/** A finished job. */
interface FinishedJob {
  readonly id: string;
  readonly location: string | undefined;
  readonly startedMs: number | undefined;
  readonly billedBytes: number | undefined;
  readonly destination: TablePath | undefined;
}

type Services = Pick<ConnectContext<unknown, never>, "source" | "log" | "sleep" | "now">;

/** The query jobs of a source, in its billing project. */
export class Jobs {
  readonly #api: BigQueryApi;
  readonly #settings: Settings;
  readonly #datasets: Datasets;
  readonly #services: Services;
  readonly #daily: DailyBytes;
  readonly #path: string;

  constructor(api: BigQueryApi, settings: Settings, datasets: Datasets, services: Services) {
    this.#api = api;
    this.#settings = settings;
    this.#datasets = datasets;
    this.#services = services;
    this.#daily = new DailyBytes(api, settings, services);
    this.#path = `/projects/${encodeURIComponent(settings.billingProject)}`;
  }

  /**
   * Checks a query without running it, which is free.
   * @throws `bigquery/statement_refused`, `bigquery/query_invalid` and others of `failureOf`
   */
  async dryRun(request: DryRunRequest): Promise<DryRun> {
    const dryRun = await this.#dryRun(request);
    if (dryRun.scannedBytes !== 0) return dryRun;
    const { sql, signal, location = dryRun.location } = request;
    const unknown = await zeroProblem(dryRun, sql, {
      datasets: this.#datasets,
      estimate: (other) => this.#dryRun({ ...request, sql: other, parameters: [], location }),
      signal,
    });
    return unknown === undefined ? dryRun : { ...dryRun, scannedBytes: undefined, unknown };
  }

  async #dryRun(request: DryRunRequest): Promise<DryRun> {
    const { signal, what, location } = request;
    const json = {
      jobReference: this.#reference(location),
      configuration: { dryRun: true, ...this.#configuration(request) },
    };
    try {
      const dryRun = dryRunOf(
        await this.#api.call(`${this.#path}/jobs`, { json, schema: jobSchema, what, signal }),
      );
      checkStatement(dryRun);
      return dryRun;
    } catch (error) {
      throw this.#api.failure(error, { what });
    }
  }

  /**
   * Returns how many bytes a query may bill today, which is free.
   * @param bytes its estimate; undefined if it is unknown
   * @throws `bigquery/daily_bytes_used`, `bigquery/locations_unreachable`
   */
  leftToday(bytes: number | undefined, { user, signal }: Pick<QueryRequest, "user" | "signal">) {
    return this.#daily.left({ bytes, user, signal });
  }

  /**
   * Runs a query whose dry run is within the limit of bytes.
   * @throws `bigquery/estimate_unknown`, `bigquery/scan_too_large`, the errors of `dryRun` and of `failureOf`
   */
  async run(request: QueryRequest): Promise<QueryResult> {
    const { what, signal, timeoutMs = TIMEOUT_MS, isMetadata = false } = request;
    const dryRun = isMetadata ? null : await this.dryRun(request);
    if (dryRun !== null) checkBytes(dryRun, request.limitBytes, this.#settings);
    const found = request.location ?? (dryRun && (await this.#locationOf(dryRun, signal)));
    const bytes = dryRun === null ? METADATA_BYTES : dryRun.scannedBytes;
    const { limitBytes, user } = request;
    using daily = await this.#daily.reserve({ bytes, limitBytes, user, signal });
    const own = { ...request, limitBytes: daily.limitBytes, location: found ?? undefined };
    const { id, ...figures } = await this.#finished(own, bytes ?? 1, dryRun?.tables ?? []);
    const path = `${this.#path}/queries/${id}`;
    return await resultOf(this.#api, { path, job: id, ...figures, what, signal, timeoutMs });
  }

  async #locationOf({ location, references }: DryRun, signal: AbortSignal): Promise<string | undefined> {
    const [first] = references;
    if (location !== undefined || first === undefined) return location;
    return this.#datasets.location(first, signal);
  }

  /**
   * Runs a job until it succeeds. One that BigQuery could not run is repeated under a new id, if all jobs together stay within
   * the limit: BigQuery may bill a job that failed.
   */
  async #finished(
    request: QueryRequest,
    neededBytes: number,
    tables: readonly string[],
  ): Promise<FinishedJob> {
    const { what, signal, onJob } = request;
    let lostBytes = 0;
    for (let attempt = 1; ; attempt += 1) {
      const id = `agnes_${crypto.randomUUID()}`;
      const limitBytes = request.limitBytes - lostBytes;
      const { job, location } = await this.#once(id, { ...request, limitBytes }).catch((error: unknown) => {
        throw this.#api.failure(error, { what, job: id, limitBytes, tables });
      });
      onJob?.(jobReport(id, job, this.#settings));
      const failure = job.status.errorResult;
      const { creationTime: startedMs, query } = job.statistics;
      const billed = query?.totalBytesBilled;
      if (failure === undefined) {
        this.#report(id, location, job);
        const billedBytes = billed === undefined ? undefined : lostBytes + billed;
        return { id, location, startedMs, billedBytes, destination: destinationOf(job) };
      }
      lostBytes += billed ?? 0;
      const isWithin = lostBytes + neededBytes <= request.limitBytes;
      if (!isPassing(failure) || attempt === JOBS_MAX || !isWithin)
        throw failureOf(failure, { what, job: id, limitBytes, tables });
      const waitMs = RETRY_PAUSE_MS * 2 ** (attempt - 1);
      this.#services.log.info(`job ${id} failed: ${failure.message}; running it again`, { attempt, waitMs });
      await this.#services.sleep(waitMs, signal);
    }
  }

  /** Starts a job and waits for its end. If the caller stops before, the job is cancelled. */
  async #once(
    id: string,
    request: QueryRequest,
  ): Promise<{ readonly job: Job; readonly location: string | undefined }> {
    const { what, signal, onProgress, onJob, timeoutMs = TIMEOUT_MS } = request;
    let location = request.location;
    let [isStarted, isDone] = [false, false];
    // A request that is cut off may still start a job, which cannot be cancelled before it exists.
    using late = lateSignal(signal, CANCEL_TIMEOUT_MS);
    try {
      // Before the response, which may be lost.
      onJob?.({ id, status: "running" });
      const started = await this.#start(id, { ...request, signal: late.signal });
      isStarted = true;
      location = started?.jobReference.location ?? location;
      const job = await this.#api.poll(`${this.#path}/jobs/${id}`, {
        query: { location },
        schema: jobSchema,
        isDone: ({ status }) => status.state === "DONE",
        pauseMs: POLL_PAUSE_MS,
        maxPauseMs: POLL_PAUSE_MAX_MS,
        onProgress: () => onProgress?.({ phase: "querying" }),
        timeoutMs,
        what,
        signal,
      });
      isDone = true;
      return { job, location };
    } catch (error) {
      // After another error than a rejection the job may exist.
      isDone = !isStarted && error instanceof Rejection;
      onJob?.({ id, status: isDone ? "failed" : "cancelled" });
      throw error;
    } finally {
      if (!isDone) await this.#cancel(id, location);
    }
  }

  /** Starts a job; null if it exists, because the response to an earlier request was lost. */
  async #start(id: string, request: QueryRequest): Promise<Job | null> {
    const { what, signal, location, limitBytes, timeoutMs } = request;
    const { query, ...configuration } = this.#configuration(request);
    const json = {
      jobReference: { ...this.#reference(location), jobId: id },
      configuration: {
        ...configuration,
        ...(timeoutMs === undefined ? {} : { jobTimeoutMs: String(timeoutMs) }),
        query: {
          ...query,
          // Zero is no limit.
          maximumBytesBilled: String(Math.max(1, Math.floor(limitBytes))),
        },
      },
    };
    try {
      return await this.#api.call(`${this.#path}/jobs`, { json, schema: jobSchema, what, signal });
    } catch (error) {
      if (error instanceof Rejection && error.proto.reason === "duplicate") return null;
      throw error;
    }
  }

  async #cancel(id: string, location: string | undefined): Promise<void> {
    const { log } = this.#services;
    try {
      await this.#api.call(`${this.#path}/jobs/${id}/cancel`, {
        method: "POST",
        query: { location },
        schema: v.unknown(),
        what: `job ${id}`,
        signal: AbortSignal.timeout(CANCEL_TIMEOUT_MS),
      });
      log.info(`job ${id} is cancelled; it may still be billed`, { job: id, location });
    } catch (error) {
      log.warn(`job ${id} could not be cancelled`, { job: id, location, error });
    }
  }

  #reference(location: string | undefined) {
    return { projectId: this.#settings.billingProject, ...(location === undefined ? {} : { location }) };
  }

  #configuration({ sql, parameters, user }: Pick<QueryRequest, "sql" | "parameters" | "user">) {
    return {
      labels: jobLabels(this.#settings.labels, user),
      query: {
        query: sql,
        useLegacySql: false,
        ...(parameters.length === 0 ? {} : { parameterMode: "NAMED", queryParameters: parameters }),
      },
    };
  }

  #report(job: string, location: string | undefined, { statistics }: Job): void {
    const { query, totalSlotMs } = statistics;
    const billed = query?.totalBytesBilled;
    const price = billed === undefined ? undefined : priceOf(billed, this.#settings);
    this.#services.log.debug(`job ${job} is done`, {
      job,
      location,
      bytesProcessed: query?.totalBytesProcessed,
      bytesBilled: billed,
      cacheHit: query?.cacheHit,
      slotMs: totalSlotMs,
      ...(price === undefined ? {} : { price: `${price.amount} ${price.currency}` }),
    });
  }
}

/** Returns a signal that aborts a time after another one. */
function lateSignal(signal: AbortSignal, delayMs: number): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = () => {
    timer = setTimeout(() => controller.abort(signal.reason), delayMs);
  };
  if (signal.aborted) controller.abort(signal.reason);
  else signal.addEventListener("abort", stop, { once: true });
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      signal.removeEventListener("abort", stop);
      clearTimeout(timer);
    },
  };
}

/** The table that has the result of a job. */
function destinationOf({ configuration }: Job): TablePath | undefined {
  const table = configuration?.query?.destinationTable;
  return table && { project: table.projectId, dataset: table.datasetId, table: table.tableId };
}
