import { describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { AgnesOptions } from "../../../lib/agnes.ts";
import { AgnesError, createHost, silentLog, type Host } from "../../../lib/base/mod.ts";
import { createAgnes } from "../../../lib/create-agnes.ts";
import { readSpool } from "../../../lib/push/spool.ts";
import files from "../../../plugins/files/plugin.ts";
import { boardPlugin, delivery, KEY, signed } from "./board.ts";

async function open({
  plugin = "board",
  host,
  sources = {},
  server = {},
}: {
  readonly plugin?: string;
  readonly host?: Partial<Host>;
  readonly sources?: object;
  readonly server?: object;
} = {}) {
  const directory = await mkdtemp(join(tmpdir(), "agnes-webhooks-"));
  const board = boardPlugin(plugin);
  const agnes = await createAgnes({
    plugins: [files, board.plugin],
    workspace: directory,
    config: {
      version: 1,
      sources: { board: { plugin }, shop: { plugin: "files", options: { path: directory } }, ...sources },
      server,
    },
    host: { env: { BOARD_KEY: KEY }, ...host },
  } as AgnesOptions);
  return {
    counts: board.counts,
    agnes,
    request: (path: string, init?: RequestInit) => agnes.fetch(new Request(`http://127.0.0.1${path}`, init)),
    async events() {
      const extract = join(directory, "data", "extracts", "board");
      const found = await readSpool(createHost(), silentLog, extract, Number.POSITIVE_INFINITY);
      return found.flatMap((file) => file.events);
    },
    async [Symbol.asyncDispose]() {
      await agnes.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

const codeOf = async (response: Response) =>
  [response.status, ((await response.json()) as { error: { code: string } }).error.code] as const;

describe("POST /webhooks/:source", () => {
  test("it stores the events of an authentic request before 202", async () => {
    await using board = await open();
    const response = await board.request("/webhooks/board", signed(delivery(7)));
    expect([response.status, await response.json()]).toEqual([202, { accepted: 1 }]);
    expect(await board.events()).toEqual([{ id: "d7", body: { issue: 7 } }]);
  });

  test("it rejects wrong signatures and malformed bodies, and stores nothing", async () => {
    await using board = await open();
    const { body, ...init } = signed(delivery(7));
    for (const request of [
      { ...init, body: new Uint8Array([...Buffer.from(body), 32]) },
      { ...init, headers: {}, body },
      { ...init, headers: { "x-signature": "00" }, body },
    ])
      expect(await codeOf(await board.request("/webhooks/board", request))).toEqual([
        401,
        "webhook_rejected",
      ]);
    for (const text of ["{", '{"delivery":"d1"}', '{"delivery":"","issue":1}', ""])
      expect(await codeOf(await board.request("/webhooks/board", signed(text)))).toEqual([
        400,
        "webhook_malformed",
      ]);
    expect(await codeOf(await board.request("/webhooks/board", signed("busy")))).toEqual([
      503,
      "webhook_unavailable",
    ]);
    expect(await board.events()).toEqual([]);
  });

  test("it verifies the raw bytes, also if they are not UTF-8", async () => {
    await using board = await open();
    const bytes = Buffer.from(`${delivery(3).slice(0, -1)},"name":"\xff"}`, "latin1");
    expect((await board.request("/webhooks/board", signed(bytes))).status).toBe(202);
  });

  test("it returns the same 404 for unknown sources and for plugins without stream", async () => {
    await using board = await open();
    const bodies = await Promise.all(
      ["nothing", "shop", "__proto__", "..%2Fboard"].map(async (source) => {
        const response = await board.request(`/webhooks/${source}`, signed(delivery(1)));
        return [response.status, await response.text()];
      }),
    );
    expect(new Set(bodies.map(String)).size).toBe(1);
    expect(bodies[0]![0]).toBe(404);
  });

  test("it rejects large bodies before they are verified", async () => {
    await using board = await open({ server: { maxWebhookBytes: 2048 } });
    const large = signed("x".repeat(2049));
    expect(await codeOf(await board.request("/webhooks/board", large))).toEqual([413, "body_too_large"]);
    expect(board.counts.connected).toBe(0);
    expect((await board.request("/webhooks/board", signed("x".repeat(2048)))).status).toBe(400);
  });

  test("it fails closed with 503 if the secret of the source is not set", async () => {
    await using board = await open({ host: { env: {} } });
    const response = await board.request("/webhooks/board", signed(delivery(1)));
    const text = await response.clone().text();
    expect(await codeOf(response)).toEqual([503, "webhook_unavailable"]);
    expect(text).not.toContain("BOARD_KEY");
    expect(await board.events()).toEqual([]);
  });

  test("it never acknowledges events that the full disk did not take", async () => {
    const { files: real } = createHost();
    let isFull = true;
    const write: typeof real.write = async (path, ...rest) => {
      if (isFull && path.includes("spool")) throw new AgnesError("disk_full", { path });
      return real.write(path, ...rest);
    };
    await using board = await open({ host: { files: { ...real, write } } });
    const response = await board.request("/webhooks/board", signed(delivery(1)));
    const text = await response.clone().text();
    expect(await codeOf(response)).toEqual([507, "webhook_not_stored"]);
    expect(text).not.toContain("spool");
    isFull = false;
    expect((await board.request("/webhooks/board", signed(delivery(1)))).status).toBe(202);
  });

  test("it opens the source once for requests at once and in turn, and closes it in the end", async () => {
    const board = await open();
    const numbers = Array.from({ length: 1000 }, (_, at) => at);
    const statuses = await Promise.all(
      numbers.map(async (at) => (await board.request("/webhooks/board", signed(delivery(at)))).status),
    );
    expect(new Set(statuses)).toEqual(new Set([202]));
    expect((await board.request("/webhooks/board", signed(delivery(1000)))).status).toBe(202);
    expect(new Set((await board.events()).map(({ id }) => id)).size).toBe(1001);
    expect(board.counts).toEqual({ connected: 1, closed: 0 });
    await board[Symbol.asyncDispose]();
    expect(board.counts).toEqual({ connected: 1, closed: 1 });
  });

  test("it opens the source again after ten minutes", async () => {
    let nowMs = 0;
    await using board = await open({ host: { monotonicMs: () => nowMs } });
    await board.request("/webhooks/board", signed(delivery(1)));
    nowMs += 9 * 60_000;
    await board.request("/webhooks/board", signed(delivery(2)));
    expect(board.counts.connected).toBe(1);
    nowMs += 2 * 60_000;
    await board.request("/webhooks/board", signed(delivery(3)));
    expect(board.counts.connected).toBe(2);
  });
});

describe("POST /api/:plugin/webhook", () => {
  test("it is the path of the only source whose plugin is jira", async () => {
    await using jira = await open({ plugin: "jira" });
    expect((await jira.request("/api/jira/webhook", signed(delivery(1)))).status).toBe(202);
    await using board = await open();
    expect((await board.request("/api/jira/webhook", signed(delivery(1)))).status).toBe(404);
    await using two = await open({ plugin: "jira", sources: { second: { plugin: "jira" } } });
    expect((await two.request("/api/jira/webhook", signed(delivery(1)))).status).toBe(404);
  });
});

describe("GET /webhooks/:source/health", () => {
  test("it counts the waiting events, to those who may see the source", async () => {
    await using board = await open();
    const tokens = await board.agnes.tokens();
    const health = async (token: string) =>
      board.request("/webhooks/board/health", { headers: { authorization: `Bearer ${token}` } });
    const { token } = await tokens.create({ name: "ops", role: "admin" });
    expect(await (await health(token)).json()).toEqual({
      source: "board",
      status: "ok",
      spooled_events: 0,
      last_received_at: null,
    });
    for (const issue of [1, 2]) await board.request("/webhooks/board", signed(delivery(issue)));
    const after = (await (await health(token)).json()) as Record<string, unknown>;
    expect([after["spooled_events"], typeof after["last_received_at"]]).toEqual([2, "string"]);
    expect((await board.request("/webhooks/board/health")).status).toBe(401);
    const grants = { tables: ["shop.orders"], sources: [], folders: [] };
    const other = await tokens.create({ name: "other", role: "analyst", grants });
    expect((await health(other.token)).status).toBe(404);
  });

  test("it counts no events for a caller with access to some tables, because they may be those of others", async () => {
    await using board = await open();
    await board.request("/webhooks/board", signed(delivery(1)));
    await board.agnes.sync();
    await board.request("/webhooks/board", signed(delivery(2)));
    const [table] = await board.agnes.catalog();
    const grants = { tables: [table!.id], sources: [], folders: [] };
    const { token } = await (await board.agnes.tokens()).create({ name: "one", role: "analyst", grants });
    const response = await board.request("/webhooks/board/health", {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(await response.json()).toEqual({
      source: "board",
      status: "ok",
      spooled_events: null,
      last_received_at: null,
    });
  });
});
