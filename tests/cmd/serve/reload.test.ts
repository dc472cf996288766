import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { createAgnes } from "../../../lib/create-agnes.ts";
import { runCli, temporaryDirectory } from "../run-cli.ts";
import { startServer } from "./start-server.ts";

const workspace = temporaryDirectory();
const CONFIG = "version: 1\nsources:\n  shop: { plugin: files, options: { path: ./exports } }\n";
const configure = (config: string) => writeFileSync(join(workspace.path, "agnes.yaml"), config);
let token = "";

beforeAll(async () => {
  mkdirSync(join(workspace.path, "exports"));
  writeFileSync(join(workspace.path, "exports", "orders.csv"), "id\n1\n");
  configure(CONFIG);
  await runCli(["sync", "--quiet"], { cwd: workspace.path });
  await using agnes = await createAgnes({ plugins: [], workspace: workspace.path });
  const stored = await agnes.tokens();
  token = (await stored.create({ name: "job", role: "admin" })).token;
});
afterAll(() => workspace[Symbol.dispose]());

test("SIGHUP warns of an unknown plugin, wrong options and a missing secret, and serves the rest", async () => {
  await using server = await startServer(workspace.path);
  try {
    configure(
      `${CONFIG}  unknown: { plugin: nothing }\n  wrong: { plugin: files, options: { paths: x } }\n  keys: { plugin: keboola, options: { url: "https://connection.keboola.com" } }\n`,
    );
    server.child.kill("SIGHUP");
    const log = await server.logged("reloaded agnes.yaml");
    const warnings = log
      .map((line) => JSON.parse(line) as { readonly message: string; source?: string; code?: string })
      .filter(({ message }) => message === "a source cannot be used");
    expect(warnings.map(({ source, code }) => [source, code])).toEqual([
      ["unknown", "plugin_unknown"],
      ["wrong", "config_unknown_key"],
      ["keys", "secret_missing"],
    ]);
    const response = await fetch(`${server.url}/api/v2/catalog`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(await response.json()).toMatchObject({ tables: [{ id: "shop.orders" }] });
  } finally {
    configure(CONFIG);
  }
}, 60_000);
