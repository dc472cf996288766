import { expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { join } from "node:path";

import { AgnesError, createLog, type LogEntry } from "../../../lib/base/mod.ts";
import { createAgnes } from "../../../lib/create-agnes.ts";
import { ServerState } from "../../../lib/serve/mod.ts";
import { logEnded } from "../../../lib/serve/runs/log-run.ts";
import { endlessPlugin } from "../../sync/endless.ts";
import { served, type Served } from "../harness.ts";

interface RunJson {
  readonly id: string;
  readonly status: string;
  readonly trigger: string;
  readonly progress: readonly { readonly rows: number }[];
}

const json = async <T>(response: Response) => (await response.json()) as T;

/** A served workspace with the source `e`, or others, whose read ends when the test opens it. */
async function endless(names: readonly string[] = ["e"]) {
  let isOpen = false;
  const state = new ServerState();
  const server = await served();
  const agnes = await createAgnes({
    workspace: server.directory,
    plugins: [endlessPlugin(() => isOpen)],
    config: {
      version: 1,
      limits: { sourcesAtOnce: 1 },
      sources: Object.fromEntries(names.map((name) => [name, { plugin: "endless" }])),
    },
    server: { state },
  });
  const token = await server.token();
  await server.agnes.close();
  const own: Served = { ...server, agnes };
  const request = (path: string, init: RequestInit & { readonly json?: unknown } = {}) => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const body = init.json === undefined ? null : JSON.stringify(init.json);
    return agnes.fetch(new Request(`http://127.0.0.1${path}`, { ...init, body, headers }));
  };
  return {
    request,
    agnes,
    state,
    open: () => void (isOpen = true),
    shut: () => void (isOpen = false),
    async [Symbol.asyncDispose]() {
      await agnes.close();
      await own[Symbol.asyncDispose]();
    },
  };
}

const post = (body: unknown) => ({ method: "POST", json: body });

test("POST /api/sync/trigger begins a run, and rejects another one of the source until it ends", async () => {
  await using server = await endless();
  const begun = await server.request("/api/sync/trigger", post({}));
  expect(begun.status).toBe(200);
  const { job_id: id, ...rest } = await json<{ job_id: string }>(begun);
  expect(rest).toMatchObject({
    status: "triggered",
    sources: ["e"],
    tables: null,
    runs: [{ id, source: "e" }],
  });
  const second = await server.request("/api/sync/trigger", post({}));
  expect(second.status).toBe(409);
  expect(await json(second)).toMatchObject({ error: { code: "source_running", details: { runId: id } } });
  const running = await json<RunJson>(await server.request(`/api/runs/${id}`));
  expect(running).toMatchObject({ status: "running", trigger: "http" });
  server.open();
  while ((await json<RunJson>(await server.request(`/api/runs/${id}`))).status === "running")
    await Bun.sleep(20);
  expect(await json<RunJson>(await server.request(`/api/runs/${id}`))).toMatchObject({
    status: "complete",
    counts: { extracted: 1, unchanged: 0, failed: 0 },
  });
  const status = await json<{ readonly tables: readonly unknown[] }>(
    await server.request("/api/sync/status"),
  );
  expect(status).toMatchObject({ locked: false, scheduler: "stopped" });
  expect(status.tables[0]).toMatchObject({ id: "e.numbers", status: "on_time", run_id: id });
  const again = () => server.request("/api/sync/trigger", post({ tables: ["numbers"] }));
  let third = await again();
  for (; third.status === 409; third = await again()) await Bun.sleep(5);
  expect(await json(third)).toMatchObject({ sources: ["e"], tables: ["numbers"] });
});

test("GET /api/sync/status is locked for a caller only if a table that it may access is being synced", async () => {
  await using server = await endless();
  const tokens = await server.agnes.tokens();
  const isLocked = async (...sources: readonly string[]) => {
    const grants = sources.length === 0 ? null : { tables: [], sources, folders: [] };
    const { token } = await tokens.create({ name: "reader", role: "analyst", grants });
    const request = new Request("http://127.0.0.1/api/sync/status", {
      headers: { authorization: `Bearer ${token}` },
    });
    return (await json<{ locked: boolean }>(await server.agnes.fetch(request))).locked;
  };
  const locks = async () => [await isLocked(), await isLocked("e"), await isLocked("shop")];
  server.open();
  await server.agnes.sync();
  expect(await locks()).toEqual([false, false, false]);
  server.shut();
  await server.request("/api/sync/trigger", post({}));
  expect(await locks()).toEqual([true, true, false]);
  server.open();
});

test("POST /api/sync/trigger names the sync in which a source waits for its turn", async () => {
  await using server = await endless(["e", "later"]);
  const { job_id: id, sources } = await json<{ job_id: string; sources: readonly string[] }>(
    await server.request("/api/sync/trigger", post({})),
  );
  expect(sources).toEqual(["e", "later"]);
  const second = await server.request("/api/sync/trigger?source=later", post({}));
  expect(second.status).toBe(409);
  const { error } = await json<{ error: { message: string; details: object } }>(second);
  expect(error).toMatchObject({
    code: "source_running",
    details: {
      source: "later",
      holder: expect.stringContaining("test (") as string,
      startedAt: expect.stringMatching(/^\d{4}-.*Z$/) as string,
      runIds: [id],
    },
  });
  expect(error.message).toContain(`it waits for its turn in the sync that began`);
});

test("POST /api/sync/trigger accepts one of several requests at once", async () => {
  await using server = await endless();
  const responses = await Promise.all(
    Array.from({ length: 8 }, () => server.request("/api/sync/trigger", post({}))),
  );
  expect(responses.map(({ status }) => status).sort((a, b) => a - b)).toEqual([
    200,
    ...Array.from({ length: 7 }, () => 409),
  ]);
});

