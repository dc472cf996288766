import { describe, expect, test } from "bun:test";
import { tmpdir } from "node:os";

import { served, type Served } from "../harness.ts";

interface Answer {
  readonly status: number;
  readonly etag: string | null;
  readonly body: Readonly<Record<string, unknown>>;
  readonly text: string;
}

async function opened() {
  const shop = await served();
  const token = await shop.token({ name: "ops" });
  const call = async (
    method: string,
    path: string,
    { json, ifMatch, as = token }: { json?: unknown; ifMatch?: string; as?: string } = {},
  ): Promise<Answer> => {
    const headers = ifMatch === undefined ? {} : { "if-match": ifMatch };
    const response = await shop.request(`/api/admin/${path}`, { method, token: as, headers, json });
    const text = await response.text();
    const body = (text === "" ? {} : JSON.parse(text)) as Answer["body"];
    return { status: response.status, etag: response.headers.get("etag"), body, text };
  };
  return { shop, call, [Symbol.asyncDispose]: () => shop[Symbol.asyncDispose]() };
}

function errorOf({ body }: Answer) {
  return body["error"] as { readonly code: string; readonly message: string; readonly details: object };
}

async function lastChange({ agnes }: Served) {
  const [change] = await (await agnes.tables()).history({ first: "newest", limit: 1 });
  return change!;
}

test("the transport does not limit the time of requests that publish or call sources", async () => {
  await using own = await opened();
  const { shop } = own;
  const authorization = `Bearer ${await shop.token()}`;
  for (const [method, path] of [
    ["POST", "registry/rebuild"],
    ["POST", "discover-and-register?dry_run=true"],
    ["DELETE", "registry/shop.orders?dry_run=true"],
  ] as const) {
    const ready: string[] = [];
    const request = new Request(`http://127.0.0.1/api/admin/${path}`, { method, headers: { authorization } });
    const response = await shop.agnes.fetch(request, { onReady: () => ready.push(path) });
    expect([response.status, ready]).toEqual([200, [path]]);
  }
});

describe("registering", () => {
  test("POST /api/admin/register-table registers, with the token as actor", async () => {
    await using own = await opened();
    const json = { source: "shop", source_table: "refunds", view_name: "returns", primary_key: ["id"] };
    const made = await own.call("POST", "register-table", { json });
    expect([made.status, made.body]).toMatchObject([
      201,
      { id: "shop.refunds", name: "returns", status: "registered" },
    ]);
    expect(made.etag).toBe(`"${made.body["version"] as number}"`);
    expect((await lastChange(own.shop)).actor).toMatch(/^ops \([0-9a-z]{12}\)$/);
    expect((await own.call("POST", "register-table", { json })).status).toBe(409);
  });

  test("errors never repeat the input", async () => {
    await using own = await opened();
    const secret = "hunter2hunter2";
    const bodies: readonly object[] = [
      { source: secret },
      { source: "shop", source_table: "t", [secret]: 1 },
      { source: "shop", source_table: `${secret}\n` },
      { source: "shop", source_table: "t", query_mode: secret },
      { source: "shop", source_table: "t", sync_schedule: secret },
      { source: "shop", source_table: "t", full_keys: secret },
      { source: "shop", source_table: "t", column_metadata: { [`${secret}\n`]: { type: "x" } } },
      { source: "shop", source_table: "t", column_metadata: { a: { [secret]: 1 } } },
      { source: "shop", source_table: "t", where_filters: [{ column: "a", operator: secret, values: [1] }] },
      { source: "shop", source_table: "t", where_filters: [{ column: "a", values: [`{{${secret}}}`] }] },
      { source: "shop", source_table: "t", documentation: { [secret]: 1 } },
      { source: "shop", name: "t", source_query: secret, query_mode: "materialized" },
      { source: "shop", source_table: "t", source_query: secret },
    ];
    for (const json of bodies) {
      const { status, text } = await own.call("POST", "register-table", { json });
      expect([status, text.includes(secret)], JSON.stringify(json)).toEqual([400, false]);
    }
    for (const folder_mapping of [{ a: `/${secret}` }, { [`/${secret}`]: "a" }]) {
      const { status, text } = await own.call("PUT", "folders", { json: { folder_mapping } });
      expect([status, text.includes(secret)]).toEqual([400, false]);
    }
  });

  test("analysts may not", async () => {
    await using own = await opened();
    const as = await own.shop.token({ role: "analyst" });
    for (const [method, path] of [
      ["GET", "registry"],
      ["GET", "history"],
      ["GET", "folders"],
      ["DELETE", "registry/orders"],
      ["POST", "registry/rebuild"],
    ] as const)
      expect((await own.call(method, path, { as })).status).toBe(403);
  });
});

