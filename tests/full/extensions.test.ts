/** Remote tables through DuckDB's own, signed extensions: installed, attached, queried, joined and pushed down. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { runCli, type CliResult } from "../cmd/run-cli.ts";
import { openRepository, type Repository } from "./extensions.ts";
import { startPostgres, type Postgres } from "./postgres.ts";
import { python, run } from "./python.ts";

/** What a connection string, SQL and an address each quote in a way of their own. */
const PASSWORD = "s3cret'pa\\ss word%";

const YAML = `version: 1
sources:
  shop: { plugin: pg, options: { port: PORT }, secrets: { PG_PASSWORD: SHOP_PASSWORD } }
  notes: { plugin: lite, options: { path: notes.db } }
  kbc: { plugin: kbc, register: all }
  exports: { plugin: files, options: { path: exports } }
`;

const PG = `import { definePlugin, int64, table, utf8 } from "agnes/kit";
import * as v from "valibot";
const columns = { id: int64(), customer: int64(), status: utf8(), private: utf8() };
export default definePlugin({
  name: "pg", version: "1.0.0", description: "PostgreSQL", register: "all",
  capabilities: ["discover", "remote"],
  options: v.strictObject({ port: v.number() }),
  secrets: { PG_PASSWORD: { description: "password of the reader", required: true } },
  extensions: { postgres_scanner: { type: "postgres", secret: { type: "postgres", tokenParameter: "PASSWORD" } } },
  connect: ({ options, secrets }) => ({
    discover: async () => [table("orders", columns, { remotePath: ["sales", "orders"] })],
    remote: () => ({
      alias: "pg", extension: "postgres_scanner", tokenEnv: secrets.PG_PASSWORD.name,
      url: \`host=127.0.0.1 port=\${options.port} dbname=postgres\`,
      options: { SCHEMA: "sales" }, secret: { USER: "owner" },
    }),
  }),
});
`;

const LITE = `import { definePlugin, int64, table, utf8 } from "agnes/kit";
import * as v from "valibot";
export default definePlugin({
  name: "lite", version: "1.0.0", description: "SQLite", register: "all",
  capabilities: ["discover", "read", "remote"],
  options: v.strictObject({ path: v.string() }), secrets: {},
  extensions: { sqlite_scanner: { type: "sqlite", hosts: () => [] } },
  connect: ({ options, resolvePath }) => ({
    discover: async () => ["visits", "gone"].map((name) => table(name, { order_id: int64(), page: utf8() })),
    async *read() { yield [{ order_id: 7, page: "live" }]; },
    remote: () => ({ alias: "lite", extension: "sqlite_scanner", url: resolvePath(options.path), tokenEnv: "" }),
  }),
});
`;

const KBC = `import { definePlugin, int64, table } from "agnes/kit";
import * as v from "valibot";
export default definePlugin({
  name: "kbc", version: "1.0.0", description: "Community",
  capabilities: ["discover", "read", "remote"], options: v.strictObject({}), secrets: {},
  extensions: { keboola: { repository: "community" } },
  connect: () => ({
    discover: async () => [table("rows", { id: int64() })],
    async *read() { yield [{ id: 1 }]; },
    remote: () => ({ alias: "kbc", extension: "keboola", url: "https://kbc.example", tokenEnv: "" }),
  }),
});
`;

/** A workspace with a home, and so with extensions, of its own. */
interface Workspace {
  readonly folder: string;
  /** What its `agnes` downloads from. */
  readonly repository: Repository;
}

let parent: string;
let postgres: Postgres;
/** One without any extension, and one that has installed what its plugins name. */
let bare: Workspace;
let equipped: Workspace;
/** What was found while `equipped` installed its extensions. */
let installed: Awaited<ReturnType<typeof findings>>;

beforeAll(async () => {
  postgres = await startPostgres(PASSWORD);
  postgres.sql(`CREATE SCHEMA sales; CREATE TABLE sales.orders AS SELECT i::bigint AS id, (i % 10)::bigint AS customer,
    CASE WHEN i % 4 = 0 THEN 'open' ELSE 'paid' END AS status, 'x' || i AS private FROM generate_series(1, 10000) i`);
  parent = await mkdtemp(join(tmpdir(), "agnes-extensions-"));
  bare = await createWorkspace("bare");
  equipped = await createWorkspace("equipped");
  installed = await findings(equipped, ["--install-extensions"]);
});

afterAll(async () => {
  postgres?.[Symbol.dispose]();
  bare?.repository[Symbol.dispose]();
  equipped?.repository[Symbol.dispose]();
  if (parent !== undefined) await rm(parent, { recursive: true, force: true });
});

