import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { served, type Served } from "../harness.ts";

let shop: Served;
let admin: string;
let analyst: string;
beforeAll(async () => {
  shop = await served();
  const tables = await shop.agnes.tables();
  await tables.update("shop.orders", { foreignKeys: [{ column: "customer", references: "customers.id" }] });
  await tables.update("shop.customers", { foreignKeys: [{ column: "id", references: "orders" }] });
  admin = await shop.token();
  const grants = { tables: ["shop.orders"], sources: [], folders: [] };
  analyst = await shop.token({ role: "analyst", grants });
});
afterAll(() => shop[Symbol.asyncDispose]());

async function profileOf(table: string, token: string) {
  const response = await shop.request(`/api/v2/profile/${table}`, { token });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe("GET /api/v2/profile/{id}", () => {
  test("returns the profile of the last sync", async () => {
    const { status, body } = await profileOf("Orders", admin);
    expect(status).toBe(200);
    expect(body).toMatchObject({ table_id: "shop.orders", row_count: 3, stale: null, sampled: false });
    expect(body).toEqual(JSON.parse(JSON.stringify(await shop.agnes.profile("orders"))) as typeof body);
  });

  test("names no table that the caller may not access", async () => {
    const related = ({ body }: { body: Record<string, unknown> }) =>
      (body["related_tables"] as { table: string; direction: string }[]).map(
        (one) => `${one.direction} ${one.table}`,
      );
    expect(related(await profileOf("orders", admin))).toEqual(["belongs_to customers", "has_many customers"]);
    expect(related(await profileOf("orders", analyst))).toEqual([]);
    expect(JSON.stringify(await profileOf("orders", analyst))).not.toContain("customers");
    const generation = async (token: string) => (await profileOf("orders", token)).body["generation"];
    expect([await generation(admin), await generation(analyst)]).toEqual([1, null]);
  });

  test("of a table that the caller may not access is that of an unknown one", async () => {
    const [hidden, unknown] = [
      await profileOf("customers", analyst),
      await profileOf("nothing_here", analyst),
    ];
    expect([hidden.status, unknown.status]).toEqual([404, 404]);
    const text = JSON.stringify(hidden.body).replaceAll("customers", "nothing_here");
    expect(text).toBe(JSON.stringify(unknown.body));
  });

  test("computes nothing: without a profile, the error has the next command", async () => {
    await using own = await served();
    await (await own.agnes.tables()).update("shop.orders", { profileAfterSync: false });
    const token = await own.token();
    const { rm } = await import("node:fs/promises");
    await rm(`${own.directory}/data/profiles`, { recursive: true });
    const response = await own.request("/api/v2/profile/orders", { token });
    const { error } = (await response.json()) as { error: { code: string; hint: string } };
    expect([response.status, error.code]).toEqual([404, "profile_missing"]);
    expect(error.hint).toContain("agnes profile orders");
  });
});
