import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Agnes } from "../../lib/agnes.ts";
import { AgnesError, nodeFiles, type Files } from "../../lib/base/mod.ts";
import { createAgnes } from "../../lib/create-agnes.ts";
import { readExtract } from "../../lib/extract/mod.ts";
import { served, type Served } from "../serve/harness.ts";
import { distribute, TOKEN, type Distribution } from "./distribution.ts";

let shop: Served;
let server: Distribution;
let folder: string;
let copy: Agnes;
let files: Partial<Files>;

beforeEach(async () => {
  shop = await served();
  server = distribute(shop.agnes);
  folder = await mkdtemp(join(tmpdir(), "agnes-layout-"));
  files = {};
  const real = nodeFiles();
  const host = {
    sleep: () => Bun.sleep(1),
    files: new Proxy(real, { get: (_, name: keyof Files) => files[name] ?? real[name] }),
  };
  copy = await createAgnes({ plugins: [], workspace: folder, config: { version: 1 }, host });
});
afterEach(async () => {
  await copy.close();
  await server[Symbol.asyncDispose]();
  await shop[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const pull = (options: Parameters<Agnes["pull"]>[0] = {}) =>
  copy.pull({ server: server.address, token: TOKEN, ...options });
const layOut = () => pull({ layout: "folders" });
const failure = (work: Promise<unknown>) => work.then(Boolean, (error: unknown) => error);
const inLayout = (path: string) => join(folder, "parquet", path);
/** All files of the layout. */
const listed = async () => {
  const found = await readdir(inLayout(""), { recursive: true, withFileTypes: true });
  return found
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(`${inLayout("")}/`.length))
    .toSorted();
};
/** Whether a file has the current rows of orders. */
const isCurrent = async (path: string) => {
  const extract = await readExtract(nodeFiles(), join(shop.directory, "data/extracts/shop"));
  const [part] = extract!.tables.find(({ name }) => name === "orders")!.parts;
  const bytes = await Bun.file(inLayout(path)).bytes();
  return createHash("sha256").update(bytes).digest("hex") === part?.sha256;
};

/** Makes the server list the part of a table twice, so that the table is a folder. */
function twoParts(id: string): void {
  server.change = ({ tables }) => {
    const table = tables[id]!;
    table.parts.push(table.parts[0]!);
    table["rows"] = 2 * Number(table["rows"]);
  };
}

async function rewriteOrders(rows: string): Promise<void> {
  await writeFile(join(shop.directory, "exports/orders.csv"), `id,customer,price\n${rows}\n`);
  await shop.agnes.sync();
}

async function put(path: string): Promise<void> {
  await mkdir(join(inLayout(path), ".."), { recursive: true });
  await writeFile(inLayout(path), "mine");
}

describe("agnes pull --layout folders", () => {
  test("tables are links in their folders, later pulls update them, and removed tables leave", async () => {
    await (await shop.agnes.tables()).update("shop.orders", { folder: "eu" });
    await layOut();
    expect(await listed()).toEqual(["customers.parquet", "eu/orders.parquet"]);
    expect((await stat(inLayout("eu/orders.parquet"))).nlink).toBe(2);
    await rewriteOrders("1,1,9.5");
    await pull();
    expect(await isCurrent("eu/orders.parquet")).toBe(true);
    server.change = ({ tables }) => void delete tables["shop.orders"];
    await pull();
    expect(await listed()).toEqual(["customers.parquet"]);
    expect(await readdir(inLayout(""))).toEqual(["customers.parquet"]);
  });

  test("a table with several parts is a folder, and a file again with one", async () => {
    twoParts("shop.orders");
    await layOut();
    // Parts of equal content are two files, because their rows count twice.
    expect(await listed()).toEqual([
      "customers.parquet",
      expect.stringMatching(/^orders\/[0-9a-f]+-2\.parquet$/),
      expect.stringMatching(/^orders\/[0-9a-f]+\.parquet$/),
    ]);
    await put("orders/notes.txt");
    await rewriteOrders("1,1,9.5\n2,1,3.5");
    await pull();
    expect(await listed()).toHaveLength(4);
    expect(await isCurrent((await listed()).find((path) => /^orders\/.*parquet$/.test(path))!)).toBe(true);
    expect(await Bun.file(inLayout("orders/notes.txt")).text()).toBe("mine");
    server.change = () => {};
    await pull();
    expect(await listed()).toEqual(["customers.parquet", "orders.parquet", "orders/notes.txt"]);
  });

  test("two tables never have the same path, and later pulls go on", async () => {
    server.change = ({ tables }) => void (tables["shop.customers"]!["folder"] = "orders.parquet");
    for (const result of [await layOut(), await pull()])
      expect(result.notes).toContain(
        "shop.orders has no files: orders.parquet is also a folder of other tables",
      );
    expect(await listed()).toEqual(["orders.parquet/customers.parquet"]);
    server.change = ({ tables }) => void (tables["shop.orders"]!["view_name"] = "Customers");
    const { notes } = await pull();
    expect(notes).toContain("shop.orders has no files: Customers.parquet is also the name of another table");
    expect(await listed()).toEqual(["customers.parquet"]);
  });

  test("files that no pull made stay", async () => {
    const mine = ["mine.txt", "mydir/a.txt", "report.parquet"];
    for (const path of mine) await put(path);
    await layOut();
    expect(await listed()).toEqual([
      "customers.parquet",
      "mine.txt",
      "mydir/a.txt",
      "orders.parquet",
      "report.parquet",
    ]);
    server.change = ({ tables }) => void delete tables["shop.orders"];
    await pull();
    expect(await listed()).toEqual(["customers.parquet", ...mine]);
    for (const path of mine) expect(await Bun.file(inLayout(path)).text()).toBe("mine");
  });

  test("a file of another whose name a table needs is an error before anything is changed", async () => {
    for (const path of ["orders.parquet", "orders.parquet/a.txt"]) {
      await put(path);
      let isAccepted = false;
      const error = await failure(pull({ layout: "folders", onManifest: () => void (isAccepted = true) }));
      expect(error).toMatchObject({ code: "pull_layout_taken", details: { path: inLayout(path) } });
      expect([isAccepted, await copy.catalog(), await listed()]).toEqual([false, [], [path]]);
      await rm(inLayout("orders.parquet"), { recursive: true });
    }
  });

  test("a file that replaced that of a pull is not removed", async () => {
    await layOut();
    await rm(inLayout("orders.parquet"));
    await put("orders.parquet");
    await rewriteOrders("1,1,9.5");
    expect(await failure(pull())).toMatchObject({ code: "pull_layout_taken" });
    server.change = ({ tables }) => void delete tables["shop.orders"];
    await pull();
    expect(await Bun.file(inLayout("orders.parquet")).text()).toBe("mine");
  });

  test("without hard links, the files are copies, which later pulls know", async () => {
    const real = nodeFiles();
    files = {
      link: (part, path) =>
        path.startsWith(inLayout(""))
          ? Promise.reject(new AgnesError("file_failed", { operation: "link", path: "", reason: "no" }))
          : real.link(part, path),
    };
    await layOut();
    expect((await stat(inLayout("orders.parquet"))).nlink).toBe(1);
    await rewriteOrders("1,1,9.5");
    await pull();
    expect(await isCurrent("orders.parquet")).toBe(true);
  });

  test("what a stopped pull left is removed by the next one", async () => {
    await layOut();
    await rewriteOrders("1,1,9.5");
    let left = "";
    files = {
      rename: async (from, to) => {
        if (to !== inLayout("orders.parquet")) return rename(from, to);
        left = from;
        throw new Error("stopped");
      },
    };
    await failure(pull());
    expect(await listed()).toContain(left.slice(`${inLayout("")}/`.length));
    files = {};
    await pull();
    expect(await listed()).toEqual(["customers.parquet", "orders.parquet"]);
    expect(await isCurrent("orders.parquet")).toBe(true);
  });

  test("a removed folder is not made again, unless requested", async () => {
    await layOut();
    await rm(inLayout(""), { recursive: true });
    await pull();
    expect(await failure(stat(inLayout("")))).toMatchObject({ code: "ENOENT" });
    await layOut();
    expect(await listed()).toEqual(["customers.parquet", "orders.parquet"]);
  });
});

describe("Agnes.pull", () => {
  test("a disk without space is an error before anything is downloaded", async () => {
    files = { freeBytes: () => Promise.resolve(10) };
    expect(await failure(pull())).toMatchObject({ code: "disk_full", details: { freeBytes: 10 } });
    expect(server.requests).toEqual(["GET /api/sync/manifest 200"]);
  });
});
