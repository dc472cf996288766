import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { appendFile, readFile, rename, rm, symlink, truncate } from "node:fs/promises";
import { join } from "node:path";

import { served, type Served } from "../harness.ts";

let shop: Served;
let admin: string;
let analyst: string;
let path: string;
let bytes: Buffer;
beforeAll(async () => {
  shop = await served();
  admin = await shop.token();
  const grants = { tables: ["shop.orders"], sources: [], folders: [] };
  analyst = await shop.token({ name: "ann", role: "analyst", grants });
  path = (await partOf(shop, "shop.orders")).path;
  bytes = await readFile(placeOf(shop, path));
});
afterAll(() => shop[Symbol.asyncDispose]());

async function partOf(from: Served, id: string) {
  const token = await from.token();
  const response = await from.request("/api/sync/manifest", { token });
  const { tables } = (await response.json()) as {
    readonly tables: Readonly<
      Record<string, { generation: number; parts: readonly { path: string; sha256: string }[] }>
    >;
  };
  const { generation, parts } = tables[id]!;
  return { generation, ...parts[0]! };
}

function placeOf(from: Served, part: string): string {
  return join(from.agnes.workspace.dataDirectory, "extracts", "shop", part);
}

function download(search: string, headers: Record<string, string> = {}, method = "GET") {
  return shop.request(`/api/data/shop.orders/download${search}`, { token: admin, headers, method });
}

async function codeOf(response: Response): Promise<readonly [number, string]> {
  const { error } = (await response.json()) as { readonly error: { readonly code: string } };
  return [response.status, error.code];
}

