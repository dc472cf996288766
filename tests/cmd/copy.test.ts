import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { appendFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { served, type Served } from "../serve/harness.ts";
import { runCli, temporaryDirectory } from "./run-cli.ts";

let shop: Served;
let server: ReturnType<typeof Bun.serve>;
let address: string;
let token: string;
beforeAll(async () => {
  shop = await served();
  token = await shop.token({ name: "copy", role: "analyst" });
  server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    development: false,
    fetch: (request) => shop.agnes.fetch(request),
  });
  address = `http://127.0.0.1:${server.port}`;
});
afterAll(async () => {
  await server.stop(true);
  await shop[Symbol.asyncDispose]();
});

/** A folder with commands that run in it. */
function copyFolder() {
  const folder = temporaryDirectory();
  const run = (...args: readonly string[]) => runCli(args, { cwd: folder.path, env: { AGNES_TOKEN: token } });
  return { path: folder.path, run, [Symbol.dispose]: () => folder[Symbol.dispose]() };
}

describe("a copy", () => {
  test("names agnes pull and subscriptions in its hints, not agnes sync", async () => {
    using copy = copyFolder();
    await writeFile(join(copy.path, "agnes.yaml"), `version: 1\ncopy: { server: "${address}" }\n`);
    const hints = [
      await copy.run("query", "SELECT * FROM orders"),
      await copy.run("catalog"),
      await copy.run("runs"),
      await copy.run("timeline"),
    ].map(({ stderr }) => stderr);
    for (const stderr of hints) expect(stderr).toContain("`agnes pull`");
    for (const stderr of hints) expect(stderr).not.toContain("agnes sync");
    expect(hints[2]).toContain("A copy has no runs");
    expect(hints[0]).toContain(`\`agnes subscription show --server ${address}\``);
  });

  test("cures a damaged part, has no state of syncs, and warns that a schedule has no effect", async () => {
    using copy = copyFolder();
    expect(await copy.run("pull", address)).toMatchObject({ status: 0 });
    const catalog = await copy.run("catalog", "--json");
    const { tables } = JSON.parse(catalog.stdout) as { tables: { id: string; sync_status: string | null }[] };
    expect(tables.map((one) => [one.id, one.sync_status])).toEqual([
      ["shop.customers", null],
      ["shop.orders", null],
    ]);
    expect((await copy.run("catalog")).stdout).not.toContain("NULL");
    const updated = await copy.run("table", "update", "orders", "--schedule", "daily 05:00");
    expect(updated.stderr).toContain("the schedule has no effect");
    const parts = join(copy.path, "data/extracts/shop/data/orders");
    for (const name of await readdir(parts)) await writeFile(join(parts, name), "damaged");
    const damaged = await copy.run("query", "SELECT * FROM orders");
    expect(damaged.stderr).toContain("`agnes pull --verify`");
    const verified = await copy.run("pull", "--verify");
    expect(verified.stderr).toMatch(/1 table updated, 1 unchanged, 1 part verified/);
    expect(await copy.run("query", "SELECT * FROM orders")).toMatchObject({ status: 0 });
  });

  test("is the default of subscription commands", async () => {
    using copy = copyFolder();
    expect(await copy.run("pull", address)).toMatchObject({ status: 0 });
    expect(await copy.run("subscription", "show")).toMatchObject({ status: 0 });
  });

  test("with sources of its own rejects a sync of a copied table", async () => {
    using copy = copyFolder();
    expect(await copy.run("pull", address)).toMatchObject({ status: 0 });
    await appendFile(
      join(copy.path, "agnes.yaml"),
      "sources: { mine: { plugin: files, options: { path: . } } }\n",
    );
    for (const name of ["orders", "shop", "shop.orders"]) {
      const { status, stderr } = await copy.run("sync", name);
      expect([status, stderr]).toEqual([2, expect.stringContaining("copy_not_synced")]);
    }
  });

  test("is not begun by a failed pull, nor by a folder in the way of the files", async () => {
    using copy = copyFolder();
    const failed = await runCli(["pull", address], {
      cwd: copy.path,
      env: { AGNES_TOKEN: "wrong" },
    });
    expect([failed.status, await readdir(copy.path)]).toEqual([2, []]);
    await Bun.write(join(copy.path, "parquet/orders.parquet"), "mine");
    const taken = await copy.run("pull", address, "--layout", "folders");
    expect(taken.stderr).toContain("pull_layout_taken");
    expect(await readdir(copy.path)).toEqual(["parquet"]);
  });

  test("is described by agnes doctor", async () => {
    using copy = copyFolder();
    const found = async () => {
      const { stdout } = await copy.run("doctor", "--workspace", ".", "--json");
      const { checks } = JSON.parse(stdout) as { checks: { name: string; state: string; message: string }[] };
      return Object.fromEntries(checks.map(({ name, state, message }) => [name, `${state}: ${message}`]));
    };
    await writeFile(join(copy.path, "agnes.yaml"), `version: 1\ncopy: { server: "${address}" }\n`);
    expect(await found()).toMatchObject({ copy: `warning: of ${address}, nothing pulled yet` });
    const { stdout } = await copy.run("doctor", "--workspace", ".", "--json");
    expect(stdout).toContain("`agnes pull`");
    expect(stdout).not.toContain("agnes sync");
    const startMs = Date.now();
    await (await shop.agnes.tables()).update("shop.customers", { serverOnly: true });
    expect(await copy.run("pull")).toMatchObject({ status: 0 });
    const pulled = await found();
    const time = /^ok: of \S+, last pulled at (\S+)$/.exec(pulled["copy"]!)?.[1];
    expect(Date.parse(time!)).toBeWithin(startMs, Date.now());
    expect(pulled["tables without a copy"]).toBe(
      "ok: 1 table of the server: shop.customers (it may only be read on the server)",
    );
    const [part] = await readdir(join(shop.directory, "data/extracts/shop/data/orders"));
    const path = join(shop.directory, "data/extracts/shop/data/orders", part!);
    const bytes = await Bun.file(path).bytes();
    await writeFile(path, "damaged");
    await rm(join(copy.path, "data/extracts/shop/data/orders"), { recursive: true });
    expect(await copy.run("pull")).toMatchObject({ status: 1 });
    await writeFile(path, bytes);
    await (await shop.agnes.tables()).update("shop.customers", { serverOnly: false });
    expect((await found())["copy"]).toEndWith("; 1 table could not be updated then, such as shop.orders");
    const state = join(copy.path, "data/copy/state.json");
    const { lastPull: _, ...earlier } = (await Bun.file(state).json()) as Record<string, unknown>;
    await writeFile(state, JSON.stringify(earlier));
    expect((await found())["copy"]).toStartWith("warning: ");
    await writeFile(state, "damaged");
    expect((await found())["copy"]).toStartWith(`error: ${state} is damaged`);
  });

  test("explains a wrong address", async () => {
    using copy = copyFolder();
    const option = await copy.run("pull", "--server", address);
    expect(option.stderr).toContain("Write `agnes pull https://agnes.example.com`.");
    const protocol = await copy.run("pull", "ftp://x");
    expect(protocol.stderr).toContain("server_address_invalid");
    expect(protocol.stderr).not.toContain("--server");
  });
});
