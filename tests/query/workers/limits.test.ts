import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";

import { temporaryData } from "../../analytics/extract-files.ts";
import { codeOf, errorOf, isolated, isRunning, LONG, rowsIn, STUCK, until, workersOf } from "./isolated.ts";

let folder: Awaited<ReturnType<typeof temporaryData>>;
let session: ReturnType<typeof isolated>;
/** The workers of this file alone; other files may have their own in the same process. */
let others: ReadonlySet<number>;
const workers = () => workersOf().filter((pid) => !others.has(pid));
const ready = () => rowsIn(session, "SELECT 1 AS one");

beforeAll(async () => {
  folder = await temporaryData();
  others = new Set(workersOf());
  session = isolated(folder.data, { count: 2, memoryMb: 500, graceMs: 200 });
  await ready();
});
afterAll(async () => {
  await session.close();
  await folder[Symbol.asyncDispose]();
});

/** The variables in the environment of a process. */
function environmentOf(pid: number): readonly string[] {
  const variables = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
  return variables.filter((text) => text !== "").map((text) => text.split("=")[0]!);
}

describe("a worker process", () => {
  test("has no variable of its parent, and a folder of its own", async () => {
    process.env["AGNES_CANARY"] = "secret";
    await using other = isolated(folder.data);
    const before = new Set(workersOf());
    await rowsIn(other, "SELECT 1 AS one");
    delete process.env["AGNES_CANARY"];
    expect(before.size).toBeGreaterThan(0);
    for (const pid of workersOf()) {
      const names = environmentOf(pid);
      expect(names.filter((name) => !/^(?:BUN_|TMPDIR$|UV_THREADPOOL_SIZE$)/.test(name))).toEqual([]);
      const folder = `agnes-workers-${hostname()}-${process.pid}-`;
      expect(readlinkSync(`/proc/${pid}/cwd`)).toStartWith(join(tmpdir(), folder));
      expect(readFileSync(`/proc/${pid}/oom_score_adj`, "utf8").trim()).toBe("1000");
    }
  });

  test("is killed above its memory, which costs one query", async () => {
    await ready();
    const before = workers();
    const sql = "SELECT length(repeat('x', 900000000)) AS n";
    expect(await errorOf(rowsIn(session, sql, { trusted: true }))).toMatchObject({
      code: "query_memory_exceeded",
      message: "the query was stopped because it used more than 500 MB of memory",
    });
    expect(await rowsIn(session, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    await until(() => workers().length === 2);
    expect(workers().filter((pid) => !before.includes(pid))).toHaveLength(1);
  });

  test("is killed when a query does not end at its deadline", async () => {
    const startMs = performance.now();
    const stuck = rowsIn(session, STUCK.sql, { trusted: true, limits: { timeoutMs: 300 } });
    const error = await stuck.catch((failure: unknown) => failure);
    expect(error).toMatchObject({ code: "timed_out", details: { what: "the query", timeoutMs: 300 } });
    expect(performance.now() - startMs).toBeLessThan(5000);
    const busy = workers();
    await until(() => workers().some((pid) => !busy.includes(pid)));
    expect(await rowsIn(session, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  });

  test("lives on when an aborted query ends at once, and is killed otherwise", async () => {
    await ready();
    await until(() => workers().length === 2);
    const before = workers();
    const aborted = async (atAbort: () => void) => {
      const controller = new AbortController();
      const running = codeOf(rowsIn(session, LONG, { signal: controller.signal }));
      await Bun.sleep(100);
      atAbort();
      controller.abort();
      return running;
    };
    expect(await aborted(() => {})).toBe("aborted");
    expect(await rowsIn(session, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    expect(workers()).toEqual(before);
    // A stopped process does not react, like one in which DuckDB does not look for interrupts.
    const stop = () => before.forEach((pid) => process.kill(pid, "SIGSTOP"));
    expect(await aborted(stop)).toBe("aborted");
    await until(() => before.some((pid) => !isRunning(pid)));
    for (const pid of before) if (isRunning(pid)) process.kill(pid, "SIGCONT");
    expect(await rowsIn(session, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  });

  test("that ends costs one query, and is replaced", async () => {
    await ready();
    await until(() => workers().length === 2);
    const before = workers();
    const running = rowsIn(session, LONG).catch((error: unknown) => error);
    await Bun.sleep(100);
    for (const pid of before) process.kill(pid, "SIGKILL");
    expect(await running).toMatchObject({ code: "worker_lost", details: { reason: "signal SIGKILL" } });
    expect(await rowsIn(session, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    await until(() => workers().length === 2);
    expect(workers().filter((pid) => before.includes(pid))).toEqual([]);
  });

  test("is replaced after a fatal error of DuckDB", async () => {
    await ready();
    await until(() => workers().length === 2);
    const before = workers();
    const fatal = rowsIn(session, "SELECT reservoir_quantile(1.5, [])", { trusted: true });
    expect(await errorOf(fatal)).toMatchObject({ code: "sql_failed", details: { kind: "INTERNAL Error" } });
    await until(() => workers().length === 2 && workers().some((pid) => !before.includes(pid)));
    expect(await rowsIn(session, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  });

  test("runs slow queries at a lower priority, with all threads", async () => {
    await ready();
    const controller = new AbortController();
    const running = codeOf(rowsIn(session, LONG, { signal: controller.signal }));
    const nices = (pid: number) =>
      readdirSync(`/proc/${pid}/task`).map((thread) => {
        const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, "utf8");
        return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[16];
      });
    await until(() => workers().some((pid) => nices(pid).every((nice) => nice === "10")));
    controller.abort();
    expect(await running).toBe("aborted");
    // A worker that may not get its priority back is replaced.
    await until(
      () => workers().length === 2 && workers().every((pid) => nices(pid).every((nice) => nice === "0")),
    );
  });
});

test("close() ends all workers, and removes their files and those of processes that ended", async () => {
  const own = () => readdirSync(tmpdir()).filter((name) => name.startsWith(`agnes-workers-${hostname()}-`));
  const before = new Set(own());
  const running = new Set(workersOf());
  const other = isolated(folder.data, { count: 2 });
  await rowsIn(other, "SELECT 1 AS one");
  const stopped = codeOf(rowsIn(other, LONG));
  await Bun.sleep(50);
  const [made] = own().filter((name) => !before.has(name));
  expect(made).toContain(`-${process.pid}-`);
  await other.close();
  expect(await stopped).toBe("aborted");
  expect(own().filter((name) => !before.has(name))).toEqual([]);
  expect(workersOf().filter((pid) => !running.has(pid))).toEqual([]);
  expect(await codeOf(rowsIn(other, "SELECT 1 AS one"))).toBe("aborted");
});

test("a session whose workers do not start fails its queries, and closes without waiting to start more", async () => {
  const broken = isolated(folder.data, { command: ["/bin/false"] });
  expect(await codeOf(rowsIn(broken, "SELECT 1 AS one"))).toBe("worker_lost");
  // The next start is now seconds away.
  await Bun.sleep(1500);
  const startMs = performance.now();
  await broken.close();
  expect(performance.now() - startMs).toBeLessThan(500);
});
