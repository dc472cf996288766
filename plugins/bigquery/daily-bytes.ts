import type { BigQueryApi } from "./api.ts";
import { errors } from "./errors.ts";
import { WORKLOAD, WORKLOAD_LABEL } from "./labels.ts";
import { jobListSchema, type ListedJob } from "./schemas.ts";
import type { Settings } from "./settings.ts";

const PAGE_MAX = 1000;
const WHAT = "the bytes billed today";

/** Bytes that a job may bill. Release them when it has ended, because BigQuery then lists what it billed. */
export interface Reservation extends Disposable {
  readonly limitBytes: number;
}

/**
 * The limit of bytes per day. What was billed is in BigQuery, in the jobs of the account with the label of Agnes, so it counts
 * for all processes and machines.
 */
export class DailyBytes {
  readonly #api: BigQueryApi;
  readonly #settings: Settings;
  readonly #now: () => Date;
  /** The jobs of this process that have not ended, each with its bytes. */
  readonly #running = new Set<{ readonly bytes: number }>();

  constructor(api: BigQueryApi, settings: Settings, now: () => Date) {
    this.#api = api;
    this.#settings = settings;
    this.#now = now;
  }

  /**
   * Reserves bytes for a job.
   * @param bytes what it will bill; undefined if that is unknown, so that it may bill all that is left
   * @throws `bigquery/daily_bytes_used`, `bigquery/locations_unreachable`
   */
  async reserve(bytes: number | undefined, limitBytes: number, signal: AbortSignal): Promise<Reservation> {
    const { dailyBytes } = this.#settings;
    if (dailyBytes === undefined) return { limitBytes, [Symbol.dispose]: () => {} };
    // A job that ends while BigQuery makes the list may be in it without what it billed.
    const runningBefore = [...this.#running];
    let usedBytes = await this.#billedBytes(signal);
    for (const job of new Set([...runningBefore, ...this.#running])) usedBytes += job.bytes;
    const leftBytes = dailyBytes - usedBytes;
    const neededBytes = bytes ?? 1;
    if (!(neededBytes <= leftBytes)) throw errors.daily_bytes_used({ dailyBytes, usedBytes, neededBytes });
    const job = { bytes: bytes ?? Math.min(limitBytes, leftBytes) };
    this.#running.add(job);
    return {
      limitBytes: Math.min(limitBytes, leftBytes),
      [Symbol.dispose]: () => void this.#running.delete(job),
    };
  }

  async #billedBytes(signal: AbortSignal): Promise<number> {
    const { billingProject } = this.#settings;
    const now = this.#now();
    const day = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate());
    const query = { minCreationTime: String(day), projection: "full", maxResults: PAGE_MAX };
    const path = `/projects/${encodeURIComponent(billingProject)}/jobs`;
    let sum = 0;
    try {
      const pages = this.#api.pages(path, { schema: jobListSchema, query, what: WHAT, signal });
      for await (const { jobs, unreachable } of pages) {
        if (unreachable.length > 0)
          throw errors.locations_unreachable({ project: billingProject, locations: unreachable });
        for (const job of jobs)
          if (job.configuration.labels[WORKLOAD_LABEL] === WORKLOAD) sum += billedBy(job);
      }
    } catch (error) {
      throw this.#api.failure(error, { what: WHAT });
    }
    return sum;
  }
}

/** The bytes that a job billed. A row access policy hides them, so that its limit counts. */
function billedBy({ state, errorResult, configuration, statistics }: ListedJob): number {
  const billed = statistics.query?.totalBytesBilled;
  if (billed !== undefined) return billed;
  const isHidden = state === "DONE" && errorResult === undefined && configuration.query !== undefined;
  return isHidden ? (configuration.query?.maximumBytesBilled ?? Number.POSITIVE_INFINITY) : 0;
}
