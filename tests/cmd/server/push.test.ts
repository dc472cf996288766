import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";

import files from "../../../plugins/files/plugin.ts";
import { served, type Served } from "../../serve/harness.ts";
import { ledgerPlugin, newLedger, SECRET } from "../../write-back/ledger.ts";
import { runCli } from "../run-cli.ts";

const ledger = newLedger();
let shop: Served;
let server: ReturnType<typeof Bun.serve>;
let address: string;
let admin: string;
beforeAll(async () => {
  shop = await served({
    plugins: [files, ledgerPlugin(ledger, true)],
    sources: { book: { plugin: "ledger", register: "listed" } },
    host: { env: { LEDGER_TOKEN: SECRET } },
  });
  admin = await shop.token();
  server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    development: false,
    fetch: (request) => shop.agnes.fetch(request),
  });
  address = `http://127.0.0.1:${server.port}`;
});
beforeEach(() => {
  ledger.rows.length = 0;
});
afterAll(async () => {
  await server.stop(true);
  await shop[Symbol.asyncDispose]();
});

const SQL = "SELECT id::BIGINT AS id, name, 1.5::DECIMAL(12,2) AS score FROM customers WHERE name = $name";
const TO_SCORES = ["scores", "--source", "book", "--sql", SQL, "--param", "name=Bo"];
const push = (args: readonly string[], env: Record<string, string> = {}) =>
  runCli(["push", ...args], { cwd: "/", env: { AGNES_TOKEN: admin, ...env } });

test("agnes push --server prints the report of a workspace", async () => {
  const dry = await push([...TO_SCORES, "--mode", "replace", "--dry-run", "--server", address]);
  expect([dry.status, dry.stdout, dry.stderr]).toEqual([
    0,
    "",
    'book, table "scores": would delete all rows and write 1 row (id, name, score)\n',
  ]);
  expect(ledger.rows).toEqual([]);
  const done = await push([...TO_SCORES, "--mode", "upsert", "--json"], { AGNES_SERVER: address });
  const columns = ["id", "name", "score"];
  expect([done.status, JSON.parse(done.stdout)]).toEqual([
    0,
    { source: "book", table: "scores", mode: "upsert", columns, rows: 1, dry_run: false },
  ]);
  expect(ledger.rows).toMatchObject([{ id: 2n, name: "Bo" }]);
});

test("agnes push --server prints the errors of the server", async () => {
  const toServer = ["--mode", "append", "--server", address];
  const misfit = await push(["scores", "--source", "book", "--sql", "SELECT 7 AS id", ...toServer]);
  expect([misfit.status, misfit.stderr]).toEqual([
    2,
    expect.stringContaining('the rows have no "name", "score"') as string,
  ]);
  const late = await push([...TO_SCORES, ...toServer, "--timeout", "100"]);
  expect([late.status, late.stderr]).toEqual([2, expect.stringContaining("at most 60000") as string]);
  const AGNES_TOKEN = await shop.token({ name: "ann", role: "analyst" });
  const denied = await push([...TO_SCORES, ...toServer], { AGNES_TOKEN });
  expect([denied.status, denied.stderr]).toEqual([2, expect.stringContaining("admin") as string]);
  expect(ledger.rows).toEqual([]);
});
