import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { lstat, mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import type { Agnes } from "../../lib/agnes.ts";
import { createAgnes } from "../../lib/create-agnes.ts";
import { served, type Served } from "../serve/harness.ts";
import { distribute, TOKEN, type Distribution } from "./distribution.ts";

let shop: Served;
let server: Distribution;
let folder: string;
let outside: string;
let copy: Agnes;

beforeEach(async () => {
  shop = await served();
  server = distribute(shop.agnes);
  folder = await mkdtemp(join(tmpdir(), "agnes-links-"));
  outside = await mkdtemp(join(tmpdir(), "agnes-outside-"));
  copy = await createAgnes({ plugins: [], workspace: folder, config: { version: 1 } });
});
afterEach(async () => {
  await copy.close();
  await server[Symbol.asyncDispose]();
  await shop[Symbol.asyncDispose]();
  for (const path of [folder, outside]) await rm(path, { recursive: true, force: true });
});

const pull = (options: Parameters<Agnes["pull"]>[0] = {}) =>
  copy.pull({ server: server.address, token: TOKEN, ...options });
const failure = (work: Promise<unknown>) => work.then(Boolean, (error: unknown) => error);
const rewriteOrders = async () => {
  await writeFile(join(shop.directory, "exports/orders.csv"), "id,customer,price\n7,7,7.5\n");
  await shop.agnes.sync();
};

/** Moves a path of the copy out of it, with a link in its place. Without such a path, links to a new folder. */
async function plantLink(path: string): Promise<void> {
  const [from, to] = [join(folder, path), join(outside, "planted")];
  await mkdir(dirname(from), { recursive: true });
  await rename(from, to).catch(() => mkdir(to));
  await symlink(to, from);
}

const PARTS = "data/extracts/shop/data/orders";

describe("Agnes.pull", () => {
  test.each(["copy", "copy/downloads", "extracts/shop", "extracts/shop/data", "extracts/shop/data/orders"])(
    "writes nothing through a link at %s",
    async (path) => {
      await pull();
      await rewriteOrders();
      await plantLink(join("data", path));
      const before = (await readdir(outside, { recursive: true })).toSorted();
      server.requests.length = 0;
      expect(await failure(pull())).toMatchObject({
        code: "pull_link_found",
        details: { path, folder: join(folder, "data") },
      });
      expect(server.requests.filter((line) => line.includes("/download"))).toEqual([]);
      expect((await readdir(outside, { recursive: true })).toSorted()).toEqual(before);
    },
  );

  test("takes no linked file for a part, nor a folder for one", async () => {
    await pull();
    const [part] = await readdir(join(folder, PARTS));
    await plantLink(join(PARTS, part!));
    expect(await failure(pull())).toMatchObject({
      code: "pull_link_found",
      details: { path: `data/orders/${part}` },
    });
    await rm(join(folder, PARTS, part!));
    await mkdir(join(folder, PARTS, part!));
    expect((await pull()).downloadedBytes).toBeGreaterThan(0);
    expect((await lstat(join(folder, PARTS, part!))).isFile()).toBe(true);
  });

  test("lays nothing out behind a link", async () => {
    await plantLink("parquet");
    expect(await failure(pull({ layout: "folders" }))).toMatchObject({
      code: "pull_link_found",
      details: { path: "parquet", folder },
    });
    expect(await readdir(join(outside, "planted"))).toEqual([]);
  });

  test("rejects sources that differ only by case, before anything is changed", async () => {
    server.change = ({ tables }) => {
      tables["Shop.orders"] = { ...tables["shop.orders"]!, source: "Shop", view_name: "others" };
      delete tables["shop.orders"];
    };
    expect(await failure(pull())).toMatchObject({ code: "pull_sources_alike", details: { isCopied: false } });
    expect(await readdir(join(folder, "data")).catch(() => [])).not.toContain("extracts");
    server.change = () => {};
    await pull();
    server.change = ({ tables }) => {
      for (const name of ["orders", "customers"]) {
        tables[`Shop.${name}`] = { ...tables[`shop.${name}`]!, source: "Shop" };
        delete tables[`shop.${name}`];
      }
    };
    expect(await failure(pull())).toMatchObject({ code: "pull_sources_alike", details: { isCopied: true } });
    expect(await copy.rows("SELECT count(*) AS n FROM orders")).toEqual([{ n: 3 }]);
  });
});