test("GET /api/runs/:id/events sends the progress of a run until its end", async () => {
  await using server = await endless();
  const { job_id: id } = await json<{ job_id: string }>(await server.request("/api/sync/trigger", post({})));
  const response = await server.request(`/api/runs/${id}/events`);
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  const decoder = new TextDecoder();
  let text = "";
  const runs = () =>
    [...text.matchAll(/^event: run\ndata: (.+)\n\n/gm)].map(([, data]) => JSON.parse(data!) as RunJson);
  for await (const bytes of response.body!) {
    text += decoder.decode(bytes as Uint8Array, { stream: true });
    if (runs().filter(({ progress }) => (progress[0]?.rows ?? 0) > 0).length > 1) server.open();
  }
  const rows = runs().flatMap(({ progress }) => progress.map((table) => table.rows));
  expect(rows).toEqual([...rows].sort((a, b) => a - b));
  expect(new Set(rows).size).toBeGreaterThan(1);
  expect(
    runs()
      .map(({ status }) => status)
      .slice(-2),
  ).toEqual(["running", "complete"]);
});

test.each([
  ["the server", (server: Awaited<ReturnType<typeof endless>>) => server.state.endStreams()],
  ["its workspace", (server: Awaited<ReturnType<typeof endless>>) => void server.agnes.close()],
])("GET /api/runs/:id/events ends with the last state when %s ends", async (_what, end) => {
  await using server = await endless();
  const { job_id: id } = await json<{ job_id: string }>(await server.request("/api/sync/trigger", post({})));
  const open = () => server.request(`/api/runs/${id}/events`);
  const texts = [await open(), await open()].map((response) => response.text());
  await Bun.sleep(20);
  const startedMs = performance.now();
  end(server);
  for (const text of await Promise.all(texts))
    expect(text).toMatch(/^(?:event: run\ndata: \{.*"status":"running".*\}\n\n){2}$/);
  expect(performance.now() - startedMs).toBeLessThan(400);
});

test("the routes of runs are for administrators, and the status shows granted tables only", async () => {
  await using server = await served();
  const analyst = await server.token({
    role: "analyst",
    grants: { tables: ["shop.orders"], sources: [], folders: [] },
  });
  for (const [path, method] of [
    ["/api/runs", "GET"],
    ["/api/runs/x", "GET"],
    ["/api/runs/x/events", "GET"],
    ["/api/sync/trigger", "POST"],
  ] as const) {
    const response = await server.request(path, {
      token: analyst,
      method,
      json: method === "POST" ? null : undefined,
    });
    expect([path, response.status]).toEqual([path, 403]);
  }
  const status = await json<{ tables: readonly { id: string }[] }>(
    await server.request("/api/sync/status", { token: analyst }),
  );
  expect(status.tables.map(({ id }) => id)).toEqual(["shop.orders"]);
});

test("POST /api/sync/trigger names what it does not know, and begins nothing", async () => {
  await using server = await served();
  const token = await server.token();
  const trigger = (path: string, body: unknown) =>
    server.request(`/api/sync/trigger${path}`, { token, method: "POST", json: body });
  expect((await trigger("?source=none", {})).status).toBe(400);
  expect(await json(await trigger("", { tables: ["shop.order"] }))).toMatchObject({
    error: { code: "table_not_registered", details: { nearest: "shop.orders" } },
  });
  expect(await json(await trigger("", { tables: ["nowhere.t"] }))).toMatchObject({
    error: { code: "source_unknown" },
  });
  expect((await trigger("", { tables: [], more: 1 })).status).toBe(400);
  const { runs } = await json<{ runs: readonly unknown[] }>(await server.request("/api/runs", { token }));
  expect(runs.length).toBe(1);
});

test("the log of the server has one entry for each run: a warning if it failed", async () => {
  const entries: LogEntry[] = [];
  await using server = await served({ log: createLog((entry) => entries.push(entry)) });
  const token = await server.token();
  const sync = async () => {
    const begun = await server.request("/api/sync/trigger", { token, json: {} });
    const { job_id: id } = await json<{ job_id: string }>(begun);
    const found = () => entries.filter(({ fields }) => fields["run"] === id);
    while (found().length === 0) await Bun.sleep(20);
    return { id, found: found() };
  };
  const { id, found } = await sync();
  expect(found).toMatchObject([
    { level: "info", message: "a run ended", fields: { source: "shop", run: id, unchanged: 2 } },
  ]);
  await rm(join(server.directory, "exports"), { recursive: true });
  const skipped = await sync();
  expect(skipped.found).toMatchObject([
    { level: "warn", message: "a run was skipped", fields: { source: "shop", code: "source_path_empty" } },
  ]);
});

test("the log of the server has a warning for a run that was stopped", async () => {
  const entries: LogEntry[] = [];
  logEnded(
    createLog((entry) => entries.push(entry)),
    new Map([["shop", "r1"]]),
    new AgnesError("aborted", { what: "the sync" }),
  );
  expect(entries).toMatchObject([
    { level: "warn", message: "a run was stopped", fields: { source: "shop", run: "r1", code: "aborted" } },
  ]);
});

test("POST /api/sync/trigger names the number of entries that it needs", async () => {
  await using server = await served();
  const token = await server.token();
  const rejected = await server.request("/api/sync/trigger", { token, json: { tables: [] } });
  expect([rejected.status, await json(rejected)]).toMatchObject([
    400,
    { error: { message: expect.stringMatching(/tables in the body: it must have at least 1 entry$/) } },
  ]);
});
