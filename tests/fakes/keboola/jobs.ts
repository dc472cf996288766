import { formatDate } from "./dates.ts";
import { ApiError } from "./errors.ts";

/** What a job does. */
export interface JobWork {
  readonly operationName: string;
  readonly operationParams: Readonly<Record<string, unknown>>;
  readonly tableId: string | null;
  /** Runs when the job gets its turn; an ApiError makes it fail. */
  readonly run: () => Promise<Readonly<Record<string, unknown>>>;
}

/** A storage job. */
export interface StorageJob extends JobWork {
  readonly id: number;
  readonly tokenId: string;
  readonly createdAt: Date;
  status: "waiting" | "processing" | "success" | "error";
  startedAt: Date | null;
  endedAt: Date | null;
  results: Readonly<Record<string, unknown>> | null;
  error: { readonly code: string; readonly message: string } | null;
}

/** How jobs run. */
export interface JobOptions {
  readonly now: () => Date;
  readonly nextId: () => number;
  readonly parallelism: number;
  /** The polls that find a job running. */
  readonly polls: number;
  readonly durationMs: number;
}

interface Running {
  readonly outcome: Promise<Pick<StorageJob, "results" | "error">>;
  pollsLeft: number;
}

/**
 * The queue of storage jobs of a project.
 *
 * Faithful to: the four statuses of the blueprint; at most `storage.jobsParallelism` jobs run, others wait in order; a job
 * that nobody polls ends, too. Not faithful: time passes with polls.
 */
export class JobQueue {
  readonly jobs: StorageJob[] = [];
  /** The most jobs that were running or waiting at once. */
  unfinishedMax = 0;
  /** The most jobs that were running at once. */
  runningMax = 0;
  readonly #options: JobOptions;
  readonly #running = new Map<StorageJob, Running>();
  readonly #lost = new Set<StorageJob>();

  constructor(options: JobOptions) {
    this.#options = options;
  }

  start(work: JobWork, tokenId: string): StorageJob {
    const job: StorageJob = {
      ...work,
      id: this.#options.nextId(),
      tokenId,
      createdAt: this.#options.now(),
      status: "waiting",
      startedAt: null,
      endedAt: null,
      results: null,
      error: null,
    };
    this.jobs.push(job);
    const unfinished = this.jobs.filter(({ status }) => status === "waiting" || status === "processing");
    this.unfinishedMax = Math.max(this.unfinishedMax, unfinished.length);
    return job;
  }

  /** @throws ApiError 404 for a job that does not exist */
  async poll(id: number): Promise<StorageJob> {
    const job = this.find(id);
    await this.#endOld();
    this.#startNext();
    const running = this.#running.get(job);
    if (running !== undefined && running.pollsLeft === 0) {
      await this.#end(job, running);
      this.#startNext();
    } else if (running !== undefined) running.pollsLeft -= 1;
    return job;
  }

  find(id: number): StorageJob {
    const job = this.jobs.find((one) => one.id === id);
    if (job === undefined || this.#lost.has(job))
      throw new ApiError(404, "storage.jobs.notFound", `Job "${id}" not found`);
    return job;
  }

  /** Makes a job end with an error. */
  fail(id: number, error: { readonly code: string; readonly message: string }): void {
    const job = this.find(id);
    this.#running.delete(job);
    Object.assign(job, { status: "error", error, results: null, endedAt: this.#options.now() });
  }

  /** Makes a job disappear. */
  lose(id: number): void {
    const job = this.find(id);
    this.#running.delete(job);
    this.#lost.add(job);
    job.status = "error";
  }

  #startNext(): void {
    for (const job of this.jobs) {
      if (this.#running.size >= this.#options.parallelism) return;
      if (job.status !== "waiting") continue;
      job.status = "processing";
      job.startedAt = this.#options.now();
      const outcome = outcomeOf(job);
      // Its failure is reported when the job ends.
      outcome.catch(() => {});
      this.#running.set(job, { outcome, pollsLeft: this.#options.polls });
      this.runningMax = Math.max(this.runningMax, this.#running.size);
    }
  }

  async #endOld(): Promise<void> {
    const now = this.#options.now().getTime();
    for (const [job, running] of this.#running) {
      if (now - job.startedAt!.getTime() >= this.#options.durationMs) await this.#end(job, running);
    }
  }

  async #end(job: StorageJob, running: Running): Promise<void> {
    const { results, error } = await running.outcome;
    if (!this.#running.delete(job)) return;
    Object.assign(job, { results, error, status: error === null ? "success" : "error" });
    job.endedAt = this.#options.now();
  }
}

/** A job as the API returns it. */
export function describeJob(
  job: StorageJob,
  url: string,
  creator: string,
): Readonly<Record<string, unknown>> {
  const { id, status, tableId, operationName, operationParams, results, error } = job;
  return {
    id,
    status,
    url,
    tableId,
    operationName,
    operationParams,
    createdTime: formatDate(job.createdAt),
    startTime: job.startedAt && formatDate(job.startedAt),
    endTime: job.endedAt && formatDate(job.endedAt),
    runId: null,
    results,
    creatorToken: { id: job.tokenId, description: creator },
    metrics: {
      inCompressed: false,
      inBytes: 0,
      inBytesUncompressed: 0,
      outCompressed: false,
      outBytes: 0,
      outBytesUncompressed: 0,
    },
    ...(error === null ? {} : { error: { ...error, exceptionId: `exception-${id}` } }),
  };
}

async function outcomeOf(work: JobWork): Promise<Pick<StorageJob, "results" | "error">> {
  try {
    return { results: await work.run(), error: null };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return { results: null, error: { code: error.code, message: error.message } };
  }
}
