import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Agnes } from "../../lib/agnes.ts";
import { createHost } from "../../lib/base/mod.ts";
import { createAgnes } from "../../lib/create-agnes.ts";
import { readCopyState } from "../../lib/workspace/mod.ts";
import { served, type Served } from "../serve/harness.ts";
import { distribute, TOKEN, type Distribution, type SentTable } from "./distribution.ts";

let shop: Served;
let server: Distribution;
let folder: string;
let copy: Agnes;

beforeEach(async () => {
  shop = await served();
  server = distribute(shop.agnes);
  folder = await mkdtemp(join(tmpdir(), "agnes-pull-"));
  copy = await openCopy();
});
afterEach(async () => {
  await copy.close();
  await server[Symbol.asyncDispose]();
  await shop[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const host = { sleep: () => Bun.sleep(1) };
const openCopy = () => createAgnes({ plugins: [], workspace: folder, config: { version: 1 }, host });
const pull = (options: Parameters<Agnes["pull"]>[0] = {}) =>
  copy.pull({ server: server.address, token: TOKEN, ...options });
const downloads = () => server.requests.filter((line) => line.includes("/download"));
const statuses = async (result: ReturnType<typeof pull>) =>
  Object.fromEntries((await result).tables.map(({ id, status }) => [id, status]));

/** What a promise is rejected with. */
const failure = (work: Promise<unknown>) =>
  work.then(
    () => null,
    (error: unknown) => error,
  );

async function rewrite(name: string, content: string): Promise<void> {
  await writeFile(join(shop.directory, "exports", name), content);
  await shop.agnes.sync();
}

const ORDERS = "SELECT * FROM orders ORDER BY id";

describe("Agnes.pull", () => {
  test("a copy returns the rows, names, descriptions and keys of the server", async () => {
    const tables = await shop.agnes.tables();
    await tables.update("shop.orders", { viewName: "sales", description: "All orders", primaryKey: ["id"] });
    await shop.agnes.sync();
    const report = await pull();
    expect(report).toMatchObject({ server: server.address, status: "complete", notes: [] });
    expect(report.tables.map(({ id, status, rows }) => [id, status, rows])).toEqual([
      ["shop.customers", "updated", 2],
      ["shop.orders", "updated", 3],
    ]);
    const sql = "SELECT s.*, c.name FROM sales s JOIN customers c ON c.id = s.customer ORDER BY s.id";
    expect(await copy.rows(sql)).toEqual(await shop.agnes.rows(sql));
    const [here, there] = [await copy.describe("sales"), await shop.agnes.describe("sales")];
    expect([here.description, here.primaryKey, here.columns]).toEqual(["All orders", ["id"], there.columns]);
    expect(await copy.rows("SELECT count(*) AS n FROM shop.orders")).toEqual([{ n: 3 }]);
  });

  test("a second pull sends one request and downloads nothing", async () => {
    await pull();
    server.requests.length = 0;
    expect(await statuses(pull())).toEqual({ "shop.customers": "unchanged", "shop.orders": "unchanged" });
    expect(server.requests).toEqual(["GET /api/sync/manifest 304"]);
  });

  test("a delta downloads only parts that are not on the disk", async () => {
    await pull();
    await rewrite("orders.csv", "id,customer,price\n1,1,9.5\n");
    server.requests.length = 0;
    expect(await statuses(pull())).toEqual({ "shop.customers": "unchanged", "shop.orders": "updated" });
    expect(downloads()).toHaveLength(1);
    expect(await copy.rows(ORDERS)).toEqual([{ id: 1, customer: 1, price: 9.5 }]);
  });

  test("a full refresh that changed nothing downloads nothing", async () => {
    await pull();
    await shop.agnes.sync({ full: true });
    server.requests.length = 0;
    await pull();
    expect(downloads()).toEqual([]);
  });

  test("a table that is no longer listed is removed, with its files", async () => {
    await pull();
    server.change = ({ tables }) => void delete tables["shop.orders"];
    expect(await statuses(pull())).toEqual({ "shop.customers": "unchanged", "shop.orders": "removed" });
    expect(await failure(copy.query(ORDERS))).toMatchObject({ code: "table_unknown" });
    expect(await readdir(join(folder, "data/extracts/shop/data"))).toEqual(["customers"]);
    expect((await (await copy.tables()).list()).map(({ id }) => id)).toEqual(["shop.customers"]);
    server.change = ({ tables }) => {
      delete tables["shop.orders"];
      delete tables["shop.customers"];
    };
    expect(await statuses(pull())).toEqual({ "shop.customers": "removed" });
    expect(await readdir(join(folder, "data/extracts"))).toEqual([]);
    expect(await copy.catalog()).toEqual([]);
  });

  test("a removed table is reported by the name that it had", async () => {
    await (await shop.agnes.tables()).update("shop.orders", { viewName: "sales" });
    await shop.agnes.sync();
    await pull();
    server.change = ({ tables }) => void delete tables["shop.orders"];
    expect((await pull()).tables).toContainEqual(
      expect.objectContaining({ id: "shop.orders", viewName: "sales", status: "removed" }),
    );
  });

  test("a table that only the server has is named with a command that reads it there", async () => {
    server.change = ({ tables }) => {
      tables["shop.orders"]!.unavailable = { code: "remote", message: "the table is remote" };
      tables["shop.orders"]!.parts.length = 0;
    };
    expect(await statuses(pull())).toEqual({ "shop.customers": "updated", "shop.orders": "unavailable" });
    expect(await failure(copy.query(ORDERS))).toMatchObject({
      code: "table_on_server",
      hint: `Query it on the server: \`agnes query --server ${server.address} "SELECT * FROM orders"\`.`,
    });
  });

  test("a table whose download fails keeps its copy, and the others are updated", async () => {
    await pull();
    await rewrite("customers.csv", "id,name\n1,Ann\n");
    await rewrite("orders.csv", "id,customer,price\n1,1,1.5\n");
    server.respond = (_, url) =>
      url.pathname.includes("orders") ? new Response("x".repeat(1_000_000)) : null;
    const report = await pull();
    expect(report.status).toBe("partial");
    expect(report.tables.map(({ status, error }) => [status, error?.code])).toEqual([
      ["updated", undefined],
      ["failed", "part_damaged"],
    ]);
    expect(await copy.rows("SELECT count(*) AS n FROM customers")).toEqual([{ n: 1 }]);
    expect(await copy.rows("SELECT count(*) AS n FROM orders")).toEqual([{ n: 3 }]);
    server.respond = () => null;
    expect(await statuses(pull())).toEqual({ "shop.customers": "unchanged", "shop.orders": "updated" });
    expect(await copy.rows("SELECT count(*) AS n FROM orders")).toEqual([{ n: 1 }]);
  });

  const spoiled: readonly [string, (table: SentTable) => void][] = [
    ["cannot be used", (table) => Object.assign(table, { rows: -1 })],
    [
      "is unreadable on the server",
      (table) => {
        const unavailable = { code: "unreadable", message: "later" };
        Object.assign(table, { unavailable, view_name: null, columns: [], layouts: [], parts: [] });
      },
    ],
    [
      "is not published on the server",
      (table) => {
        const unavailable = { code: "not_published", message: "later" };
        Object.assign(table, { unavailable, view_name: null, columns: [], layouts: [], parts: [] });
      },
    ],
  ];
  test.each(spoiled)("a table that %s keeps its copy, names and files", async (_what, spoil) => {
    const tables = await shop.agnes.tables();
    await tables.update("shop.orders", { viewName: "sales", primaryKey: ["id"], folder: "eu" });
    await shop.agnes.sync();
    await pull({ layout: "folders" });
    const known = await copy.rows("SELECT * FROM sales ORDER BY id");
    server.change = (manifest) => spoil(manifest.tables["shop.orders"]!);
    await pull();
    expect(await copy.rows("SELECT * FROM sales ORDER BY id")).toEqual(known);
    expect((await copy.describe("shop.orders")).primaryKey).toEqual(["id"]);
    expect(await readdir(join(folder, "parquet", "eu"))).toEqual(["sales.parquet"]);
    server.change = () => {};
    server.requests.length = 0;
    await pull();
    expect(downloads()).toEqual([]);
  });

  test("a table whose entry is invalid and has the id in another case keeps its copy", async () => {
    await pull();
    const known = await copy.rows(ORDERS);
    server.change = ({ tables }) => {
      tables["Shop.Orders"] = { ...tables["shop.orders"]!, rows: -1 };
      delete tables["shop.orders"];
    };
    await pull();
    expect(await copy.rows(ORDERS)).toEqual(known);
  });

  test("a table that loses its name to another one keeps its rows, under a name of its own", async () => {
    const tables = await shop.agnes.tables();
    await tables.update("shop.orders", { description: "All orders", primaryKey: ["id"] });
    await shop.agnes.sync();
    await pull();
    const known = await copy.rows(ORDERS);
    server.change = ({ tables: sent }) => {
      sent["shop.orders"]!["view_name"] = null;
      sent["shop.customers"]!["view_name"] = "orders";
    };
    const note = "shop.orders has no name of its own in SQL on the server; here it is shop_orders";
    server.requests.length = 0;
    for (let round = 0; round < 2; round++) {
      const { status, tables: pulled, notes } = await pull();
      expect([status, notes]).toEqual(["complete", [note]]);
      expect(pulled.map(({ id, status: state }) => [id, state])).toEqual([
        ["shop.customers", "unchanged"],
        ["shop.orders", "unchanged"],
      ]);
      for (const name of ["shop.orders", "shop_orders"])
        expect(await copy.rows(`SELECT * FROM ${name} ORDER BY id`)).toEqual(known);
      expect(await copy.rows("SELECT name FROM orders ORDER BY id")).toEqual(
        await shop.agnes.rows("SELECT name FROM customers ORDER BY id"),
      );
      expect(await copy.describe("shop.orders")).toMatchObject({
        description: "All orders",
        primaryKey: ["id"],
      });
    }
    expect(downloads()).toEqual([]);
    server.change = () => {};
    expect((await pull()).notes).toEqual([]);
    expect(await copy.rows(ORDERS)).toEqual(known);
  });

  test("a table without a name on the server never has a name that may be another table there", async () => {
    server.change = ({ tables }) => {
      tables["shop.orders"]!["view_name"] = null;
      tables["shop.customers"]!["view_name"] = "Shop_Orders";
    };
    await pull();
    expect(await failure(copy.query(ORDERS))).toMatchObject({ code: "table_unknown" });
    expect(await copy.rows("SELECT count(*) AS n FROM shop_orders_2")).toEqual([{ n: 3 }]);
    expect(await copy.rows("SELECT count(*) AS n FROM shop_orders")).toEqual([{ n: 2 }]);
  });

  test("a table that is kept gives up a name that the server has for another one", async () => {
    await pull();
    const known = await copy.rows(ORDERS);
    server.change = ({ tables }) => {
      tables["shop.orders"]!["rows"] = -1;
      tables["shop.customers"]!["view_name"] = "orders";
    };
    for (let round = 0; round < 2; round++) {
      await pull();
      expect(await copy.rows("SELECT count(*) AS n FROM orders")).toEqual([{ n: 2 }]);
      expect(await copy.rows("SELECT * FROM shop_orders ORDER BY id")).toEqual(known);
    }
  });

  test("a table that was never published is no failure of the pull", async () => {
    await writeFile(join(shop.directory, "exports", "refunds.csv"), "id\n1\n");
    await (await shop.agnes.tables()).register({ source: "shop", sourceTable: "refunds" });
    expect(await statuses(pull())).toMatchObject({ "shop.refunds": "unavailable" });
    expect((await readCopyState(createHost(), copy.workspace.dataDirectory))?.lastPull?.failed).toEqual([]);
  });

  test.each(["constructor", "__proto__", "hasOwnProperty"])(
    "an unknown reason with the code %s is shown by its message, and later pulls go on",
    async (code) => {
      await pull();
      server.change = (manifest) =>
        Object.assign(manifest.tables["shop.orders"]!, { unavailable: { code, message: "not today" } });
      const { tables } = await pull();
      expect(tables.find(({ id }) => id === "shop.orders")).toMatchObject({
        status: "unavailable",
        reason: "not today",
      });
      server.change = () => {};
      expect(await statuses(pull())).toMatchObject({ "shop.orders": "updated" });
    },
  );

  test("--verify downloads a damaged part again", async () => {
    await pull();
    const before = await copy.rows(ORDERS);
    const parts = join(folder, "data/extracts/shop/data/orders");
    const [part] = await readdir(parts);
    const bytes = Buffer.from(await Bun.file(join(parts, part!)).arrayBuffer());
    bytes[10]! ^= 1;
    await writeFile(join(parts, part!), bytes);
    expect(await statuses(pull())).toEqual({ "shop.customers": "unchanged", "shop.orders": "unchanged" });
    const verified = pull({ verify: true });
    expect((await verified).verifiedParts).toBe(2);
    expect(await statuses(verified)).toEqual({
      "shop.customers": "unchanged",
      "shop.orders": "updated",
    });
    expect(await copy.rows(ORDERS)).toEqual(before);
  });

  test("a removed part, extract or analytics database is restored", async () => {
    await pull();
    const before = await copy.rows(ORDERS);
    await copy.close();
    await rm(join(folder, "data/extracts/shop/data/orders"), { recursive: true });
    await rm(join(folder, "data/extracts/shop/extract.duckdb"));
    await rm(join(folder, "data/analytics"), { recursive: true });
    copy = await openCopy();
    server.requests.length = 0;
    await pull();
    expect(downloads()).toHaveLength(1);
    expect(await copy.rows(ORDERS)).toEqual(before);
  });

  test("sources that are complete at the same moment are all published", async () => {
    const exports = join(shop.directory, "exports");
    const names = ["a", "b", "c", "d"];
    const source = { plugin: "files", options: { path: exports } } as const;
    await using large = await served({ sources: Object.fromEntries(names.map((name) => [name, source])) });
    await using distribution = distribute(large.agnes);
    const { status } = await copy.pull({ server: distribution.address, token: TOKEN });
    expect(status).toBe("complete");
    for (const name of ["shop", ...names])
      expect(await copy.rows(`SELECT count(*) AS n FROM ${name}.orders`)).toEqual([{ n: 3 }]);
  });

  test("an own source of the same name is never touched", async () => {
    await copy.close();
    copy = await createAgnes({
      plugins: [],
      workspace: folder,
      config: { version: 1, sources: { Shop: { plugin: "files" } } },
    });
    expect(await failure(pull())).toMatchObject({ code: "pull_source_taken" });
    expect(downloads()).toEqual([]);
  });

  test("an extract that was not pulled is never touched", async () => {
    await Bun.write(join(folder, "data/extracts/shop/extract.duckdb"), "mine");
    expect(await failure(pull())).toMatchObject({ code: "pull_source_taken" });
    expect(await Bun.file(join(folder, "data/extracts/shop/extract.duckdb")).text()).toBe("mine");
  });

  test("the server of a copy is remembered, and another one is rejected", async () => {
    expect(await failure(copy.pull({ token: TOKEN }))).toMatchObject({ code: "pull_server_missing" });
    await pull();
    expect((await copy.pull({ token: TOKEN })).status).toBe("complete");
    expect(await failure(copy.pull({ server: "https://other.example", token: TOKEN }))).toMatchObject({
      code: "pull_server_differs",
    });
  });

  test("two pulls of one copy do not run at once", async () => {
    const both = await Promise.allSettled([pull(), pull()]);
    expect(both.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    expect(both.find((one) => one.status === "rejected")?.reason).toMatchObject({ code: "locked" });
  });
});
