import { describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { AgnesOptions } from "../../lib/agnes.ts";
import { AgnesError, nodeFiles, type Files } from "../../lib/base/mod.ts";
import { createAgnes } from "../../lib/create-agnes.ts";
import files from "../../plugins/files/plugin.ts";
import { errorOf } from "../tables/registry-setup.ts";

/** A workspace with the table `orders` of the source `shop`, whose rows a test changes. */
async function shop(options: Partial<AgnesOptions> = {}) {
  const directory = await mkdtemp(join(tmpdir(), "agnes-profile-"));
  const exports = join(directory, "exports");
  await mkdir(exports);
  const write = (prices: readonly number[]) =>
    writeFile(
      join(exports, "orders.csv"),
      `id,price\n${prices.map((price, at) => `${at},${price}\n`).join("")}`,
    );
  await write([1, 2, 3]);
  const sources = { shop: { plugin: "files", options: { path: exports } } };
  const agnes = await createAgnes({
    plugins: [files],
    workspace: directory,
    config: { version: 1, sources },
    ...options,
  });
  const folder = join(directory, "data", "profiles", "shop", "orders");
  return {
    agnes,
    folder,
    write,
    kept: () => readdir(folder).catch(() => []),
    async [Symbol.asyncDispose]() {
      await agnes.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

const never = { compute: "never" } as const;

describe("a sync", () => {
  test("profiles a table that changed, and no other", async () => {
    await using own = await shop();
    const first = await own.agnes.sync();
    expect(first.profiles).toMatchObject([{ table: "shop.orders", status: "computed" }]);
    expect(await own.agnes.profile("orders", never)).toMatchObject({
      row_count: 3,
      generation: 1,
      stale: null,
    });
    expect((await own.agnes.sync()).profiles).toEqual([]);
    await own.write([1, 2, 3, 4]);
    expect((await own.agnes.sync()).profiles).toMatchObject([{ status: "computed" }]);
    expect(await own.agnes.profile("shop.orders", never)).toMatchObject({
      row_count: 4,
      generation: 2,
      stale: null,
    });
  });

  test("obeys profile_after_sync; the profile is then computed when it is requested", async () => {
    await using own = await shop();
    const tables = await own.agnes.tables();
    await tables.register({ source: "shop", sourceTable: "orders", profileAfterSync: false });
    expect((await own.agnes.sync()).profiles).toEqual([]);
    const error = await errorOf(() => own.agnes.profile("orders", never));
    expect([error.code, error.hint]).toEqual([
      "profile_missing",
      "Compute it in the workspace with `agnes profile orders`.",
    ]);
    expect(await own.agnes.profile("orders")).toMatchObject({ row_count: 3, stale: null });
    expect(await own.agnes.profile("orders", never)).toMatchObject({ row_count: 3, stale: null });
  });

  test("does not fail with a profile: the earlier one stays, marked as stale", async () => {
    let isBroken = false;
    const real = nodeFiles();
    const broken: Files = {
      ...real,
      rename: async (from, to) => {
        if (isBroken && to.includes("profiles") && !to.endsWith("failed.json"))
          throw new AgnesError("disk_full", { path: to });
        await real.rename(from, to);
      },
    };
    await using own = await shop({ host: { files: broken } });
    await own.agnes.sync();
    isBroken = true;
    await own.write([7]);
    const { status, profiles } = await own.agnes.sync();
    expect(status).toBe("complete");
    expect(profiles).toMatchObject([{ table: "shop.orders", status: "failed", code: "disk_full" }]);
    const stale = { code: "disk_full" };
    expect(await own.agnes.profile("orders", never)).toMatchObject({ row_count: 3, stale });
    expect(await own.agnes.profile("orders")).toMatchObject({ row_count: 3, stale });
    expect((await errorOf(() => own.agnes.profile("orders", { compute: "always" }))).message).toContain(
      "disk",
    );
    isBroken = false;
    expect((await own.agnes.sync()).profiles).toMatchObject([{ status: "computed" }]);
    expect(await own.agnes.profile("orders", never)).toMatchObject({ row_count: 1, stale: null });
  });
});

describe("a kept profile", () => {
  test("of an earlier generation is valid again after a rollback", async () => {
    await using own = await shop();
    await own.agnes.sync();
    await own.write([9]);
    await own.agnes.sync();
    await own.agnes.rollback("shop", 1);
    expect(await own.agnes.profile("orders", never)).toMatchObject({
      row_count: 3,
      generation: 1,
      stale: null,
    });
  });

  test("is removed with its generation, and with the table", async () => {
    await using own = await shop();
    for (const count of [1, 2, 3, 4, 5, 6]) {
      await own.write(Array.from({ length: count }, (_, at) => at));
      await own.agnes.sync();
    }
    expect((await own.kept()).map((name) => Number(name.split(".")[0])).toSorted((a, b) => a - b)).toEqual([
      3, 4, 5, 6,
    ]);
    await (await own.agnes.tables()).unregister("shop.orders");
    expect(await own.kept()).toEqual([]);
  });

  test("that is damaged counts as none, and is computed again", async () => {
    await using own = await shop();
    await own.agnes.sync();
    const [name] = await own.kept();
    const path = join(own.folder, name!);
    const text = await readFile(path, "utf8");
    for (const damaged of [text.slice(0, 200), text.replace('"row_count":3', '"row_count":4'), "{}", ""]) {
      await writeFile(path, damaged);
      expect((await errorOf(() => own.agnes.profile("orders", never))).code).toBe("profile_missing");
    }
    expect(await own.agnes.profile("orders")).toMatchObject({ row_count: 3 });
    expect(await readFile(path, "utf8")).toContain('"row_count":3');
  });
});

test("profile() names an unknown table, and stops at its timeout", async () => {
  await using own = await shop();
  await own.agnes.sync();
  expect((await errorOf(() => own.agnes.profile("order"))).code).toBe("table_unknown");
  const slow = own.agnes.profile("orders", { compute: "always", timeoutMs: 0 });
  expect((await errorOf(() => slow)).code).toBe("timed_out");
  const aborted = own.agnes.profile("orders", { compute: "always", signal: AbortSignal.abort() });
  expect((await errorOf(() => aborted)).code).toBe("aborted");
  expect(await own.agnes.profile("orders", never)).toMatchObject({ row_count: 3, stale: null });
});