/** Makes a workspace with a local table and four remote ones, and syncs it. */
async function createWorkspace(name: string): Promise<Workspace> {
  const folder = join(parent, name);
  const workspace = { folder, repository: openRepository() };
  for (const inner of ["plugins", "exports", "home"]) await mkdir(join(folder, inner), { recursive: true });
  await writeFile(join(folder, "agnes.yaml"), YAML.replace("PORT", String(postgres.port)));
  await writeFile(join(folder, "plugins/pg.ts"), PG);
  await writeFile(join(folder, "plugins/lite.ts"), LITE);
  await writeFile(join(folder, "plugins/kbc.ts"), KBC);
  await writeFile(join(folder, "exports/customers.csv"), "id,name\n1,Ada\n2,Bob\n3,Čapek\n");
  run(python(), [
    "-c",
    `import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("CREATE TABLE visits (order_id INTEGER, page TEXT)")
connection.executemany("INSERT INTO visits VALUES (?, ?)", [(4, "a"), (8, "b"), (9, "c")])
connection.commit()`,
    join(folder, "notes.db"),
  ]);
  expect((await agnes(workspace, ["sync", "exports"])).status).toBe(0);
  for (const id of ["shop orders", "notes visits", "notes gone", "kbc rows"]) {
    const registered = await agnes(workspace, ["table", "register", ...id.split(" "), "--mode", "remote"]);
    expect(registered.stderr).not.toContain("error");
  }
  const synced = await agnes(workspace, ["sync"]);
  expect(synced.status).toBe(0);
  expect(synced.stderr).not.toMatch(/warn|extension|attach/i);
  return workspace;
}