describe("GET /api/data/:id/download", () => {
  test("returns the bytes of a part with its hash", async () => {
    const response = await download(`?part=${path}`);
    const sha256 = createHash("sha256").update(bytes).digest();
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      etag: `"${sha256.toString("hex")}"`,
      "accept-ranges": "bytes",
      "content-type": "application/vnd.apache.parquet",
      "content-length": String(bytes.length),
      "repr-digest": `sha-256=:${sha256.toString("base64")}:`,
    });
    expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true);
  });

  test("takes the view name in any case, and needs no part if there is one only", async () => {
    const response = await shop.request("/api/data/Orders/download", { token: analyst });
    expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true);
  });

  test("returns the headers alone for HEAD", async () => {
    const response = await download("", { range: "bytes=0-3" }, "HEAD");
    expect([response.status, response.headers.get("content-length")]).toEqual([200, String(bytes.length)]);
    expect(await response.text()).toBe("");
  });

  test("returns ranges", async () => {
    for (const [range, from, to] of [
      ["bytes=0-3", 0, 4],
      ["bytes=4-", 4, bytes.length],
      ["bytes=-5", bytes.length - 5, bytes.length],
      ["bytes=4-99999999", 4, bytes.length],
      ["BYTES=4-4", 4, 5],
    ] as const) {
      const response = await download("", { range });
      const found = Buffer.from(await response.arrayBuffer());
      expect([response.status, response.headers.get("content-range")], range).toEqual([
        206,
        `bytes ${from}-${to - 1}/${bytes.length}`,
      ]);
      expect(found.equals(bytes.subarray(from, to)), range).toBe(true);
    }
  });

  test("returns the whole for several ranges and for what is no range", async () => {
    for (const range of ["bytes=0-1,3-4", "bytes=5-2", "rows=0-1", "bytes=x", "bytes=-", "bytes="]) {
      const response = await download("", { range });
      expect([response.status, (await response.arrayBuffer()).byteLength], range).toEqual([
        200,
        bytes.length,
      ]);
    }
  });

  test("returns 416 with the size for a range beyond the end", async () => {
    for (const range of [`bytes=${bytes.length}-`, "bytes=-0"]) {
      const response = await download("", { range });
      expect(response.headers.get("content-range")).toBe(`bytes */${bytes.length}`);
      expect(await codeOf(response)).toEqual([416, "range_not_satisfiable"]);
    }
  });

  test("obeys If-None-Match and If-Range", async () => {
    const etag = (await download("")).headers.get("etag")!;
    for (const value of [etag, "*", `"x", W/${etag}`]) {
      const response = await download("", { "if-none-match": value, range: "bytes=0-1" });
      expect([response.status, response.headers.get("etag"), await response.text()]).toEqual([304, etag, ""]);
    }
    const statusFor = async (value: string) =>
      (await download("", { "if-range": value, range: "bytes=0-1" })).status;
    expect(await statusFor(etag)).toBe(206);
    for (const value of [`W/${etag}`, '"other"', "Fri, 27 Nov 2026 18:00:00 GMT"])
      expect(await statusFor(value), value).toBe(200);
  });

  test("never leads to another table, or out of the extract", async () => {
    const other = (await partOf(shop, "shop.customers")).path;
    for (const part of [
      other,
      "../shop/data/orders/x.parquet",
      `data/orders/../customers/${other.split("/")[2]}`,
      `data/orders/..%2F..%2F..%2Fextract.duckdb`,
      "extract.duckdb",
      "data/orders",
      "data/orders/",
      "",
      `/${path}`,
      `${path}/`,
      path.replace("data/orders", "data//orders"),
    ]) {
      const response = await shop.request(`/api/data/shop.orders/download?part=${encodeURIComponent(part)}`, {
        token: analyst,
      });
      const [status, code] = await codeOf(response);
      expect([status, code], part).toEqual([410, "part_gone"]);
    }
  });

  test("a table without a grant is as unknown as one that does not exist", async () => {
    for (const route of ["download", "check-access"]) {
      const found = await Promise.all(
        ["shop.customers", "customers", "shop.nothing"].map(async (id) => {
          const response = await shop.request(`/api/data/${id}/${route}`, { token: analyst });
          return (await response.text()).replaceAll(id, "ID");
        }),
      );
      expect(new Set(found).size).toBe(1);
      expect(found[0]).toContain("table_unknown");
    }
  });

  test("a part stays for the grace period while newer ones are published, and is gone with its file", async () => {
    await using own = await served();
    const token = await own.token();
    const first = await partOf(own, "shop.orders");
    const get = async (search: string) => own.request(`/api/data/shop.orders/download${search}`, { token });
    for (let row = 4; row < 10; row++) {
      await appendFile(join(own.directory, "exports", "orders.csv"), `${row},1,1\n`);
      await own.agnes.sync();
      // From the fifth on, no kept generation lists it.
      for (const search of [`?part=${first.path}`, `?part=${first.path}&generation=${first.generation}`]) {
        const response = await get(search);
        const sha256 = createHash("sha256")
          .update(Buffer.from(await response.arrayBuffer()))
          .digest("hex");
        expect([response.status, response.headers.get("etag"), sha256]).toEqual([
          200,
          `"${first.sha256}"`,
          first.sha256,
        ]);
      }
    }
    const latest = await partOf(own, "shop.orders");
    expect(latest.generation).toBe(7);
    // Of a generation that is kept, only its parts.
    expect(await codeOf(await get(`?part=${first.path}&generation=7`))).toEqual([410, "part_gone"]);
    expect(await codeOf(await get(`?part=${first.path}&generation=6`))).toEqual([410, "part_gone"]);
    expect((await get("?generation=6")).status).toBe(200);
    expect(await codeOf(await get("?generation=1"))).toEqual([410, "part_gone"]);
    await rm(placeOf(own, first.path));
    expect(await codeOf(await get(`?part=${first.path}`))).toEqual([410, "part_gone"]);
  });

  test("a damaged part is an error of its own, not a part that is gone", async () => {
    await using own = await served();
    const token = await own.token();
    const get = async () => own.request("/api/data/shop.orders/download", { token });
    const place = placeOf(own, (await partOf(own, "shop.orders")).path);
    const moved = join(own.directory, "moved.parquet");
    await rename(place, moved);
    expect(await codeOf(await get())).toEqual([503, "part_unreadable"]);
    await symlink(moved, place);
    const response = await get();
    const text = await response.clone().text();
    expect(await codeOf(response)).toEqual([503, "part_unreadable"]);
    expect(text).not.toContain(own.directory);
    await rm(place);
    await rename(moved, place);
    expect((await get()).status).toBe(200);
    await truncate(place, 20);
    expect(await codeOf(await get())).toEqual([503, "part_unreadable"]);
  });

  test("a folder that became a link is not followed", async () => {
    await using own = await served();
    const token = await own.token();
    const place = placeOf(own, (await partOf(own, "shop.orders")).path);
    const folder = join(place, "..");
    await rename(folder, join(own.directory, "moved"));
    await symlink(join(own.directory, "moved"), folder);
    const response = await own.request("/api/data/shop.orders/download", { token });
    expect(await codeOf(response)).toEqual([503, "part_unreadable"]);
  });

  test("a file that no part is has no path that leads to it", async () => {
    await using own = await served();
    const token = await own.token();
    const place = placeOf(own, (await partOf(own, "shop.orders")).path);
    const name = `${"0".repeat(32)}.parquet`;
    await Bun.write(join(place, "..", name), "PAR1");
    const response = await own.request(`/api/data/shop.orders/download?part=data/orders/${name}`, { token });
    expect(await codeOf(response)).toEqual([410, "part_gone"]);
  });

  test("explains tables without parts", async () => {
    await using own = await served();
    const token = await own.token();
    const tables = await own.agnes.tables();
    await tables.update("shop.orders", { serverOnly: true });
    await tables.update("shop.customers", { queryMode: "remote" });
    for (const [id, expected] of [
      ["shop.orders", [403, "table_server_only"]],
      ["shop.customers", [409, "table_remote"]],
    ] as const) {
      for (const route of ["download", "check-access"])
        expect(await codeOf(await own.request(`/api/data/${id}/${route}`, { token }))).toEqual(expected);
    }
  });
});

test("GET /api/data/:id/check-access returns 204 for a table that can be downloaded", async () => {
  const response = await shop.request("/api/data/orders/check-access", { token: analyst });
  expect([response.status, await response.text()]).toEqual([204, ""]);
});
