import { isAgnesError } from "../../base/mod.ts";
import type { SourceJob } from "../../kit/mod.ts";

/** The jobs that a connector reports, in the order of their start. */
export class JobList {
  readonly #jobs = new Map<string, SourceJob>();

  /** Receives a job. A later report replaces the earlier one of the same id. */
  readonly onJob = (job: SourceJob): void => void this.#jobs.set(job.id, job);

  get all(): readonly SourceJob[] {
    return [...this.#jobs.values()];
  }

  /** The jobs as a field of a receipt, which is missing if none is reported. */
  get field(): { readonly jobs?: readonly SourceJob[] } {
    return this.#jobs.size === 0 ? {} : { jobs: this.all };
  }
}

/** Returns an error that also names the jobs that were stopped, because they may still be billed. */
export function withStoppedJobs(error: unknown, { all }: JobList): unknown {
  const stoppedJobs = all
    .filter(({ status }) => status === "running" || status === "cancelled")
    .map(({ id }) => id);
  if (!isAgnesError(error) || stoppedJobs.length === 0) return error;
  const { cause, stack } = error;
  const moreHint = `Jobs that were stopped may still be billed: ${stoppedJobs.join(", ")}.`;
  const details = { ...error.details, stoppedJobs } as typeof error.details;
  return Object.assign(error.withDetails(details, { cause, moreHint }), { stack });
}
