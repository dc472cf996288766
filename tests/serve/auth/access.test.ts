import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { createHost } from "../../../lib/base/mod.ts";
import { Access } from "../../../lib/serve/auth/access.ts";
import type { Authorize, Grants, Principal, ServedWorkspace } from "../../../lib/serve/mod.ts";
import { served, type Served } from "../harness.ts";

let shop: Served;
beforeAll(async () => (shop = await served()));
afterAll(() => shop[Symbol.asyncDispose]());

const none: Grants = { tables: [], sources: [], folders: [] };
const analyst = (grants: Partial<Grants> | null): Principal => ({
  id: "abc",
  name: "ann",
  role: "analyst",
  grants: grants === null ? null : { ...none, ...grants },
  expiresAt: null,
});
const admin: Principal = { ...analyst(null), role: "admin" };

/** The tables of principals in the shop, and how often the tables were listed. */
function access(authorize?: Authorize, { agnes }: Served = shop, nameOf = (name: string) => name) {
  const counts = { listings: 0 };
  const workspace = {
    workspace: agnes.workspace,
    tables: () => agnes.tables(),
    async catalog() {
      counts.listings += 1;
      const entries = await agnes.catalog();
      return entries.map((entry) => ({ ...entry, id: nameOf(entry.id), source: nameOf(entry.source) }));
    },
  } as Partial<ServedWorkspace> as ServedWorkspace;
  const of = new Access(workspace, createHost(), authorize);
  const tablesOf = async (principal: Principal) => {
    const tables = await of.of(principal);
    return tables === null ? "all" : [...tables].toSorted();
  };
  return { tablesOf, counts };
}

describe("Access", () => {
  test("grants by id and source apply in any case, and an unknown name grants nothing", async () => {
    const { tablesOf } = access();
    expect(await tablesOf(admin)).toBe("all");
    expect(await tablesOf(analyst(null))).toBe("all");
    expect(await tablesOf(analyst({ tables: ["SHOP.Orders"] }))).toEqual(["shop.orders"]);
    expect(await tablesOf(analyst({ sources: ["Shop"] }))).toEqual(["shop.customers", "shop.orders"]);
    const unknown = {
      tables: ["shop.order", "orders", "shop"],
      sources: ["sho", "shop.orders"],
      folders: ["shop"],
    };
    expect(await tablesOf(analyst(unknown))).toEqual([]);
    expect(await tablesOf(analyst({}))).toEqual([]);
    const upper = access(undefined, shop, (name) => name.toUpperCase());
    expect(await upper.tablesOf(analyst({ tables: ["shop.orders"] }))).toEqual(["SHOP.ORDERS"]);
    expect(await upper.tablesOf(analyst({ sources: ["shop"] }))).toEqual(["SHOP.CUSTOMERS", "SHOP.ORDERS"]);
  });

  test("grants do not limit administrators", async () => {
    expect(await access().tablesOf({ ...admin, grants: none })).toBe("all");
  });

  test("folders grant the tables in them and of their buckets, at once after a change", async () => {
    const { tablesOf, counts } = access();
    const finance = analyst({ folders: ["finance"] });
    expect(await tablesOf(finance)).toEqual([]);
    const registry = await shop.agnes.tables();
    await registry.update("shop.orders", { folder: "Finance" });
    expect(await tablesOf(finance)).toEqual(["shop.orders"]);
    await registry.update("shop.customers", { bucket: "in.c-crm" });
    await registry.setFolder("in.c-crm", "finance");
    expect(await tablesOf(finance)).toEqual(["shop.customers", "shop.orders"]);
    await registry.setFolder("in.c-crm", null);
    await registry.update("shop.orders", { folder: null });
    expect(await tablesOf(finance)).toEqual([]);
    const { listings } = counts;
    await Promise.all(Array.from({ length: 20 }, () => tablesOf(finance)));
    await tablesOf(analyst({ sources: ["shop"] }));
    expect(counts.listings).toBe(listings);
  });

  test("a table that is published later is granted at the next request", async () => {
    await using own = await served();
    const { tablesOf } = access(undefined, own);
    expect(await tablesOf(analyst({ sources: ["shop"] }))).toEqual(["shop.customers", "shop.orders"]);
    await writeFile(join(own.directory, "exports", "refunds.csv"), "id\n1\n");
    await own.agnes.sync();
    expect(await tablesOf(analyst({ sources: ["shop"] }))).toContain("shop.refunds");
  });

  test("a listing that failed is not cached, and fails the request", async () => {
    const { agnes } = shop;
    let fails = true;
    const workspace = {
      workspace: agnes.workspace,
      tables: () => agnes.tables(),
      catalog: () => (fails ? Promise.reject(new Error("unreadable")) : agnes.catalog()),
    } as ServedWorkspace;
    const of = new Access(workspace, createHost(), undefined);
    const orders = analyst({ tables: ["shop.orders"] });
    expect(of.of(orders)).rejects.toThrow("unreadable");
    fails = false;
    expect([...(await of.of(orders))!]).toEqual(["shop.orders"]);
  });

  test("authorize() hides tables from everyone, and only true allows", async () => {
    const seen: string[] = [];
    const { tablesOf } = access(async ({ role }, { id, source, folder }) => {
      seen.push(`${role} ${id} ${source} ${folder}`);
      return id === "shop.orders" ? true : ("yes" as unknown as boolean);
    });
    expect(await tablesOf(admin)).toEqual(["shop.orders"]);
    expect(await tablesOf(analyst({ tables: ["shop.customers"] }))).toEqual([]);
    expect(seen.toSorted()).toEqual([
      "admin shop.customers shop null",
      "admin shop.orders shop null",
      "analyst shop.customers shop null",
    ]);
    const failing = access(() => {
      throw new Error("the directory is not reachable");
    });
    expect(failing.tablesOf(admin)).rejects.toThrow("not reachable");
  });
});