describe("reading and changing", () => {
  test("GET and PUT: absent keeps, null clears, unknown is an error", async () => {
    await using own = await opened();
    await own.call("PUT", "registry/ORDERS", { json: { description: "All", folder: "sales" } });
    const shown = await own.call("GET", "registry/shop.orders");
    expect(shown.body).toMatchObject({ id: "shop.orders", description: "All", folder: "sales" });
    const changed = await own.call("PUT", "registry/orders", { json: { folder: null } });
    expect(changed.body).toMatchObject({ id: "shop.orders", updated: ["folder"] });
    const after = (await own.call("GET", "registry/orders")).body;
    expect([after["description"], after["folder"]]).toEqual(["All", null]);
    expect((await own.call("PUT", "registry/orders", { json: { nothing: 1 } })).status).toBe(400);
    expect((await own.call("PUT", "registry/nothing", { json: {} })).status).toBe(404);
  });

  test("PATCH docs takes the documentation only", async () => {
    await using own = await opened();
    const json = { documentation: { grain: "one order" }, column_metadata: { id: { description: "Key" } } };
    const { status, body } = await own.call("PATCH", "registry/orders/docs", { json });
    expect([status, body["updated"]]).toEqual([200, ["column_metadata", "documentation"]]);
    const other = { json: { sync_strategy: "incremental" } };
    expect((await own.call("PATCH", "registry/orders/docs", other)).status).toBe(400);
  });

  test("If-Match: a stale version is 412 with the changes since", async () => {
    await using own = await opened();
    const { etag } = await own.call("GET", "registry/orders");
    const put = (ifMatch: string, description: string, table = "orders") =>
      own.call("PUT", `registry/${table}`, { json: { description }, ifMatch });
    const first = await put(etag!, "one");
    expect([first.status, first.etag === etag]).toEqual([200, false]);
    const stale = await put(etag!, "two");
    expect([stale.status, errorOf(stale).code, errorOf(stale).details]).toMatchObject([
      412,
      "table_version_stale",
      { changes: [{ action: "update", id: "shop.orders", fields: ["description"] }] },
    ]);
    expect((await put(`${etag!}, ${first.etag!}`, "three")).status).toBe(200);
    expect((await put("*", "four")).status).toBe(200);
    const { etag: current } = await own.call("GET", "registry/orders");
    // The registry has this version, but the table never had it.
    await own.call("PUT", "folders", { json: { folder_mapping: { a: "b" } } });
    const between = `"${Number(current!.slice(1, -1)) + 1}"`;
    for (const tags of [`W/${current!}`, '"9999"', '"x"', between]) {
      const refused = await put(tags, "five");
      expect([refused.status, errorOf(refused).code]).toEqual([412, "etag_unknown"]);
    }
    expect((await put("5", "five")).status).toBe(400);
    // A precondition does not hide that the table does not exist.
    expect((await put(etag!, "five", "nothing")).status).toBe(404);
    expect((await own.call("GET", "registry/orders")).body["description"]).toBe("four");
  });

  test("dry_run returns the result and changes nothing, check_source compares with the source", async () => {
    await using own = await opened();
    const { body: earlier } = await own.call("GET", "registry");
    const json = { source: "shop", source_table: "refunds" };
    const made = await own.call("POST", "register-table?dry_run=true&check_source=true", { json });
    expect([made.status, made.body]).toMatchObject([
      200,
      { status: "dry_run", dry_run: true, table: { id: "shop.refunds" } },
    ]);
    expect(made.body["warnings"]).toEqual([expect.stringContaining('shop has no table "refunds"')]);
    const change = { json: { description: "x" } };
    const changed = await own.call("PUT", "registry/orders?dry_run=true", change);
    expect(changed.body).toMatchObject({
      updated: ["description"],
      table: { description: "x" },
      warnings: [],
    });
    const removed = await own.call("DELETE", "registry/orders?dry_run=true");
    expect([removed.status, removed.body]).toEqual([200, { id: "shop.orders", dry_run: true, failures: [] }]);
    const folders = { json: { folder_mapping: { "in.c-crm": "crm" } } };
    const set = await own.call("PUT", "folders?dry_run=true", folders);
    expect(set.body).toMatchObject({ folder_mapping: {}, before: { "in.c-crm": null }, dry_run: true });
    expect((await own.call("GET", "registry")).body).toEqual(earlier);
  });

  test("a table has its state, and the list can be filtered", async () => {
    await using own = await opened();
    await own.call("PUT", "folders", { json: { folder_mapping: { sales: "shared" } } });
    await own.call("PUT", "registry/orders", { json: { bucket: "sales", primary_key: ["id"] } });
    const state = { published: true, rows: 3, effective_primary_key: ["id"], effective_folder: "shared" };
    expect((await own.call("GET", "registry/orders")).body).toMatchObject({ folder: null, ...state });
    const ids = async (query: string) => {
      const { tables } = (await own.call("GET", `registry?${query}`)).body;
      return (tables as { id: string }[]).map(({ id }) => id);
    };
    expect(await ids("bucket=sales")).toEqual(["shop.orders"]);
    expect(await ids("mode=remote")).toEqual([]);
    expect((await own.call("GET", "registry?mode=other")).status).toBe(400);
  });

  test("the list has the version of the registry, which a registration may expect", async () => {
    await using own = await opened();
    const { etag, body } = await own.call("GET", "registry");
    expect(body).toMatchObject({
      count: 2,
      tables: [{ id: "shop.customers", rows: 2 }, { id: "shop.orders" }],
    });
    expect(etag).toBe(`"${body["version"] as number}"`);
    await own.call("PUT", "registry/orders", { json: { description: "x" } });
    const json = { source: "shop", source_table: "refunds" };
    expect((await own.call("POST", "register-table", { json, ifMatch: etag! })).status).toBe(412);
    expect((await own.call("GET", "registry?text=CUSTOM")).body["count"]).toBe(1);
  });

  test("DELETE unregisters and removes the data", async () => {
    await using own = await opened();
    const { etag } = await own.call("GET", "registry/orders");
    expect((await own.call("DELETE", "registry/orders", { ifMatch: '"1000"' })).status).toBe(412);
    expect((await own.call("DELETE", "registry/orders", { ifMatch: etag! })).status).toBe(204);
    expect((await own.call("DELETE", "registry/orders")).status).toBe(404);
    expect((await own.shop.agnes.catalog()).map(({ id }) => id)).toEqual(["shop.customers"]);
  });
});

