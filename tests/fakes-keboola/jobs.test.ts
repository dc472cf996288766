import { describe, expect, test } from "bun:test";

import { fakeKeboola, type KeboolaScript } from "../fakes/keboola/mod.ts";
import { call, failureOf, pick, pollJob } from "./support.ts";

function project(script: KeboolaScript = {}) {
  const keboola = fakeKeboola(script);
  const host = keboola.host();
  keboola.storage.createTable("in.c-main.orders", { columns: ["id"], rows: [{ id: "1" }] });
  const start = async (limit: number) =>
    (await call(keboola, "/tables/in.c-main.orders/export-async", { json: { limit } })).body;
  return { keboola, host, start };
}

describe("fakeKeboola() runs jobs", () => {
  test("at most storage.jobsParallelism at once, the others wait", async () => {
    const { keboola, start } = project({ jobsParallelism: 2 });
    const jobs = [await start(1), await start(2), await start(3)];
    const statusOf = async (at: number) =>
      pick<string>((await call(keboola, pick<string>(jobs[at], "url"))).body, "status");
    expect([await statusOf(2), await statusOf(1), await statusOf(0)]).toEqual([
      "waiting",
      "processing",
      "processing",
    ]);
    expect(await statusOf(0)).toBe("success");
    expect(await statusOf(2)).toBe("processing");
    expect([keboola.runningJobsMax, keboola.unfinishedJobsMax]).toEqual([2, 3]);
  });

  test("to their end when nobody polls", async () => {
    const { keboola, host, start } = project({ jobsParallelism: 1, jobPolls: 3 });
    const [left, next] = [await start(1), await start(2)];
    await call(keboola, pick<string>(left, "url"));
    host.advance(60_000);
    await call(keboola, pick<string>(next, "url"));
    expect(keboola.jobs.map(({ status }) => status)).toEqual(["success", "processing"]);
  });

  test("at another address if the script says so", async () => {
    const { keboola, start } = project({ jobUrl: (id) => `https://connection.keboola.test/v3/tasks/${id}` });
    const job = await start(1);
    expect((await call(keboola, `/jobs/${pick<number>(job, "id")}`)).status).toBe(404);
    expect(pick<string>(await pollJob(keboola, job), "status")).toBe("success");
  });

  test("that read the table when they start to run", async () => {
    const { keboola, start } = project();
    const job = await start(10);
    keboola.storage.table("in.c-main.orders").load([{ id: "2" }], { mode: "incremental" });
    await pollJob(keboola, job);
    expect(keboola.files[0]!.sizeBytes).toBe('"1"\n"2"\n'.length);
  });
});

describe("fakeKeboola() fails", () => {
  test("by the number of a step, with statuses, maintenance and resets", async () => {
    const { keboola } = project({
      onRequest: (step, n) =>
        step !== "verify"
          ? undefined
          : n === 1
            ? { kind: "status", status: 429, retryAfter: "7" }
            : n === 2
              ? { kind: "maintenance" }
              : n === 3
                ? { kind: "reset" }
                : undefined,
    });
    const first = await call(keboola, "/tokens/verify");
    expect([first.status, first.headers.get("retry-after")]).toEqual([429, "7"]);
    const second = await call(keboola, "/tokens/verify");
    expect([second.status, second.headers.get("retry-after")]).toEqual([503, "559"]);
    expect(second.body).toMatchObject({ status: "maintenance", reason: expect.any(String) });
    expect(await failureOf(call(keboola, "/tokens/verify"))).toContain("fetch failed");
    expect((await call(keboola, "/tokens/verify")).status).toBe(200);
    expect(keboola.requestsOf("verify")).toHaveLength(4);
  });

  test("a job with an error, or loses it", async () => {
    const { keboola, start } = project();
    keboola.onRequest((step, n) => (step === "job" && n === 2 ? { kind: "job error" } : undefined));
    const failed = await pollJob(keboola, await start(1));
    expect(failed).toMatchObject({ status: "error", results: null, error: { message: expect.any(String) } });
    keboola.onRequest((step) => (step === "job" ? { kind: "job lost" } : undefined));
    const lost = await start(2);
    expect((await call(keboola, pick<string>(lost, "url"))).status).toBe(404);
  });

  test("an export whose response is lost, after it started", async () => {
    const { keboola, start } = project({
      onRequest: (step, n) => (step === "export" && n === 1 ? { kind: "lost response" } : undefined),
    });
    expect(await failureOf(start(1))).toContain("fetch failed");
    expect(keboola.jobs).toHaveLength(1);
  });

  test("a slice in its middle, by part, or by its length", async () => {
    const { keboola, start } = project();
    await pollJob(keboola, await start(1));
    const { body } = await call(keboola, `/files/${keboola.files[0]!.id}`);
    const manifest = (await (await keboola.fetch(pick<string>(body, "url"))).json()) as {
      entries: readonly { url: string }[];
    };
    const { url } = manifest.entries[0]!;
    const received: number[] = [];
    for (let tenth = 0; tenth < 10; tenth += 1) {
      keboola.onRequest(() => ({ kind: "cut part", part: tenth / 10 }));
      let size = 0;
      const read = async () => {
        for await (const chunk of (await keboola.fetch(url)).body!) size += chunk.length;
      };
      expect(await failureOf(read())).toContain("fetch failed");
      received.push(size);
    }
    expect(received).toEqual([0, 0, 0, 1, 1, 2, 2, 2, 3, 3]);
    keboola.onRequest(() => ({ kind: "wrong length", missingBytes: 1 }));
    const short = await keboola.fetch(url);
    expect([short.headers.get("content-length"), (await short.text()).length]).toEqual(["4", 3]);
  });

  test("the next request by inject(), as the contract suite does", async () => {
    const { keboola } = project();
    keboola.inject([{ kind: "status", status: 500 }]);
    expect((await call(keboola, "/tokens/verify")).status).toBe(500);
    expect((await call(keboola, "/tokens/verify")).status).toBe(200);
  });
});
