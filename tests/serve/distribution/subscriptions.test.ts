import { describe, expect, test } from "bun:test";

import { isSubscribed } from "../../../lib/serve/distribution/subscriptions.ts";
import { served, type Served } from "../harness.ts";

const PATH = "/api/sync/table-subscriptions";

async function change(from: Served, token: string, json: unknown, path = PATH) {
  const response = await from.request(path, { token, json });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

async function listed(from: Served, token: string): Promise<readonly string[]> {
  const response = await from.request("/api/sync/manifest", { token });
  return Object.keys(((await response.json()) as { readonly tables: object }).tables);
}

/** A workspace with a group for orders, a folder for customers, and an analyst who may access orders only. */
async function workspace() {
  const own = await served();
  const tables = await own.agnes.tables();
  await tables.update("shop.orders", { dataset: "sales" });
  await tables.update("shop.customers", { folder: "people" });
  const grants = { tables: ["shop.orders"], sources: [], folders: [] };
  return {
    own,
    ann: await own.token({ name: "ann", role: "analyst", grants }),
    bo: await own.token({ name: "bo", role: "analyst" }),
    [Symbol.asyncDispose]: () => own[Symbol.asyncDispose](),
  };
}

describe("POST /api/sync/table-subscriptions", () => {
  test("chooses tables, groups and folders, and decides what the manifest and the catalog show", async () => {
    await using used = await workspace();
    const { own, bo } = used;
    const nothing = { table_mode: "all", tables: {}, groups: {}, folders: {} };
    expect(await (await own.request(PATH, { token: bo })).json()).toEqual(nothing);
    expect(await listed(own, bo)).toEqual(["shop.customers", "shop.orders"]);
    const first = await change(own, bo, { table_mode: "explicit", folders: { people: true } });
    expect(first).toMatchObject({ status: 200, body: { table_mode: "explicit", folders: { people: true } } });
    expect(await listed(own, bo)).toEqual(["shop.customers"]);
    const catalog = await own.request("/api/v2/catalog", { token: bo });
    const { tables } = (await catalog.json()) as {
      readonly tables: readonly { id: string; subscribed: boolean }[];
    };
    expect(tables.map(({ id, subscribed }) => [id, subscribed])).toEqual([
      ["shop.customers", true],
      ["shop.orders", false],
    ]);
    await change(own, bo, { groups: { sales: true }, tables: { Customers: false } });
    expect(await listed(own, bo)).toEqual(["shop.orders"]);
    const last = await change(own, bo, { tables: { "SHOP.customers": null } }, "/api/table-subscriptions");
    expect(last.body).toEqual({
      table_mode: "explicit",
      tables: {},
      groups: { sales: true },
      folders: { people: true },
    });
    expect(await listed(own, bo)).toEqual(["shop.customers", "shop.orders"]);
    expect((await own.request("/api/table-subscriptions", { token: bo })).status).toBe(200);
  });

  test("is kept for the name of the token, and for no other user", async () => {
    await using used = await workspace();
    const { own, ann, bo } = used;
    await change(own, bo, { table_mode: "explicit", tables: { "shop.customers": true } });
    expect(await listed(own, ann)).toEqual(["shop.orders"]);
    const again = await own.token({ name: "bo", role: "analyst" });
    expect(await listed(own, again)).toEqual(["shop.customers"]);
  });

  test("shows no names of tables that another token of the same name may not access", async () => {
    await using used = await workspace();
    const { own, bo } = used;
    await change(own, bo, {
      tables: { "shop.customers": true, "shop.orders": true },
      folders: { people: true },
    });
    const grants = { tables: ["shop.orders"], sources: [], folders: [] };
    const other = await own.token({ name: "bo", role: "analyst", grants });
    expect(await (await own.request(PATH, { token: other })).json()).toEqual({
      table_mode: "all",
      tables: { "shop.orders": true },
      groups: {},
      folders: {},
    });
  });

  test("removes nothing that another token of the same name chose and this one may not access", async () => {
    await using used = await workspace();
    const { own, bo } = used;
    const chosen = { tables: { "shop.customers": true, "shop.orders": true }, folders: { people: true } };
    await change(own, bo, chosen);
    const grants = { tables: ["shop.orders"], sources: [], folders: [] };
    const other = await own.token({ name: "bo", role: "analyst", grants });
    const nothing = { tables: { "SHOP.customers": null, customers: null }, folders: { people: null } };
    const gone = { tables: { "shop.nothing": null }, folders: { nothing: null } };
    expect(await change(own, other, nothing)).toEqual(await change(own, other, gone));
    await change(own, other, { tables: { orders: null } });
    expect(await (await own.request(PATH, { token: bo })).json()).toMatchObject({
      tables: { "shop.customers": true },
      folders: { people: true },
    });
  });

  test("removes a folder that is gone", async () => {
    await using used = await workspace();
    const { own, bo } = used;
    await change(own, bo, { folders: { people: true } });
    const tables = await own.agnes.tables();
    await tables.update("shop.customers", { folder: null });
    expect(await change(own, bo, { folders: { people: null } })).toMatchObject({ status: 200 });
    await tables.update("shop.customers", { folder: "people" });
    const { folders } = (await (await own.request(PATH, { token: bo })).json()) as { folders: object };
    expect(folders).toEqual({});
  });

  test("rejects what is unknown and what may not be accessed by the same error, and changes nothing", async () => {
    await using used = await workspace();
    const { own, ann } = used;
    for (const [unknown, forbidden] of [
      [{ tables: { "shop.nothing": true } }, { tables: { "shop.customers": true } }],
      [{ folders: { nothing: false } }, { folders: { people: false } }],
    ] as const) {
      const [first, second] = [
        await change(own, ann, { table_mode: "explicit", ...unknown }),
        await change(own, ann, { table_mode: "explicit", ...forbidden }),
      ];
      expect(first).toEqual(second);
      expect(first.status).toBe(400);
      expect(JSON.stringify(first.body)).toContain("subscription_unknown");
      expect(JSON.stringify(first.body)).not.toContain("nothing");
    }
    expect(await (await own.request(PATH, { token: ann })).json()).toMatchObject({ table_mode: "all" });
  });

  test("rejects other fields and values", async () => {
    await using used = await workspace();
    for (const body of [
      { mode: "all" },
      { table_mode: "some" },
      { tables: ["shop.orders"] },
      { tables: { orders: 1 } },
    ])
      expect((await change(used.own, used.bo, body)).status, JSON.stringify(body)).toBe(400);
  });

  test("loses an unregistered table", async () => {
    await using used = await workspace();
    const { own, bo } = used;
    await change(own, bo, { table_mode: "explicit", tables: { orders: true, customers: true } });
    const tables = await own.agnes.tables();
    await tables.unregister("shop.customers");
    await tables.register({ source: "shop", sourceTable: "customers" });
    await own.agnes.sync();
    expect(await listed(own, bo)).toEqual(["shop.orders"]);
  });
});

describe("isSubscribed()", () => {
  const table = { id: "shop.orders", group: "sales", folder: "eu" };
  test.each([
    [{}, false],
    [{ groups: { sales: true } }, true],
    [{ folders: { eu: true } }, true],
    [{ groups: { sales: true }, folders: { eu: false } }, false],
    [{ groups: { sales: true }, tables: { "shop.orders": false } }, false],
    [{ folders: { eu: false }, tables: { "shop.orders": true } }, true],
    [{ groups: { other: true } }, false],
    [{ tableMode: "all", tables: { "shop.orders": false } }, true],
  ] as const)("with %j it is %p", (choices, expected) => {
    const subscription = { tableMode: "explicit", tables: {}, groups: {}, folders: {}, ...choices } as const;
    expect(isSubscribed(subscription, table)).toBe(expected);
  });
});

describe("/api/sync/settings", () => {
  test("chooses the groups under the name of the earlier system", async () => {
    await using used = await workspace();
    const { own, bo } = used;
    const path = "/api/sync/settings";
    expect(await (await own.request(path, { token: bo })).json()).toEqual({
      table_mode: "all",
      datasets: {},
    });
    await change(own, bo, { folders: { people: false } });
    const changed = await change(own, bo, { table_mode: "explicit", datasets: { sales: true } }, path);
    expect(changed).toEqual({ status: 200, body: { table_mode: "explicit", datasets: { sales: true } } });
    expect(await (await own.request(path, { token: bo })).json()).toEqual(changed.body);
    expect(await (await own.request(PATH, { token: bo })).json()).toEqual({
      table_mode: "explicit",
      tables: {},
      groups: { sales: true },
      folders: { people: false },
    });
    expect(await listed(own, bo)).toEqual(["shop.orders"]);
    expect((await change(own, bo, { datasets: { sales: null } }, path)).body).toMatchObject({ datasets: {} });
  });

  test("rejects unknown datasets and other fields", async () => {
    await using used = await workspace();
    const path = "/api/sync/settings";
    const unknown = await change(used.own, used.bo, { datasets: { nothing: true } }, path);
    expect(unknown).toMatchObject({
      status: 400,
      body: { error: { code: "subscription_unknown", details: { field: "datasets", count: 1 } } },
    });
    expect(await change(used.own, used.bo, { groups: { sales: true } }, path)).toMatchObject({
      status: 400,
      body: { error: { code: "request_invalid" } },
    });
    expect((await used.own.request(path)).status).toBe(401);
  });
});
