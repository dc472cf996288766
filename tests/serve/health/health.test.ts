import { describe, expect, test } from "bun:test";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { AgnesError, createHost } from "../../../lib/base/mod.ts";
import { served, type Served } from "../harness.ts";

async function detailOf(shop: Served) {
  const response = await shop.request("/api/health", { token: await shop.token() });
  expect(response.status).toBe(200);
  return (await response.json()) as Record<string, unknown>;
}

describe("GET /api/health", () => {
  test("it has the status only, except for administrators", async () => {
    await using shop = await served();
    const token = await shop.token({ role: "analyst" });
    for (const options of [{}, { token }]) {
      const response = await shop.request("/api/health", options);
      expect([response.status, await response.json()]).toEqual([200, { status: "ok" }]);
    }
    expect((await shop.request("/api/health", { token: "wrong" })).status).toBe(401);
  });

  test("it has the parts of the workspace for administrators", async () => {
    await using shop = await served();
    const { sources, disk, extensions, ...rest } = await detailOf(shop);
    expect(rest).toEqual({
      status: "ok",
      db_schema: "ok",
      generation: 1,
      config_version: 1,
      state_format: expect.any(Number),
      remote_tables: [],
      workers: null,
      scheduler: "stopped",
      outdated: null,
      failed: [],
    });
    expect(sources).toEqual([
      {
        name: "shop",
        plugin: "files",
        plugin_loaded: true,
        receives_webhooks: false,
        health: {
          state: "ok",
          since: expect.any(String),
          checked_at: expect.any(String),
          code: null,
          reason: "the last run read it",
        },
        last_sync_at: expect.any(String),
        last_error: null,
      },
    ]);
    expect((disk as { free_bytes: number }).free_bytes).toBeGreaterThan(0);
    expect(extensions).toContainEqual({ name: "parquet", version: expect.any(String) });
  });

  test("it reports a damaged or missing analytics file as unhealthy, and names no path", async () => {
    await using shop = await served();
    const path = join(shop.directory, "data", "analytics", "analytics.duckdb");
    await writeFile(path, "not a database");
    const damaged = await detailOf(shop);
    expect([damaged["status"], damaged["db_schema"]]).toEqual(["degraded", "unhealthy"]);
    expect(JSON.stringify(damaged)).not.toContain(shop.directory);
    await rm(path);
    expect((await detailOf(shop))["db_schema"]).toBe("unhealthy");
  });

  test("it names the sources whose new rows queries do not return, until a rebuild succeeds", async () => {
    const { files } = createHost();
    let isFull = false;
    const write: typeof files.write = async (path, ...rest) => {
      if (isFull && path.includes("analytics")) throw new AgnesError("disk_full", { path });
      return files.write(path, ...rest);
    };
    await using shop = await served({ host: createHost({ files: { ...files, write } }) });
    await writeFile(join(shop.directory, "exports", "orders.csv"), "id\n1\n");
    const count = async () =>
      (await shop.agnes.rows<{ n: number }>("SELECT count(*) AS n FROM orders"))[0]!.n;
    isFull = true;
    const failure = await shop.agnes.sync().catch((error: unknown) => String(error));
    expect(failure).toContain("the disk is full");
    const [run] = await (await shop.agnes.runs()).list();
    expect(run).toMatchObject({ status: "complete", warning: { code: "analytics_outdated" } });
    expect(run!.warning!.message).toContain("the disk is full");
    expect(await count()).toBe(3);
    const { status, outdated } = await detailOf(shop);
    const hint = expect.stringContaining("`agnes sync`") as string;
    expect([status, outdated]).toEqual(["degraded", { sources: ["shop"], hint }]);
    isFull = false;
    await shop.agnes.rebuild();
    expect(await count()).toBe(1);
    expect(await detailOf(shop)).toMatchObject({ status: "ok", outdated: null });
  });

  test("a part that hangs is reported, and the others are not delayed", async () => {
    const { files } = createHost();
    const freeBytes = () => new Promise<never>(() => {});
    await using shop = await served({ host: createHost({ files: { ...files, freeBytes } }) });
    const began = performance.now();
    const detail = await detailOf(shop);
    expect(performance.now() - began).toBeLessThan(5000);
    expect([detail["status"], detail["failed"], detail["disk"]]).toEqual([
      "degraded",
      ["disk"],
      { free_bytes: null },
    ]);
    expect(detail["db_schema"]).toBe("ok");
  });
});