/** Runs `agnes` in a process of its own: DuckDB looks for its extensions below HOME. */
function agnes(
  { folder, repository }: Workspace,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<CliResult> {
  const own = { HOME: join(folder, "home"), SHOP_PASSWORD: PASSWORD, ...repository.environment, ...env };
  return runCli(args, { cwd: folder, env: own, alone: true });
}

async function rows(workspace: Workspace, sql: string): Promise<unknown> {
  const { status, stdout, stderr } = await agnes(workspace, ["query", sql, "--format", "json"]);
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

interface Finding {
  readonly name: string;
  readonly state: string;
  readonly message: string;
}

/** What `agnes doctor` finds of remote tables, by id. */
async function findings(
  workspace: Workspace,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number; readonly tables: Readonly<Record<string, string>> }> {
  const { status, stdout, stderr } = await agnes(workspace, ["doctor", "--json", ...args], env);
  expect(`${stdout}${stderr}`).not.toContain("s3cret");
  const { checks } = JSON.parse(stdout) as { readonly checks: readonly Finding[] };
  const tables = checks.flatMap(({ name, state, message }) => {
    const id = /^remote table (.*)$/.exec(name)?.[1];
    return id === undefined ? [] : [[id, `${state}: ${message}`] as const];
  });
  return { status, tables: Object.fromEntries(tables) };
}

test("without its extension a remote table is read live or named with the reason, and nothing is downloaded", async () => {
  const missing = (name: string, from: string) =>
    `the DuckDB extension ${name} is not installed; \`agnes doctor --install-extensions\` installs it from ${from}`;
  const live = (name: string, from = "core") =>
    `ok: live, through its connector; not attached: ${missing(name, from)}`;
  expect(await findings(bare)).toEqual({
    status: 1,
    tables: {
      "kbc.rows": live("keboola", "community"),
      "notes.gone": live("sqlite_scanner"),
      "notes.visits": live("sqlite_scanner"),
      "shop.orders": `error: cannot be queried: ${missing("postgres_scanner", "core")}; its plugin pg can neither read nor query`,
    },
  });
  expect(await rows(bare, "SELECT page FROM visits")).toEqual([{ page: "live" }]);
  const refused = await agnes(bare, ["query", "FROM orders"]);
  expect(refused.status).toBe(1);
  expect(refused.stderr).toContain("agnes doctor --install-extensions");
  expect(bare.repository.asked).toEqual([]);
});

test("agnes doctor --install-extensions installs from the repository that each plugin names", () => {
  const { status, tables } = installed;
  expect(tables).toMatchObject({
    "notes.visits": "ok: attached by the DuckDB extension sqlite_scanner",
    "shop.orders": "ok: attached by the DuckDB extension postgres_scanner",
  });
  expect(tables["notes.gone"]).toMatch(
    /^ok: live, through its connector; not attached: .*gone.* does not exist/,
  );
  expect(tables["kbc.rows"]).toMatch(/^ok: live, .*community-extensions.duckdb.org.*\(HTTP 404\)$/);
  expect(status).toBe(0);
  expect(new Set(equipped.repository.asked)).toEqual(
    new Set([
      "community-extensions.duckdb.org/keboola",
      "extensions.duckdb.org/postgres_scanner",
      "extensions.duckdb.org/sqlite_scanner",
    ]),
  );
});

test("an attached SQLite file is queried; a table it lacks is read through the connector", async () => {
  expect(await rows(equipped, "SELECT page FROM visits ORDER BY page")).toEqual([
    { page: "a" },
    { page: "b" },
    { page: "c" },
  ]);
  expect(await rows(equipped, "SELECT page FROM gone")).toEqual([{ page: "live" }]);
});

test("an attached PostgreSQL is joined with local and other remote tables, and gets columns and conditions", async () => {
  const before = postgres.statements().length;
  const sql = `SELECT c.name, count(*) AS n FROM orders o JOIN customers c ON c.id = o.customer
    WHERE o.status = 'open' AND o.id > 100 GROUP BY ALL ORDER BY ALL`;
  // Of every 20 ids those that are divisible by 4 end in 2 once, and never in 1 or 3.
  expect(await rows(equipped, sql)).toEqual([{ name: "Bob", n: 495 }]);
  // The extension reads by pages once PostgreSQL has counted those of the table, which it does some time after a change.
  const pages = /ctid BETWEEN '\(\d+,0\)'::tid AND '\(\d+,0\)'::tid AND /;
  const statements = postgres.statements().slice(before);
  const copies = statements.filter((statement) => statement.startsWith("COPY"));
  expect(copies.map((statement) => statement.replace(pages, ""))).toEqual([
    `COPY (SELECT "id", "customer", "status" FROM "sales"."orders" WHERE "id" > '100' AND "status" = 'open' COLLATE "C") TO STDOUT (FORMAT "binary");`,
  ]);
  expect(
    await rows(
      equipped,
      "SELECT v.page, o.status FROM visits v JOIN orders o ON o.id = v.order_id ORDER BY ALL",
    ),
  ).toEqual([
    { page: "a", status: "open" },
    { page: "b", status: "open" },
    { page: "c", status: "paid" },
  ]);
});

test("SQL cannot call the functions of an extension, which would read any file and send any SQL", async () => {
  for (const call of [
    `sqlite_scan('${join(equipped.folder, "notes.db")}', 'visits')`,
    "postgres_query('pg', 'SELECT 1')",
  ]) {
    const { status, stderr } = await agnes(equipped, ["query", `SELECT * FROM ${call}, visits`]);
    expect(status).toBe(2);
    expect(stderr).toContain("is not allowed");
  }
});

test("every transaction in PostgreSQL is read-only", () => {
  const begun = postgres.statements().filter((statement) => statement.startsWith("BEGIN"));
  expect(begun.length).toBeGreaterThan(0);
  for (const statement of begun) expect(statement).toContain("READ ONLY");
});

test("a wrong secret, one that is not set, and a host that is not listed are named, and no secret is shown", async () => {
  const wrong = { SHOP_PASSWORD: `${PASSWORD}!` };
  expect((await findings(equipped, [], wrong)).tables["shop.orders"]).toMatch(
    /^error: cannot be queried: Unable to connect to Postgres .* authentication failed/,
  );
  expect((await findings(equipped, [], { SHOP_PASSWORD: "" })).tables["shop.orders"]).toContain(
    "the environment variable SHOP_PASSWORD is not set",
  );
  const hosts = { AGNES_REMOTE_ATTACH_HOST_ALLOWLIST: "db.example.com" };
  expect((await findings(equipped, [], hosts)).tables["shop.orders"]).toContain("cannot determine the host");
  expect((await findings(equipped, [], hosts)).tables["notes.visits"]).toStartWith("ok: attached");
  for (const env of [wrong, { SHOP_PASSWORD: "" }, hosts]) {
    const { status, stdout, stderr } = await agnes(equipped, ["query", "FROM orders", "--verbose"], env);
    expect(status).not.toBe(0);
    expect(`${stdout}${stderr}`).toMatch(/shop\.orders|SHOP_PASSWORD/);
    expect(`${stdout}${stderr}`).not.toContain("s3cret");
  }
  // A sync that cannot attach changes nothing for good: with the secret the table answers again.
  await agnes(equipped, ["sync"], wrong);
  expect(await rows(equipped, "SELECT count(*) AS n FROM orders")).toEqual([{ n: 10_000 }]);
});

test("no file holds the secret", async () => {
  const files = await readdir(parent, { recursive: true, withFileTypes: true });
  const data = files.filter((file) => file.isFile() && !file.name.endsWith(".duckdb_extension"));
  expect(data.length).toBeGreaterThan(10);
  for (const file of data) {
    expect((await readFile(join(file.parentPath, file.name))).includes("s3cret")).toBe(false);
  }
});
