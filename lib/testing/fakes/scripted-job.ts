import type { JsonValue } from "../../kit/mod.ts";
import type { FakeRequest, FakeRoute } from "./fake-server.ts";

/** The body of a response about a job. */
export type JobBody = Readonly<Record<string, JsonValue>>;

/** A job that was started. */
export interface StartedJob {
  /** Counted from 1. */
  readonly id: number;
  /** The request that started it. */
  readonly request: FakeRequest;
}

/** The course of a job. */
export interface JobScript {
  /** The response to the request that starts the job. Default: `{ status: "waiting" }`. */
  readonly started?: JobBody;
  /**
   * One response per poll before the job ends, such as `{ status: "running", progress: 40 }`, or a route for another
   * response, such as 429. Default: none, the job has ended at the first poll.
   */
  readonly polls?: readonly (JobBody | FakeRoute)[];
  /** The response once the job has ended, with success or failure; may depend on the request that started it. */
  readonly result: JobBody | ((job: StartedJob) => JobBody);
  /** The response once the job was cancelled. Default: `{ status: "cancelled" }`. */
  readonly cancelled?: JobBody;
}

/** Routes of a job, and what they received. */
export interface ScriptedJob {
  /** Starts a job: 202 with its id. */
  readonly start: FakeRoute;
  /** Returns the job `:id`: 200 with its id, 404 if it does not exist. */
  readonly poll: FakeRoute;
  /** Cancels the job `:id`: 204, or 409 if it has ended. */
  readonly cancel: FakeRoute;
  readonly started: readonly StartedJob[];
  /** The ids of cancelled jobs, in order. */
  readonly cancelled: readonly number[];
}

/**
 * Creates a background job that ends after a number of polls. Each start is a new job with the same script.
 *
 * Faithful to the asynchronous request pattern (RFC 9110, section 15.3.3: 202 Accepted) of Keboola, Snowflake, BigQuery
 * and Athena: each response has the `id`, a failed job is a successful response with a status, and an ended job keeps
 * its result.
 *
 * @example
 * ```ts
 * import { fakeServer, scriptedJob } from "agnes/testing";
 * const job = scriptedJob({
 *   polls: [{ status: "running", progress: 10 }, { status: "running", progress: 90 }],
 *   result: { status: "done", file: "/files/7" }, // or { status: "failed", error: "out of memory" }
 * });
 * const server = fakeServer({
 *   "POST /exports": job.start,
 *   "GET /jobs/:id": job.poll,
 *   "DELETE /jobs/:id": job.cancel,
 * });
 * job.cancelled; // the jobs that the connector cancelled
 * ```
 */
export function scriptedJob(script: JobScript): ScriptedJob {
  const { started: first = { status: "waiting" }, polls = [], result } = script;
  const started: StartedJob[] = [];
  const cancelled: number[] = [];
  const counts = new Map<number, number>();
  const about =
    (respond: (job: StartedJob, request: FakeRequest) => Response | Promise<Response>): FakeRoute =>
    (request) => {
      const job = started.find(({ id }) => String(id) === request.params["id"]);
      if (job !== undefined) return respond(job, request);
      return Response.json({ error: `there is no job ${request.params["id"]}` }, { status: 404 });
    };
  return {
    started,
    cancelled,
    start(request) {
      const id = started.length + 1;
      started.push({ id, request });
      return Response.json({ id, ...first }, { status: 202 });
    },
    poll: about((job, request) => {
      const { id } = job;
      if (cancelled.includes(id))
        return Response.json({ id, ...(script.cancelled ?? { status: "cancelled" }) });
      const at = counts.get(id) ?? 0;
      counts.set(id, at + 1);
      const step = polls[at];
      if (typeof step === "function") return step(request);
      const ended = () => (typeof result === "function" ? result(job) : result);
      return Response.json({ id, ...(step ?? ended()) });
    }),
    cancel: about(({ id }) => {
      if ((counts.get(id) ?? 0) > polls.length)
        return Response.json({ error: `job ${id} has ended` }, { status: 409 });
      if (!cancelled.includes(id)) cancelled.push(id);
      return new Response(null, { status: 204 });
    }),
  };
}
