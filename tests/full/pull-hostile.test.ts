import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Agnes } from "../../lib/agnes.ts";
import { createAgnes } from "../../lib/create-agnes.ts";
import { served, type Served } from "../serve/harness.ts";
import { distribute, problem, TOKEN, type Distribution, type SentTable } from "../pull/distribution.ts";

let shop: Served;
let server: Distribution;
let folder: string;
let copy: Agnes;

beforeEach(async () => {
  shop = await served();
  server = distribute(shop.agnes);
  folder = await mkdtemp(join(tmpdir(), "agnes-pull-"));
  const host = { sleep: () => Bun.sleep(1) };
  copy = await createAgnes({ plugins: [], workspace: join(folder, "copy"), config: { version: 1 }, host });
});
afterEach(async () => {
  await copy.close();
  await server[Symbol.asyncDispose]();
  await shop[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const pull = (options: Parameters<Agnes["pull"]>[0] = {}) =>
  copy.pull({ server: server.address, token: TOKEN, ...options });
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => null,
    (error: unknown) => (error as { readonly code: string }).code,
  );
/** The codes of the tables that fail. */
const codes = async (result: ReturnType<typeof pull>) =>
  Object.fromEntries((await result).tables.map(({ id, error }) => [id, error?.code]));
const isDownload = (url: URL) => url.pathname === "/api/data/shop.orders/download";
const rows = () => copy.rows("SELECT count(*) AS n FROM orders");

describe("a pull from a hostile server", () => {
  const changes: readonly [string, (table: SentTable) => void][] = [
    ["a name that is a path", (table) => (table["name"] = "../../orders")],
    ["a source that is a path", (table) => (table["source"] = "..")],
    ["a reserved name", (table) => (table["name"] = "_meta")],
    ["a hash that is a path", (table) => (table.parts[0]!["sha256"] = "../../../etc/passwd")],
    ["SQL as a type", (table) => ((table["columns"] as { type: string }[])[0]!.type = "INT) FROM x; --")],
    ["another number of rows", (table) => (table["rows"] = 4)],
    ["a layout that is not listed", (table) => (table.parts[0]!["layout"] = 99)],
    ["a view name that is SQL", (table) => (table["view_name"] = 'x"; DROP')],
    ["no columns", (table) => (table["columns"] = [])],
    ["a size that is not a number", (table) => (table.parts[0]!["size_bytes"] = -1)],
  ];
  for (const [what, change] of changes) {
    test(`${what} is rejected, and the other tables are pulled`, async () => {
      server.change = ({ tables }) => change(tables["shop.orders"]!);
      expect(await codes(pull())).toMatchObject({
        "shop.customers": undefined,
        "shop.orders": "manifest_invalid",
      });
      expect(await readdir(folder)).toEqual(["copy"]);
    });
  }

  test("columns that the parts lack fail the table, which keeps its copy", async () => {
    await pull();
    server.change = ({ tables }) => {
      (tables["shop.orders"]!["columns"] as object[]).push({ name: "extra", type: "NOTYPE", nullable: true });
    };
    expect((await codes(pull()))["shop.orders"]).toBeDefined();
    expect(await rows()).toEqual([{ n: 3 }]);
  });

  test("a path of a part on the server is never a path here", async () => {
    server.change = ({ tables }) =>
      (tables["shop.orders"]!.parts[0]!["path"] = "../../../../escaped.parquet");
    const part = (await readdir(join(shop.directory, "data/extracts/shop/data/orders")))[0]!;
    const file = Bun.file(join(shop.directory, "data/extracts/shop/data/orders", part));
    server.respond = (_, url) => (isDownload(url) ? new Response(file) : null);
    expect((await codes(pull()))["shop.orders"]).toBeUndefined();
    expect(await rows()).toEqual([{ n: 3 }]);
    expect(await readdir(folder)).toEqual(["copy"]);
  });

  test("other bytes of the right length are rejected by their hash", async () => {
    server.respond = (_, url) => {
      const size = 10_000;
      return isDownload(url) ? new Response(new Uint8Array(size)) : null;
    };
    server.change = ({ tables }) => (tables["shop.orders"]!.parts[0]!["size_bytes"] = 10_000);
    expect((await codes(pull()))["shop.orders"]).toBe("part_damaged");
  });

  test("an endless body is stopped at the listed size", async () => {
    let sentBytes = 0;
    server.respond = (_, url) => {
      if (!isDownload(url)) return null;
      const body = new ReadableStream({
        async pull(controller) {
          await Bun.sleep(0);
          sentBytes += 65_536;
          controller.enqueue(new Uint8Array(65_536));
        },
      });
      return new Response(body);
    };
    expect((await codes(pull()))["shop.orders"]).toBe("part_damaged");
    expect(sentBytes).toBeLessThan(50_000_000);
  });

  test("a redirect is not followed, so another host does not get the token", async () => {
    const seen: string[] = [];
    using other = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch(request) {
        seen.push(request.headers.get("authorization") ?? "none");
        return new Response("");
      },
    });
    const redirect = () =>
      new Response(null, { status: 302, headers: { location: `http://127.0.0.1:${other.port}/` } });
    server.respond = (_, url) => (isDownload(url) ? redirect() : null);
    expect((await codes(pull()))["shop.orders"]).toBe("server_response_invalid");
    server.respond = () => redirect();
    expect(await codeOf(pull())).toBe("server_response_invalid");
    expect(seen).toEqual([]);
  });

  test("a token is not sent over http to another machine", async () => {
    expect(await codeOf(pull({ server: "http://agnes.example.com" }))).toBe("server_address_invalid");
  });

  test("a response that is no list of tables changes nothing", async () => {
    await pull();
    for (const content of ["[]", "{}", '{"version":2,"tables":{}}', "<html>"]) {
      server.respond = () => new Response(content);
      expect(await codeOf(pull())).toMatch(/^(?:manifest|server_response)_invalid$/);
    }
    server.respond = () => problem(401, "token_invalid");
    expect(await codeOf(pull())).toBe("token_invalid");
    expect(await rows()).toEqual([{ n: 3 }]);
  });
});