describe("sources", () => {
  test("discover-tables lists, precheck looks the table up, discover-and-register registers", async () => {
    await using own = await opened();
    const listed = await own.call("GET", "discover-tables?source=shop");
    expect((listed.body["tables"] as { name: string }[]).map(({ name }) => name)).toContain("orders");
    expect((await own.call("GET", "discover-tables?source=other")).status).toBe(400);
    await own.call("DELETE", "registry/orders");
    const json = { source: "shop", source_table: "orders" };
    const checked = await own.call("POST", "register-table/precheck", { json });
    expect([checked.status, checked.body]).toMatchObject([
      200,
      { ok: true, checked: "source", table: { id: "shop.orders", columns: [{ name: "id" }, {}, {}] } },
    ]);
    const missing = { ...json, source_table: "nothing" };
    expect((await own.call("POST", "register-table/precheck", { json: missing })).status).toBe(404);
    const discover = async (query: string) => (await own.call("POST", `discover-and-register?${query}`)).body;
    expect(await discover("dry_run=true")).toMatchObject({ registered: 0, skipped: 2 });
    expect(await discover("dry_run=true&again=true")).toMatchObject({ registered: 1, dry_run: true });
    const { sources } = await discover("dry_run=true&again=true");
    expect(sources).toMatchObject([{ candidates: [{}, { id: "shop.orders", view_name: "orders" }] }]);
    // The folder `data` cannot be read as a table, and the reasons have its files.
    expect([JSON.stringify(listed.body), JSON.stringify(sources)].join()).not.toContain(tmpdir());
    expect(JSON.stringify(sources)).not.toMatch(/"[a-z]+[A-Z]\w*":/);
    expect(await discover("again=true&source=shop")).toMatchObject({ registered: 1, dry_run: false });
    expect((await own.call("GET", "registry/orders")).status).toBe(200);
  });
});

