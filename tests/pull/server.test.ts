import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Agnes } from "../../lib/agnes.ts";
import { createAgnes } from "../../lib/create-agnes.ts";
import { served, type Served } from "../serve/harness.ts";

let shop: Served;
let server: ReturnType<typeof Bun.serve>;
let folder: string;
let copy: Agnes;
let token: string;
const NONE = { tables: [], sources: [], folders: [] };
const paths: string[] = [];
/** Called before a request is handled. */
let before: (path: string) => Promise<void> | void = () => {};
/** Returns the response to a request; null: the usual one. */
let respond: () => Response | null = () => null;

beforeEach(async () => {
  shop = await served();
  token = await shop.token();
  before = () => {};
  respond = () => null;
  paths.length = 0;
  server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    development: false,
    async fetch(request) {
      const { pathname } = new URL(request.url);
      await before(pathname);
      const own = respond();
      if (own !== null) return own;
      const response = await shop.agnes.fetch(request);
      paths.push(`${response.status} ${pathname}`);
      return response;
    },
  });
  folder = await mkdtemp(join(tmpdir(), "agnes-pull-"));
  const host = { sleep: () => Bun.sleep(1) };
  copy = await createAgnes({ plugins: [], workspace: folder, config: { version: 1 }, host });
});
afterEach(async () => {
  await copy.close();
  await server.stop(true);
  await shop[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const pull = (options: Parameters<Agnes["pull"]>[0] = {}) =>
  copy.pull({ server: `http://127.0.0.1:${server.port}`, token, ...options });
const statuses = async (result: ReturnType<typeof pull>) =>
  Object.fromEntries((await result).tables.map(({ id, status }) => [id, status]));

describe("Agnes.pull from a server of Agnes", () => {
  test("a copy returns the rows of the server, and an unchanged one is one request", async () => {
    const sql = "SELECT o.*, c.name FROM orders o JOIN customers c ON c.id = o.customer ORDER BY o.id";
    expect(await statuses(pull())).toEqual({ "shop.customers": "updated", "shop.orders": "updated" });
    expect(await copy.rows(sql)).toEqual(await shop.agnes.rows(sql));
    paths.length = 0;
    await pull();
    expect(paths).toEqual(["304 /api/sync/manifest"]);
  });

  test("unsubscribed, server-only and unpermitted tables leave the copy", async () => {
    await pull();
    const tables = await shop.agnes.tables();
    await tables.update("shop.orders", { serverOnly: true });
    expect(await statuses(pull())).toEqual({ "shop.customers": "unchanged", "shop.orders": "unavailable" });
    const error = await copy.query("SELECT * FROM orders").catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "table_on_server" });
    await tables.update("shop.orders", { serverOnly: false });
    const json = { table_mode: "explicit", tables: { "shop.orders": true } };
    expect((await shop.request("/api/sync/table-subscriptions", { token, json })).status).toBe(200);
    expect(await statuses(pull())).toEqual({ "shop.customers": "removed", "shop.orders": "updated" });
    const limited = await shop.token({
      name: "guest",
      role: "analyst",
      grants: { ...NONE, tables: ["shop.customers"] },
    });
    expect(await statuses(pull({ token: limited }))).toEqual({
      "shop.customers": "updated",
      "shop.orders": "removed",
    });
  });

  test("a table is of one generation although the server publishes during the pull", async () => {
    const exports = join(shop.directory, "exports");
    // A row refers to a customer of the same generation only.
    const write = async (generation: number) => {
      const rows = [1, 2, 3].map((id) => `${id},${generation},${generation}.5`);
      await writeFile(join(exports, "orders.csv"), `id,customer,price\n${rows.join("\n")}\n`);
      await shop.agnes.sync();
    };
    let generation = 10;
    await write(generation);
    for (let round = 0; round < 3; round++) {
      before = async (path) => {
        if (!path.endsWith("/download")) return;
        before = () => {};
        await write(++generation);
      };
      await pull();
      const [row] = await copy.rows<{ n: number; rows: number }>(
        "SELECT count(DISTINCT customer) AS n, count(*) AS rows FROM orders",
      );
      expect(row).toEqual({ n: 1, rows: 3 });
    }
  });

  test("a list of tables that would fill the memory is rejected, and nothing is changed", async () => {
    const piece = new TextEncoder().encode(" ".repeat(1024 * 1024));
    let sent = 0;
    respond = () => {
      sent = 0;
      const pull = (controller: ReadableStreamDefaultController<Uint8Array>) => {
        sent += 1;
        if (sent > 400) controller.close();
        else controller.enqueue(piece);
      };
      return new Response(new ReadableStream({ pull }));
    };
    const error = await pull().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "manifest_too_large", details: { maxBytes: 128 * 1024 * 1024 } });
    expect(sent).toBeLessThan(300);
    expect((await readdir(join(folder, "data/copy"))).filter((name) => name.includes("manifest"))).toEqual(
      [],
    );
    expect(await readdir(join(folder, "data")).catch(() => [])).not.toContain("extracts");
  });

  test("a list of tables of more than 128 MiB is read table by table, and stored", async () => {
    const description = "d".repeat(99_000);
    const table = { source: "far", query_mode: "remote", unavailable: { code: "remote", message: "" } };
    respond = () => {
      let at = 0;
      const pull = (controller: ReadableStreamDefaultController<Uint8Array>) => {
        const send = (text: string) => controller.enqueue(new TextEncoder().encode(text));
        if (at === 0) send('{"version":1,"tables":{\n');
        const name = `t${at}`;
        if (at < 1400)
          send(`"far.${name}":${JSON.stringify({ ...table, name, view_name: name, description })},\n`);
        else {
          send(`"far.${name}":${JSON.stringify({ ...table, name, view_name: name })}\n}}`);
          controller.close();
        }
        at += 1;
      };
      return new Response(new ReadableStream({ pull }), { headers: { etag: '"large"' } });
    };
    expect((await pull()).tables).toHaveLength(1401);
    respond = () => new Response(null, { status: 304 });
    expect((await pull()).tables).toHaveLength(1401);
    expect((await readdir(join(folder, "data/copy"))).toSorted()).toEqual([
      ".lock",
      "manifest.json",
      "state.json",
    ]);
  });

  test("a damaged stored list is requested again", async () => {
    await pull();
    const path = join(folder, "data/copy/manifest.json");
    const stored = await Bun.file(path).text();
    const spoiled = [
      stored.slice(0, -1),
      stored.slice(0, stored.indexOf("\n") + 1),
      stored.replaceAll("\n", ""),
      "",
      "[]\n",
    ];
    for (const text of spoiled) {
      await writeFile(path, text);
      // Of a pull that was killed.
      await writeFile(`${path}.1.abc.tmp`, text);
      paths.length = 0;
      expect(await statuses(pull())).toEqual({ "shop.customers": "unchanged", "shop.orders": "unchanged" });
      expect(paths.at(-1)).toBe("200 /api/sync/manifest");
      expect((await Bun.file(path).text()).split("\n")).toHaveLength(stored.split("\n").length);
      expect(await readdir(join(folder, "data/copy"))).not.toContain("manifest.json.1.abc.tmp");
    }
  });

  test("a list that is stored is not used for another server", async () => {
    await pull();
    const path = join(folder, "data/copy/manifest.json");
    await writeFile(path, (await Bun.file(path).text()).replace("127.0.0.1", "127.0.0.2"));
    paths.length = 0;
    await pull();
    expect(paths).toEqual(["200 /api/sync/manifest"]);
  });
});
