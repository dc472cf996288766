import { expect, test } from "bun:test";

import { createAgnes, type SyncOptions } from "agnes";
import { definePlugin, int64, table } from "agnes/kit";
import * as v from "valibot";

import { createHost, silentLog } from "../../lib/base/mod.ts";
import { memoryStorage } from "../../lib/catalog/mod.ts";
import { checkSource } from "../../lib/sync/health/check-source.ts";
import { failedHealth, HealthRecords } from "../../lib/sync/health/health-records.ts";
import { Scheduler } from "../../lib/sync/mod.ts";
import { failureOf, temporaryFolder } from "./workspace.ts";

const SECRET = "s3cret-of-the-board";

interface Board {
  health: (() => Promise<unknown>) | undefined;
  reads: number;
}

/** A source whose health check the test controls. */
function boardPlugin(board: Board) {
  return definePlugin({
    name: "board",
    version: "1.0.0",
    description: "A board in memory",
    capabilities: ["discover", "read"],
    options: v.strictObject({}),
    secrets: { BOARD_TOKEN: { description: "token of the board", required: true } },
    connect: ({ secrets }) => ({
      discover: async () => [table("cards", { id: int64({ nullable: false }) })],
      async *read() {
        board.reads += 1;
        yield [{ id: 1 }];
      },
      ...(board.health === undefined
        ? {}
        : {
            health: async () => {
              secrets.BOARD_TOKEN.reveal();
              return (await board.health!()) as never;
            },
          }),
    }),
  });
}

function openBoard(directory: string, board: Board, env: Record<string, string> = { BOARD_TOKEN: SECRET }) {
  return createAgnes({
    workspace: directory,
    plugins: [boardPlugin(board)],
    config: { version: 1, sources: { board: { plugin: "board" } } },
    host: { env: { ...env, USER: "tester" } },
  });
}

const down = async () => ({ ok: false, message: `it is closed for ${SECRET}` });
const up = async () => ({ ok: true, message: "it is open" });

test("sync() skips a source that is not ready, with the reason and without a failure of its tables", async () => {
  using folder = temporaryFolder();
  const board: Board = { health: up, reads: 0 };
  await using agnes = await openBoard(folder.path, board);
  await agnes.sync();
  board.health = down;
  const report = await agnes.sync();
  expect(report.status).toBe("failed");
  expect(report.sources[0]).toMatchObject({ status: "skipped", error: { code: "source_unhealthy" } });
  expect(report.sources[0]!.error!.message).toBe("source board is not ready: it is closed for [redacted]");
  expect(board.reads).toBe(1);
  const [run] = await (await agnes.runs()).list();
  expect(run).toMatchObject({ status: "skipped", error: { code: "source_unhealthy" } });
  expect(await agnes.syncStatus()).toMatchObject([{ status: "on_time", failures: 0, error: null }]);
  const [failed] = await agnes.sourceHealth();
  expect(failed).toMatchObject({ source: "board", state: "failed", reason: "it is closed for [redacted]" });
  board.health = up;
  expect((await agnes.sync()).sources[0]!.status).toBe("complete");
  expect((await agnes.sourceHealth())[0]).toMatchObject({ state: "ok", code: null });
});

test("sync() keeps one run of those that are skipped for the same reason one after the other", async () => {
  using folder = temporaryFolder();
  const board: Board = { health: down, reads: 0 };
  await using agnes = await openBoard(folder.path, board);
  const runs = await agnes.runs();
  const ids: string[] = [];
  const sync = (options: SyncOptions = {}) => agnes.sync({ ...options, onRun: ({ id }) => ids.push(id) });
  for (let count = 0; count < 3; count++) await sync();
  const [first] = await runs.list();
  expect(await runs.list()).toMatchObject([{ id: ids[2], status: "skipped", skips: { count: 3 } }]);
  expect(Date.parse(first!.skips!.since)).toBeLessThan(Date.parse(first!.startedAt));
  expect((await failureOf(runs.get(ids[0]!))).code).toBe("run_unknown");
  const skips = async () => (await runs.list()).map(({ status, skips: one }) => [status, one?.count ?? 1]);
  await sync({ full: true });
  board.health = async () => ({ ok: false, message: "it moved" });
  await sync({ full: true });
  board.health = up;
  await sync();
  board.health = down;
  await sync();
  await sync();
  expect(await skips()).toEqual([
    ["skipped", 2],
    ["complete", 1],
    ["skipped", 1],
    ["skipped", 1],
    ["skipped", 3],
  ]);
  const { entries } = await agnes.timeline({ limit: 1 });
  expect(entries[0]!.summary).toStartWith("run skipped, 2 times since 2");
});