describe("history, folders and rebuild", () => {
  test("history lists changes, the newest first", async () => {
    await using own = await opened();
    await own.call("PUT", "registry/orders", { json: { description: "x" } });
    const { body } = await own.call("GET", "history?limit=1&id=orders");
    expect(body["changes"]).toMatchObject([
      { action: "update", id: "shop.orders", changed: ["description"], after: { view_name: "orders" } },
    ]);
    expect((await own.call("GET", "history?limit=0")).status).toBe(400);
  });

  test("folders: null clears, absent keeps, one invalid changes none", async () => {
    await using own = await opened();
    const put = (folder_mapping: object, ifMatch?: string) =>
      own.call("PUT", "folders", { json: { folder_mapping }, ...(ifMatch !== undefined && { ifMatch }) });
    const first = await put({ "in.c-crm": "crm", "in.c-web": "web" });
    expect(first.body["folder_mapping"]).toEqual({ "in.c-crm": "crm", "in.c-web": "web" });
    expect((await put({ "in.c-crm": null, "in.c-x": "../up" })).status).toBe(400);
    expect((await put({ "in.c-crm": null }, '"1"')).status).toBe(412);
    expect((await put({ "in.c-crm": null }, first.etag!)).body["folder_mapping"]).toEqual({
      "in.c-web": "web",
    });
  });

  test("folders: one request is one change, also of a bucket that is called constructor", async () => {
    await using own = await opened();
    const before = (await own.call("GET", "folders")).body["version"] as number;
    const folders = { constructor: "a", prototype: "b", "in.c-web": "web" };
    const { status, body } = await own.call("PUT", "folders", { json: { folder_mapping: folders } });
    expect([status, body["folder_mapping"], body["version"]]).toEqual([200, folders, before + 1]);
    const bad = { constructor: "/x" };
    expect((await own.call("PUT", "folders", { json: { folder_mapping: bad } })).status).toBe(400);
    const many = Object.fromEntries(Array.from({ length: 201 }, (_, at) => [`b${at}`, "x"]));
    expect((await own.call("PUT", "folders", { json: { folder_mapping: many } })).status).toBe(400);
  });

  test("rebuild returns its report", async () => {
    await using own = await opened();
    const { status, body } = await own.call("POST", "registry/rebuild");
    expect([status, body["published"]]).toMatchObject([
      200,
      [{ id: "shop.customers", view_name: "customers" }, {}],
    ]);
  });
});
