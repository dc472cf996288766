import { expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { createAgnes, type Agnes } from "agnes";

import { createHost, silentLog } from "../../lib/base/mod.ts";
import { fileStorage, memoryStorage, openCatalog } from "../../lib/catalog/mod.ts";
import { readExtract } from "../../lib/extract/mod.ts";
import { Runs, type Run } from "../../lib/sync/mod.ts";
import { endlessPlugin } from "./endless.ts";
import { failureOf, newShop, openShop, temporaryFolder } from "./workspace.ts";

async function openEndless(workspace: string, opened?: () => boolean): Promise<Agnes> {
  return createAgnes({
    workspace,
    plugins: [endlessPlugin(opened)],
    config: { version: 1, sources: { e: { plugin: "endless" } } },
  });
}

/** Waits until a run reports progress. */
async function readingRun(agnes: Agnes) {
  for (;;) {
    const run = (await (await agnes.runs()).running()).get("e");
    if (run !== undefined && (run.progress[0]?.rows ?? 0) > 0) return run;
    await Bun.sleep(20);
  }
}

test("sync() records its runs with their results and errors", async () => {
  using folder = temporaryFolder();
  const shop = newShop();
  await using agnes = await openShop(folder.path, shop, { actor: "ann" });
  const runs = await agnes.runs();
  expect(await runs.list()).toEqual([]);
  await agnes.sync({ trigger: "cli" });
  shop.broken = "people";
  shop.orders.push({ id: 3, person: "eve", changed: "2026-01-03" });
  await agnes.sync({ full: true });
  await agnes.sync({ only: ["shop.orders"] });
  const [third, second, first] = await runs.list();
  expect(first).toMatchObject({
    source: "shop",
    trigger: "cli",
    actor: "ann",
    full: false,
    requested: null,
    status: "complete",
    generation: 1,
    published: true,
    counts: { extracted: 2, unchanged: 0, failed: 0 },
    error: null,
    progress: [],
  });
  expect(first!.tables.map(({ name, rows }) => [name, rows])).toEqual([
    ["orders", 2],
    ["people", 2],
  ]);
  expect(Date.parse(first!.endedAt!)).toBeGreaterThanOrEqual(Date.parse(first!.startedAt));
  expect(second).toMatchObject({ trigger: "library", full: true, status: "partial", generation: 2 });
  expect(second!.counts).toEqual({ extracted: 1, unchanged: 0, failed: 1 });
  expect(second!.tables.map(({ name, status }) => `${name} ${status}`)).toEqual([
    "people failed",
    "orders extracted",
  ]);
  expect(second!.tables[0]!.error!.code).toBe("plugin_failed");
  expect(JSON.stringify(second)).not.toContain("s3cret");
  expect(third).toMatchObject({ requested: ["orders"], status: "complete", published: false, tables: [] });
  expect(third!.counts).toEqual({ extracted: 0, unchanged: 1, failed: 0 });
  expect(await runs.get(second!.id)).toEqual(second!);
  expect((await runs.list({ limit: 1 })).map(({ id }) => id)).toEqual([third!.id]);
  expect(await failureOf(runs.get("none"))).toMatchObject({ code: "run_unknown" });
});

test("sync() records the failure of a whole source for each of its tables, until a sync succeeds", async () => {
  using folder = temporaryFolder();
  const shop = newShop();
  await using agnes = await openShop(folder.path, shop);
  await agnes.sync();
  await using without = await openShop(folder.path, shop, { host: { env: {} } });
  await without.sync();
  await without.sync({ only: ["shop.people"] });
  const stateOf = async (id: string) => (await agnes.syncStatus()).find((table) => table.id === id)!;
  expect(await stateOf("shop.people")).toMatchObject({ status: "failed", failures: 2 });
  expect(await stateOf("shop.orders")).toMatchObject({
    status: "failed",
    failures: 1,
    error: { code: "secret_missing" },
  });
  const { attemptedAt, succeededAt, runId } = await stateOf("shop.people");
  expect(attemptedAt!.getTime()).toBeGreaterThan(succeededAt!.getTime());
  expect((await (await agnes.runs()).get(runId!)).error!.code).toBe("secret_missing");
  await agnes.sync();
  expect(await stateOf("shop.people")).toMatchObject({ status: "on_time", failures: 0, error: null });
});

test("sync() returns and publishes the id of the run in the history", async () => {
  using folder = temporaryFolder();
  await using agnes = await openShop(folder.path, newShop());
  const { sources } = await agnes.sync();
  const [run] = await (await agnes.runs()).list();
  expect(sources[0]!.stats!.runId).toBe(run!.id);
  const published = await readExtract(createHost().files, join(folder.path, "data", "extracts", "shop"));
  expect(published!.generation.runId).toBe(run!.id);
});

test("sync() rejects a source that another run uses, and names the run", async () => {
  using folder = temporaryFolder();
  let isOpen = false;
  await using agnes = await openEndless(folder.path, () => isOpen);
  const syncing = agnes.sync();
  const run = await readingRun(agnes);
  const { sources } = await agnes.sync();
  expect(sources[0]).toMatchObject({
    status: "failed",
    error: { code: "source_running", status: 409, details: { source: "e", runId: run.id } },
  });
  expect((await agnes.syncStatus())[0]).toMatchObject({ status: "running", runId: run.id });
  isOpen = true;
  expect((await syncing).status).toBe("complete");
  // The rejected sync is no run.
  expect((await (await agnes.runs()).list()).map(({ id, status }) => [id, status])).toEqual([
    [run.id, "complete"],
  ]);
  expect((await agnes.syncStatus())[0]).toMatchObject({ status: "on_time", failures: 0, progress: null });
  expect(await readdir(join(folder.path, "data", "running"))).toEqual(["e.lock"]);
});

test("sync() records that it was stopped", async () => {
  using folder = temporaryFolder();
  await using agnes = await openEndless(folder.path);
  const stop = new AbortController();
  const syncing = failureOf(agnes.sync({ signal: stop.signal }));
  const run = await readingRun(agnes);
  stop.abort();
  expect((await syncing).code).toBe("aborted");
  expect(await (await agnes.runs()).get(run.id)).toMatchObject({
    status: "stopped",
    error: { code: "aborted" },
  });
});

test("list() shows the progress of a run of another process, and that it is lost when the process was killed", async () => {
  using folder = temporaryFolder();
  await using agnes = await openEndless(folder.path, () => true);
  const child = spawn(process.execPath, [join(import.meta.dir, "runs-child.ts"), folder.path], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    const run = await readingRun(agnes);
    expect(run).toMatchObject({ actor: "child", trigger: "cli", status: "running" });
    const { sources } = await agnes.sync();
    expect(sources[0]!.error).toMatchObject({ code: "source_running", details: { runId: run.id } });
    const ended = new Promise((resolve) => child.once("close", resolve));
    child.kill("SIGKILL");
    await ended;
    const runs = await agnes.runs();
    expect((await runs.get(run.id)).status).toBe("lost");
    expect((await runs.running()).size).toBe(0);
    expect((await agnes.sync()).status).toBe("complete");
    expect((await runs.list()).map(({ id, status }) => [id === run.id, status])).toEqual([
      [false, "complete"],
      [true, "lost"],
    ]);
  } finally {
    child.kill("SIGKILL");
  }
});

test("begin() forgets the oldest of more than 1,000 runs, and orders them although the clock was set back", async () => {
  using folder = temporaryFolder();
  let nowMs = Date.parse("2026-06-01T00:00:00Z");
  const host = createHost({ now: () => new Date(nowMs) });
  const storage = memoryStorage();
  const stored: Omit<Run, "id"> = {
    source: "s",
    trigger: "cli",
    actor: "a",
    full: false,
    requested: null,
    startedAt: "",
    endedAt: "",
    status: "complete",
    generation: 1,
    published: true,
    counts: { extracted: 0, unchanged: 0, failed: 0 },
    tables: [],
    error: null,
    skips: null,
    warning: null,
  };
  const ids = Array.from({ length: 999 }, (_, at) => `0${(1e12 + at).toString(36)}abcdef`);
  {
    const keys = { rowKey: "id", indexKeys: ["source", "status"], keepEntries: 1024 };
    await using catalog = await openCatalog<Run>({ name: "runs", storage, host, ...keys });
    await catalog.insertMany(ids.map((id) => ({ ...stored, id })));
  }
  await using runs = await Runs.open({ storage, directory: folder.path, host, log: silentLog });
  const request = { source: "s", trigger: "cli", actor: "a", full: false, requested: null } as const;
  for (const stepMs of [1000, 1000, -86_400_000, 1000]) {
    nowMs += stepMs;
    const run = await runs.begin(request);
    await run.end({ source: "s", status: "complete", registered: [], notes: [] });
    ids.push(run.id);
  }
  const listed = (await runs.list({ limit: 5000 })).map(({ id }) => id);
  expect(listed).toEqual(ids.slice(3).reverse());
});

test("list() reports a run as lost although another process has the number of the killed one", async () => {
  using folder = temporaryFolder();
  await using agnes = await openEndless(folder.path, () => true);
  await agnes.sync();
  const runs = await agnes.runs();
  const [last] = await runs.list();
  const running = join(folder.path, "data", "running");
  const state = { directory: join(folder.path, "data", "state"), host: createHost() };
  const keys = { rowKey: "id", indexKeys: ["source", "status"], keepEntries: 1024 };
  {
    await using catalog = await openCatalog<Run>({ name: "runs", storage: fileStorage(state), ...keys });
    const { progress: _, ...ended } = last!;
    await catalog.insert({ ...ended, id: `${ended.id}x`, status: "running", endedAt: null });
  }
  const live = { id: `${last!.id}x`, pid: process.pid, progress: [] };
  await writeFile(join(running, "e.json"), JSON.stringify(live));
  await using again = await openEndless(folder.path, () => true);
  expect((await (await again.runs()).list())[0]).toMatchObject({ id: live.id, status: "lost" });
  expect((await again.syncStatus())[0]).toMatchObject({ status: "on_time" });
});

test("list() shows no progress if its file is damaged", async () => {
  using folder = temporaryFolder();
  await using agnes = await openEndless(folder.path);
  const stop = new AbortController();
  const syncing = failureOf(agnes.sync({ signal: stop.signal }));
  const { id } = await readingRun(agnes);
  await using other = await openEndless(folder.path);
  const path = join(folder.path, "data", "running", "e.json");
  for (const text of ["", "null", `{"id":"${id}"}`, `{"id":"${id}","progress":[{"table":5}]}`]) {
    // The run replaces the file each second.
    await writeFile(path, text);
    const run = await (await other.runs()).get(id);
    expect(run.status).toBe("running");
    expect(run.progress.every(({ rows }) => Number.isInteger(rows))).toBe(true);
  }
  stop.abort();
  await syncing;
});

test("sync() records a failure for each table if the run cannot begin", async () => {
  using folder = temporaryFolder();
  const shop = newShop();
  await using agnes = await openShop(folder.path, shop);
  await agnes.sync();
  const lock = join(folder.path, "data", "running", "shop.lock");
  await rm(lock);
  await mkdir(lock);
  const { status, sources } = await agnes.sync();
  expect([status, sources[0]!.error!.code]).toEqual(["failed", "lock_damaged"]);
  expect((await agnes.syncStatus()).map((table) => [table.status, table.failures])).toEqual([
    ["failed", 1],
    ["failed", 1],
  ]);
});

test("sync() drops a table that is unregistered while its source runs", async () => {
  using folder = temporaryFolder();
  let isOpen = true;
  await using agnes = await openEndless(folder.path, () => isOpen);
  await agnes.sync();
  isOpen = false;
  const syncing = agnes.sync({ full: true });
  await readingRun(agnes);
  const { failures } = await (await agnes.tables()).unregister("e.numbers");
  expect(failures.length).toBe(1);
  isOpen = true;
  await syncing;
  expect(await agnes.catalog()).toEqual([]);
});
