import { expect, test } from "bun:test";
import { cp, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";

import { definePlugin } from "../../../lib/kit/mod.ts";
import files from "../../../plugins/files/plugin.ts";
import { served } from "../../serve/harness.ts";
import { runCli, temporaryDirectory, type CliResult } from "../run-cli.ts";

const SOURCES = "{ shop: { plugin: files, options: { path: ./exports } }, crm: { plugin: blind }";
const GONE = "gone: { plugin: files, options: { path: ./odd.what } }";
const BLIND = `
import { definePlugin } from "agnes/kit";
import * as v from "valibot";
export default definePlugin({
  name: "blind", version: "1.0.0", description: "It lists no table", capabilities: ["read"],
  options: v.strictObject({}), secrets: {}, connect: () => ({ async *read() {} }),
});
`;
const blind = definePlugin({
  name: "blind",
  version: "1.0.0",
  description: "It lists no table",
  capabilities: ["read"],
  options: v.strictObject({}),
  secrets: {},
  connect: () => ({ async *read() {} }),
});

test("agnes table discover --server reports sources that fail or cannot list as a workspace does", async () => {
  using copy = temporaryDirectory();
  const path = { options: { path: "./exports" } };
  await using shop = await served({
    plugins: [files, blind],
    config: {
      version: 1,
      sources: {
        shop: { plugin: "files", ...path },
        crm: { plugin: "blind" },
        gone: { plugin: "files", options: { path: "./odd.what" } },
      },
    },
  });
  await writeFile(join(shop.directory, "odd.what"), "id\n1\n");
  const registry = await shop.agnes.tables();
  await registry.unregister("shop.orders");
  await cp(shop.directory, copy.path, { recursive: true });
  await mkdir(join(copy.path, "plugins"));
  await writeFile(join(copy.path, "plugins", "blind.ts"), BLIND);
  await writeFile(join(copy.path, "agnes.yaml"), `version: 1\nsources: ${SOURCES}, ${GONE} }\n`);
  using server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    development: false,
    fetch: (request) => shop.agnes.fetch(request),
  });
  const env = { AGNES_SERVER: `http://127.0.0.1:${server.port}`, AGNES_TOKEN: await shop.token() };
  // The server shows no folder of its machine, and names the machine of other commands.
  const comparable = ({ status, stdout, stderr }: CliResult) => {
    const clean = (text: string) =>
      text.replaceAll(copy.path, "…").replaceAll(" on the server", "").replaceAll(/ +/g, " ");
    return {
      status,
      stdout: clean(stdout).replaceAll(/"actor": "[^"]*"|by \w+;/g, "WHO"),
      stderr: clean(stderr),
    };
  };
  for (const [status, ...args] of [
    [3, "--dry-run"],
    [3, "--json"],
    [3, "shop", "gone"],
    [2, "gone"],
    [3, "--again"],
  ] as const) {
    const ofServer = await runCli(["table", "discover", ...args], { cwd: "/", env });
    const ofWorkspace = await runCli(["table", "discover", ...args], { cwd: copy.path });
    expect([args, comparable(ofServer)]).toEqual([args, comparable(ofWorkspace)]);
    expect([args, ofServer.status]).toEqual([args, status]);
    if (args[0] === "gone") expect(ofServer.stderr).toContain("files/format_unknown");
  }
  expect((await registry.list({ source: "shop" })).map(({ id }) => id)).toEqual([
    "shop.customers",
    "shop.orders",
  ]);
}, 60_000);
