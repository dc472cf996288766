import type { ConnectContext } from "agnes/kit";

import type { BigQueryApi } from "./api.ts";
import { errors } from "./errors.ts";
import { USER_LABEL, userLabel, WORKLOAD, WORKLOAD_LABEL } from "./labels.ts";
import { jobListSchema, type ListedJob } from "./schemas.ts";
import type { Settings } from "./settings.ts";

const PAGE_MAX = 1000;
const WHAT = "the bytes billed today";

/** Bytes that a job may bill. Release them when it has ended, because BigQuery then lists what it billed. */
export interface Reservation extends Disposable {
  readonly limitBytes: number;
}

type DailyServices = Pick<ConnectContext<unknown, never>, "source" | "now">;

interface RunningJob {
  readonly bytes: number;
  /** The label of its user. */
  readonly label: string | undefined;
}

/** The running jobs by source: queries at the same time may each have a connection of their own. */
const RUNNING = new Map<string, Set<RunningJob>>();

/** A job to reserve bytes for. */
export interface ReservationRequest {
  /** What it will bill; undefined if that is unknown, so that it may bill all that is left. */
  readonly bytes: number | undefined;
  readonly limitBytes: number;
  /** Undefined: it has no user. The jobs without a user have a count of their own. */
  readonly user: string | undefined;
  readonly signal: AbortSignal;
}

/**
 * The limit of bytes per day and user. What was billed is in BigQuery, in the jobs of the account with the labels of Agnes and
 * of the user, so it counts for all processes and machines.
 */
export class DailyBytes {
  readonly #api: BigQueryApi;
  readonly #settings: Settings;
  readonly #now: () => Date;
  /** The jobs of this source in this process that have not ended. */
  readonly #running: Set<RunningJob>;

  constructor(api: BigQueryApi, settings: Settings, { source, now }: DailyServices) {
    this.#api = api;
    this.#settings = settings;
    this.#now = now;
    const key = JSON.stringify([source, settings.billingProject, settings.apiEndpoint]);
    this.#running = RUNNING.get(key) ?? new Set();
    RUNNING.set(key, this.#running);
  }

  /**
   * Reserves bytes for a job.
   * @throws `bigquery/daily_bytes_used`, `bigquery/locations_unreachable`
   */
  async reserve({ bytes, limitBytes, user, signal }: ReservationRequest): Promise<Reservation> {
    const { dailyBytes } = this.#settings;
    if (dailyBytes === undefined) return { limitBytes, [Symbol.dispose]: () => {} };
    const label = labelOf(user);
    const usedBytes = await this.#used(label, signal);
    const leftBytes = leftOf(dailyBytes, usedBytes(), bytes);
    const job = { bytes: bytes ?? Math.min(limitBytes, leftBytes), label };
    this.#running.add(job);
    return {
      limitBytes: Math.min(limitBytes, leftBytes),
      [Symbol.dispose]: () => void this.#running.delete(job),
    };
  }

  /**
   * Returns the bytes that are left for a job, without reserving them.
   * @throws the errors of `reserve`
   */
  async left({ bytes, user, signal }: Omit<ReservationRequest, "limitBytes">): Promise<number> {
    const { dailyBytes } = this.#settings;
    if (dailyBytes === undefined) return Number.POSITIVE_INFINITY;
    const usedBytes = await this.#used(labelOf(user), signal);
    return leftOf(dailyBytes, usedBytes(), bytes);
  }

  /** Returns a function that counts the bytes of today, with the jobs that run when it is called. */
  async #used(label: string | undefined, signal: AbortSignal): Promise<() => number> {
    // A job that ends while BigQuery makes the list may be in it without what it billed.
    const runningBefore = [...this.#running];
    const billedBytes = await this.#billedBytes(label, signal);
    return () => {
      const own = [...new Set([...runningBefore, ...this.#running])].filter((job) => job.label === label);
      return own.reduce((sum, { bytes }) => sum + bytes, billedBytes);
    };
  }

  async #billedBytes(label: string | undefined, signal: AbortSignal): Promise<number> {
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
        for (const job of jobs) {
          const { labels } = job.configuration;
          if (labels[WORKLOAD_LABEL] === WORKLOAD && labels[USER_LABEL] === label) sum += billedBy(job);
        }
      }
    } catch (error) {
      throw this.#api.failure(error, { what: WHAT });
    }
    return sum;
  }
}

const labelOf = (user: string | undefined): string | undefined =>
  user === undefined ? undefined : userLabel(user);

/**
 * Returns the bytes that are left, which are enough for a job.
 * @throws `bigquery/daily_bytes_used`
 */
function leftOf(dailyBytes: number, usedBytes: number, bytes: number | undefined): number {
  const leftBytes = dailyBytes - usedBytes;
  const neededBytes = bytes ?? 1;
  if (!(neededBytes <= leftBytes)) throw errors.daily_bytes_used({ dailyBytes, usedBytes, neededBytes });
  return leftBytes;
}

/** The bytes that a job billed. A row access policy hides them, so that its limit counts. */
function billedBy({ state, errorResult, configuration, statistics }: ListedJob): number {
  const billed = statistics.query?.totalBytesBilled;
  if (billed !== undefined) return billed;
  const isHidden = state === "DONE" && errorResult === undefined && configuration.query !== undefined;
  return isHidden ? (configuration.query?.maximumBytesBilled ?? Number.POSITIVE_INFINITY) : 0;
}
