import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { runCli, temporaryDirectory } from "../cmd/run-cli.ts";
import { distribute, TOKEN, type Distribution } from "../pull/distribution.ts";
import { served, type Served } from "../serve/harness.ts";
import { oneAtATime } from "./one-at-a-time.ts";
import { run } from "./python.ts";

let shop: Served;
let server: Distribution;
beforeAll(async () => {
  installRsync();
  shop = await served();
  server = distribute(shop.agnes);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await shop[Symbol.asyncDispose]();
});

/** Installs Debian's package where it is missing. */
function installRsync(): void {
  oneAtATime(() => {
    if (Bun.which("rsync") !== null) return;
    const sudo = process.getuid?.() === 0 ? [] : ["sudo", "-n"];
    const apt = [...sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"];
    run(apt[0]!, [...apt.slice(1), "update"]);
    run(apt[0]!, [...apt.slice(1), "install", "-y", "--no-install-recommends", "rsync"]);
  });
}

const agnes = (args: readonly string[], cwd: string) =>
  runCli(args, { cwd, env: { AGNES_TOKEN: TOKEN, AGNES_SERVER: server.address }, alone: true });

test("the printed command of rsync copies the listed parts, and a pull then downloads nothing", async () => {
  using folder = temporaryDirectory();
  server.change = ({ tables }) => void delete tables["shop.customers"];
  // Another table, and a file that no table has.
  await writeFile(join(shop.directory, "data/extracts/shop/data/orders/other.parquet"), "x");
  const from = join(shop.directory, "data");
  const exported = await agnes(
    ["subscription", "export", "--rsync", "my tables.filter", "--from", from],
    folder.path,
  );
  expect(exported.status).toBe(0);
  const copied = Bun.spawnSync(["sh", "-c", exported.stdout], { cwd: folder.path });
  expect([copied.exitCode, copied.stderr.toString()]).toEqual([0, ""]);
  const found = await readdir(join(folder.path, "data"), { recursive: true });
  expect(found.filter((name) => name.includes("."))).toHaveLength(1);
  expect(found.filter((name) => name.endsWith(".parquet"))).toHaveLength(1);
  server.requests.length = 0;
  expect(await agnes(["pull"], folder.path)).toMatchObject({ status: 0 });
  expect(server.requests.filter((line) => line.includes("/download"))).toEqual([]);
  const query = await agnes(
    ["query", "SELECT count(*) AS n FROM orders", "--json", "--workspace", "."],
    folder.path,
  );
  expect(JSON.parse(query.stdout)).toEqual([{ n: 3 }]);
});