describe("a pull over a bad connection", () => {
  test("continues a broken download where it stopped", async () => {
    const part = (await readdir(join(shop.directory, "data/extracts/shop/data/orders")))[0]!;
    const bytes = await Bun.file(join(shop.directory, "data/extracts/shop/data/orders", part)).bytes();
    let isFirst = true;
    server.respond = (_, url) => {
      if (!isDownload(url) || !isFirst) return null;
      isFirst = false;
      const body = new ReadableStream({
        async start(controller) {
          controller.enqueue(bytes.slice(0, 100));
          await Bun.sleep(200);
          controller.error(new Error("broken"));
        },
      });
      return new Response(body);
    };
    expect((await codes(pull()))["shop.orders"]).toBeUndefined();
    expect(server.requests.filter((line) => line.includes("orders")).at(-1)).toMatch(/ 206 bytes=100-$/);
    expect(await rows()).toEqual([{ n: 3 }]);
  });

  test("requests again what sends no byte for a time", async () => {
    let isFirst = true;
    server.respond = (_, url) => {
      if (!isDownload(url) || !isFirst) return null;
      isFirst = false;
      return new Response(
        new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(0)) }),
      );
    };
    expect((await codes(pull({ stalledMs: 2_000 })))["shop.orders"]).toBeUndefined();
    expect(await rows()).toEqual([{ n: 3 }]);
    server.respond = () => new Promise(() => {});
    expect(await codeOf(pull({ stalledMs: 100 }))).toBe("download_stalled");
  });

  test("repeats a request after 503", async () => {
    let left = 2;
    server.respond = () => (left-- > 0 ? problem(503, "duckdb_stuck") : null);
    expect((await pull()).status).toBe("complete");
  });

  test("requests a new list when a part is gone, and keeps the parts it has", async () => {
    let isFirst = true;
    server.respond = (_, url) => {
      if (!isDownload(url) || !isFirst) return null;
      isFirst = false;
      return problem(410, "part_gone");
    };
    expect((await pull()).status).toBe("complete");
    const lines = server.requests.map((line) => line.replace(/\?\S*/, ""));
    expect(lines.filter((line) => line.includes("manifest"))).toHaveLength(2);
    expect(lines.filter((line) => line.includes("customers"))).toHaveLength(1);
  });

  test("ends when a part stays gone", async () => {
    server.respond = (_, url) => (isDownload(url) ? problem(410, "part_gone") : null);
    expect(await codes(pull())).toMatchObject({ "shop.customers": undefined, "shop.orders": "part_gone" });
  });

  test("stops at once when it is aborted, and a later pull completes", async () => {
    const controller = new AbortController();
    server.respond = (_, url) => {
      if (isDownload(url)) controller.abort();
      return null;
    };
    expect(await codeOf(pull({ signal: controller.signal }))).toBe("aborted");
    server.respond = () => null;
    expect((await pull()).status).toBe("complete");
  });
});
