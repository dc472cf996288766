import { describe, expect, test } from "bun:test";

import { AgnesError, type Host } from "../../lib/base/mod.ts";
import { permanent, type HttpPollRequest } from "../../lib/kit/mod.ts";
import * as v from "valibot";
import { failureOf, hangUp, LocalServer, respondWith, testHttp } from "./local-server.ts";

interface Job {
  readonly status: string;
}

const isDone = ({ status }: Job) => {
  if (status === "error") throw permanent("the export failed");
  return status === "success";
};
const waiting = respondWith({ status: "waiting" });
const success = respondWith({ status: "success" });

/** Polls a job of a server; the pauses are exact, because the jitter is fixed at the middle of its range. */
async function poll(
  server: LocalServer,
  request: Partial<HttpPollRequest<Job>> = {},
  host: Partial<Host> = {},
) {
  const { http, sleeps, log } = testHttp(host);
  const asked = http.poll<Job>(`${server.origin}/job?key=secret`, { isDone, ...request });
  return { done: await asked.catch((error: unknown) => error as AgnesError), sleeps, log };
}

describe("Http.poll()", () => {
  test("poll() polls until the job is done, with pauses that grow to the maximum, and reports each response", async () => {
    await using server = await LocalServer.start(...Array.from({ length: 6 }, () => waiting), success);
    const phases: (string | undefined)[] = [];
    const { done, sleeps } = await poll(server, {
      maxPauseMs: 4_000,
      phaseOf: ({ status }) => `export ${status}`,
      onProgress: ({ phase }) => void phases.push(phase),
    });
    expect(done).toEqual({ status: "success" });
    expect(sleeps).toEqual([1000, 1500, 2250, 3375, 4000, 4000]);
    expect(phases).toEqual(Array.from({ length: 6 }, () => "export waiting"));
  });

  test("poll() adds a jitter of 20 % to each pause", async () => {
    for (const [random, pauseMs] of [
      [0, 800],
      [0.999, 1199.6],
    ] as const) {
      await using server = await LocalServer.start(waiting, success);
      const { sleeps } = await poll(server, {}, { random: () => random });
      expect(sleeps).toEqual([expect.closeTo(pauseMs, 6)]);
    }
  });

  test("poll() respects Retry-After in responses and in errors", async () => {
    await using server = await LocalServer.start(
      respondWith({ status: "waiting" }, 202, { "retry-after": "45" }),
      respondWith({ status: "waiting" }, 200, { "retry-after": "0" }),
      respondWith({}, 429, { "retry-after": "600" }),
      success,
    );
    const { done, sleeps } = await poll(server, { retries: 0 });
    expect(done).toEqual({ status: "success" });
    expect(sleeps).toEqual([45_000, 1500, 600_000]);
  });

  test("poll() survives a temporary outage of the source, but not a permanent one", async () => {
    await using server = await LocalServer.start(waiting, hangUp, respondWith({}, 503), success);
    expect((await poll(server, { retries: 0 })).done).toEqual({ status: "success" });
    await using gone = await LocalServer.start(waiting, respondWith({}, 503));
    expect((await poll(gone, { retries: 0 })).done).toMatchObject({ code: "source_unavailable" });
    expect(gone.seen.length).toBe(7);
  });

  test("poll() ends with timed_out at its deadline, without waiting for it, and cancels the job", async () => {
    await using server = await LocalServer.start(waiting);
    const cancels: boolean[] = [];
    const cancel = async ({ signal }: { readonly signal: AbortSignal }) => void cancels.push(signal.aborted);
    const { done, sleeps } = await poll(server, { timeoutMs: 3_000, cancel });
    expect(done).toMatchObject({ code: "timed_out", retry: "transient", details: { timeoutMs: 3_000 } });
    expect((done as AgnesError).message).toStartWith(`the job at ${server.origin}/job?… did not finish`);
    expect(sleeps).toEqual([1000, 1500]);
    expect(cancels).toEqual([false]);
  });

  test("poll() stops immediately in a pause on abort, and logs a failed cancellation", async () => {
    await using server = await LocalServer.start(waiting);
    const stop = new AbortController();
    const sleep: Host["sleep"] = (_durationMs, signal) =>
      new Promise((_resolve, reject) => {
        signal!.addEventListener("abort", () => reject(new AgnesError("aborted", { what: "waiting" })));
        stop.abort();
      });
    const cancel = async () => Promise.reject(new Error("no such job"));
    const { done, log } = await poll(server, { signal: stop.signal, cancel }, { sleep });
    expect(done).toMatchObject({ code: "aborted" });
    expect(log.filter(({ message }) => message.includes("could not be cancelled")).length).toBe(1);
    expect(server.seen.length).toBe(1);
  });

  test("poll() fails with the error of isDone, and does not cancel a job that has ended", async () => {
    await using server = await LocalServer.start(waiting, respondWith({ status: "error" }));
    let cancels = 0;
    const cancel = async () => void (cancels += 1);
    const { done } = await poll(server, { cancel });
    expect(done).toMatchObject({ code: "source_refused", message: "the export failed" });
    await using refused = await LocalServer.start(respondWith({}, 404));
    expect((await poll(refused, { cancel })).done).toMatchObject({ code: "source_refused" });
    expect(cancels).toBe(1);
  });

  test("poll() validates each response by its schema", async () => {
    await using server = await LocalServer.start(respondWith({ state: "waiting" }));
    const schema = v.object({ status: v.string() });
    const { http } = testHttp();
    const error = await failureOf(http.poll(server.origin, { schema, isDone }));
    expect(error).toMatchObject({ code: "source_answer_invalid" });
  });
});
