import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { distribute, TOKEN, type Distribution } from "../pull/distribution.ts";
import { served, type Served } from "../serve/harness.ts";
import { runCli, temporaryDirectory } from "./run-cli.ts";

let shop: Served;
let server: Distribution;
beforeAll(async () => {
  shop = await served();
  server = distribute(shop.agnes);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await shop[Symbol.asyncDispose]();
});

const run = (args: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}) =>
  runCli(args, { cwd, env: { AGNES_TOKEN: TOKEN, ...env } });

describe("agnes pull", () => {
  test("makes an empty folder a copy that answers queries and rejects a sync", async () => {
    using folder = temporaryDirectory();
    const pulled = await run(["pull", server.address], folder.path);
    expect(pulled).toMatchObject({ status: 0 });
    expect(pulled.stdout).toContain("shop.orders");
    expect(pulled.stderr).toContain("2 tables updated, 0 unchanged");
    expect(await Bun.file(join(folder.path, "agnes.yaml")).text()).toContain(
      `copy: { server: "${server.address}" }`,
    );
    const query = await run(["query", "SELECT count(*) AS n FROM orders", "--json"], folder.path);
    expect(JSON.parse(query.stdout)).toEqual([{ n: 3 }]);
    const sync = await run(["sync"], folder.path);
    expect([sync.status, sync.stderr]).toEqual([2, expect.stringContaining("`agnes pull`")]);
    const again = await run(["pull", "--json"], folder.path);
    expect(JSON.parse(again.stdout)).toMatchObject({ status: "complete", downloaded_bytes: 0 });
  });

  test("leaves an empty folder as it is if the server rejects the token", async () => {
    using folder = temporaryDirectory();
    const pulled = await run(["pull", server.address], folder.path, { AGNES_TOKEN: "wrong" });
    expect([pulled.status, pulled.stderr]).toEqual([2, expect.stringContaining("token_invalid")]);
    expect(await readdir(folder.path)).not.toContain("agnes.yaml");
    const unreachable = await run(["pull", "http://127.0.0.1:1"], folder.path);
    expect([unreachable.status, unreachable.stderr]).toEqual([
      1,
      expect.stringContaining("failed: no server listens there\n"),
    ]);
  });

  test("names the server of AGNES_SERVER, and asks for one without it", async () => {
    using folder = temporaryDirectory();
    expect(await run(["pull"], folder.path)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("agnes pull https://"),
    });
    expect(await run(["pull"], folder.path, { AGNES_SERVER: server.address })).toMatchObject({ status: 0 });
  });

  test("prints nothing with --quiet if tables are only unavailable", async () => {
    using folder = temporaryDirectory();
    server.change = ({ tables }) => {
      tables["shop.orders"]!.unavailable = { code: "remote", message: "the table is remote" };
    };
    await run(["pull", server.address], folder.path);
    expect((await run(["pull"], folder.path)).stdout).toContain("unavailable");
    expect(await run(["pull", "--quiet"], folder.path)).toMatchObject({ status: 0, stdout: "", stderr: "" });
    server.change = () => {};
  });

  test("exits with 1 if a table fails, and keeps the others", async () => {
    using folder = temporaryDirectory();
    server.respond = (_, url) => (url.pathname.includes("orders") ? new Response("x") : null);
    const pulled = await run(["pull", server.address], folder.path);
    server.respond = () => null;
    expect(pulled).toMatchObject({ status: 1, stderr: expect.stringContaining("shop.orders") });
    const query = await run(["query", "SELECT count(*) AS n FROM customers", "--json"], folder.path);
    expect(JSON.parse(query.stdout)).toEqual([{ n: 2 }]);
  });
});