test("sync() skips a source whose health check throws or returns nonsense", async () => {
  using folder = temporaryFolder();
  const board: Board = { health: () => Promise.reject(new Error("no route")), reads: 0 };
  await using agnes = await openBoard(folder.path, board);
  const statusOf = async () => {
    const [source] = (await agnes.sync()).sources;
    return [source!.status, source!.error?.code, source!.error?.message];
  };
  expect(await statusOf()).toEqual([
    "skipped",
    "plugin_failed",
    "source board (plugin board): health failed: no route",
  ]);
  board.health = async () => undefined;
  expect((await statusOf()).slice(0, 2)).toEqual(["skipped", "plugin_failed"]);
  board.health = async () => ({ ok: "yes", message: "" });
  expect((await statusOf())[2]).toContain("which is not a boolean");
  expect(board.reads).toBe(0);
});

test("sourceHealth() is unknown without a check, and names a source whose configuration is wrong", async () => {
  using folder = temporaryFolder();
  const board: Board = { health: undefined, reads: 0 };
  const services = (agnes: Awaited<ReturnType<typeof openBoard>>, env = { BOARD_TOKEN: SECRET }) =>
    checkSource(
      {
        host: createHost({ env }),
        log: silentLog,
        limits: agnes.workspace.config.limits,
        plugins: agnes.plugins,
        workspace: agnes.workspace,
        publishedStates: () => async () => undefined,
      },
      "board",
      new AbortController().signal,
    );
  await using agnes = await openBoard(folder.path, board);
  expect(await agnes.sourceHealth()).toEqual([
    { source: "board", state: "unknown", code: null, reason: null, since: null, checkedAt: null },
  ]);
  expect(await services(agnes)).toMatchObject({ state: "unknown", reason: "its plugin has no health check" });
  board.health = up;
  expect(await services(agnes)).toMatchObject({ state: "ok", code: null, reason: "it is open" });
  expect(await services(agnes, { BOARD_TOKEN: "" })).toMatchObject({
    source: "board",
    state: "failed",
    code: "secret_missing",
    reason: expect.stringContaining("BOARD_TOKEN"),
  });
});

test("HealthRecords keep when a source entered its state, and forget a failure after a while", async () => {
  let nowMs = Date.parse("2026-11-27T08:00:00Z");
  const host = createHost({ now: () => new Date(nowMs) });
  await using records = await HealthRecords.open({ storage: memoryStorage(), host, log: silentLog });
  const failed = failedHealth("crm", new Error("no route"));
  await records.record([failed]);
  nowMs += 5 * 60_000;
  await records.record([failed]);
  expect((await records.all()).get("crm")).toMatchObject({
    state: "failed",
    since: "2026-11-27T08:00:00.000Z",
    checkedAt: "2026-11-27T08:05:00.000Z",
  });
  expect([...(await records.failing())]).toEqual(["crm"]);
  nowMs += 13 * 60_000;
  expect([...(await records.failing())]).toEqual([]);
  await records.record([{ source: "crm", state: "ok", code: null, reason: null }]);
  expect((await records.all()).get("crm")).toMatchObject({ since: "2026-11-27T08:18:00.000Z" });
  expect(await records.verify()).toBe(1);
});

test("Scheduler begins no sync of a source whose health check failed, and those of others", async () => {
  const table = (source: string) => ({
    source,
    name: "t",
    queryMode: "local",
    syncPaused: false,
    syncSchedule: "every 1h",
    registeredAt: new Date(0).toISOString(),
  });
  const synced: string[] = [];
  const begun = Promise.withResolvers<void>();
  const host = createHost();
  await using _scheduler = new Scheduler({
    host,
    log: silentLog,
    directory: "/w",
    sources: ["ill", "well"],
    sourcesAtOnce: 4,
    tables: async () => ({ list: async () => [table("ill"), table("well")] as never }),
    state: async () => ({ ofRegistered: async () => new Map() }),
    lease: async () => ({ [Symbol.asyncDispose]: async () => {} }),
    failing: async () => new Set(["ill"]),
    sync: async (source, _tables, signal) => {
      synced.push(source);
      begun.resolve();
      await host.sleep(60_000, signal);
    },
  });
  await begun.promise;
  await Bun.sleep(20);
  expect(synced).toEqual(["well"]);
});
