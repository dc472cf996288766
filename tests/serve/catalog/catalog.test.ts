import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { served, type Served } from "../harness.ts";

let shop: Served;
let admin: string;
let analyst: string;
beforeAll(async () => {
  shop = await served();
  admin = await shop.token();
  const grants = { tables: ["shop.orders"], sources: [], folders: [] };
  analyst = await shop.token({ role: "analyst", grants });
});
afterAll(() => shop[Symbol.asyncDispose]());

async function get(path: string, token = admin) {
  const response = await shop.request(path, { token });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe("GET /api/v2/catalog", () => {
  test("lists the tables with their sizes, without a vendor", async () => {
    const { status, body } = await get("/api/v2/catalog");
    expect(status).toBe(200);
    expect(body["tables"]).toMatchObject([
      { id: "shop.customers", name: "customers", source_type: "files", rows: 2, rough_size_hint: "small" },
      { id: "shop.orders", name: "orders", query_mode: "local", rows: 3, partition_by: null },
    ]);
    expect(Date.parse(String(body["server_time"]))).toBeGreaterThan(0);
  });

  test("lists only accessible tables", async () => {
    const { body } = await get("/api/v2/catalog", analyst);
    expect((body["tables"] as { id: string }[]).map(({ id }) => id)).toEqual(["shop.orders"]);
  });

  test("shows a change of the registry at once", async () => {
    await using own = await served();
    const token = await own.token();
    const description = async () => {
      const response = await own.request("/api/v2/catalog", { token });
      return ((await response.json()) as { tables: { description: string }[] }).tables[1]!.description;
    };
    expect(await description()).toBe("");
    await (await own.agnes.tables()).update("shop.orders", { description: "All orders" });
    expect(await description()).toBe("All orders");
  });

  test("needs a token", async () => {
    expect((await shop.request("/api/v2/catalog")).status).toBe(401);
  });
});

describe("GET /api/v2/schema/:id", () => {
  test("describes a table by id or view name, in any case", async () => {
    for (const id of ["shop.orders", "SHOP.Orders", "orders", "ORDERS"]) {
      const { status, body } = await get(`/api/v2/schema/${id}`);
      expect([status, body["table_id"]]).toEqual([200, "shop.orders"]);
      expect(
        (body["columns"] as { name: string; type: string }[]).map(({ name, type }) => [name, type]),
      ).toEqual([
        ["id", "BIGINT"],
        ["customer", "BIGINT"],
        ["price", "DECIMAL(18,2)"],
      ]);
    }
  });

  test("a table that is not accessible is as unknown as one that does not exist", async () => {
    for (const id of ["customers", "nothing", "shop.customers", "..%2f..%2fetc"]) {
      const { status, body } = await get(`/api/v2/schema/${id}`, analyst);
      const error = body["error"] as { code: string; hint: string; details: { known: string[] } };
      expect([status, error.code, error.details.known]).toEqual([404, "table_unknown", ["orders"]]);
    }
  });

  test("a registered table without data has its own detail", async () => {
    await using own = await served();
    await (await own.agnes.tables()).register({ source: "shop", sourceTable: "refunds" });
    const response = await own.request("/api/v2/schema/shop.refunds", { token: await own.token() });
    const { error } = (await response.json()) as { error: { details: object } };
    expect([response.status, error.details]).toMatchObject([404, { registered: "shop.refunds" }]);
  });
});

describe("GET /api/v2/sample/:id", () => {
  test("returns the first rows", async () => {
    const { body } = await get("/api/v2/sample/orders?n=2");
    expect(body).toEqual({
      table_id: "shop.orders",
      source: "shop",
      rows: [
        { id: 1, customer: 1, price: 9.5 },
        { id: 2, customer: 2, price: 3.25 },
      ],
    });
    expect((await get("/api/v2/sample/orders")).body["rows"]).toHaveLength(3);
  });

  test("rejects other numbers, unknown parameters and other tables", async () => {
    for (const query of ["n=0", "n=101", "n=x", "n=1&m=2"])
      expect((await get(`/api/v2/sample/orders?${query}`)).status).toBe(400);
    expect((await get("/api/v2/sample/customers", analyst)).status).toBe(404);
  });
});
