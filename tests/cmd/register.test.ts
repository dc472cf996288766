import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { registeredQueries } from "../../cmd/workspace/registered-queries.ts";
import { openDatabase } from "../../lib/duckdb/mod.ts";
import { runCli, temporaryDirectory } from "./run-cli.ts";

setDefaultTimeout(120_000);

const CONFIG = `version: 1
sources:
  shop: { plugin: duckdb, options: { path: shop.duckdb } }
  wh: { plugin: duckdb, options: { path: wh.duckdb }, register: listed }
  exports: { plugin: files, options: { path: . }, register: listed }
`;

async function workspace() {
  const directory = temporaryDirectory();
  const make = async (name: string, sql: string) => {
    await using database = await openDatabase({ path: join(directory.path, name) });
    await using connection = await database.connect();
    await connection.run(sql);
  };
  await make("shop.duckdb", "CREATE TABLE orders AS SELECT i AS id, i % 4 AS page FROM range(8) t(i)");
  await make("wh.duckdb", "CREATE TABLE pages AS SELECT i AS id, 'p' || i AS title FROM range(100) t(i)");
  await writeFile(join(directory.path, "agnes.yaml"), CONFIG);
  await runCli(["sync", "shop"], { cwd: directory.path });
  const query = (sql: string, ...args: string[]) => runCli(["query", sql, ...args], { cwd: directory.path });
  return { ...directory, query };
}

const JOIN =
  "SELECT o.id, title FROM orders o JOIN p ON p.id = page JOIN q ON q.id = page ORDER BY 1 LIMIT 2";

describe("agnes query --register", () => {
  test("joins queries of sources, with keys, in all forms of the options, and reports what ran", async () => {
    using own = await workspace();
    const { status, stdout, stderr } = await own.query(
      JOIN,
      "--format",
      "csv",
      "--register",
      "p=wh:SELECT id, title FROM wh.pages WHERE id IN (SELECT unnest($keys)) AND title <> 'x:y=z'",
      "--register=q=wh:-- the pages\nSELECT id FROM wh.pages",
      "--keys",
      "p=SELECT DISTINCT page FROM orders WHERE page = 1",
    );
    expect([status, stdout]).toEqual([0, "id,title\n1,p1\n5,p1\n"]);
    expect(stderr).toContain("p ran in wh: 1 row, 1 key, ");
    expect(stderr).toContain("q ran in wh: 100 rows, ");
  });

  test("reports an alias without keys as not run", async () => {
    using own = await workspace();
    const keys = ["--keys", "p=SELECT page FROM orders WHERE false"];
    const register = ["--register", "p=wh:SELECT id FROM wh.pages WHERE id IN (SELECT unnest($keys))"];
    const query = (...format: string[]) =>
      own.query("SELECT count(*) AS n FROM p", ...format, ...register, ...keys);
    const { status, stdout, stderr } = await query("--format", "json");
    expect([status, JSON.parse(stdout)]).toEqual([0, [{ n: 0 }]]);
    expect(stderr).toContain("p did not run in wh, 0 keys");
    const asJson = await query("--json");
    expect(JSON.parse(asJson.stdout)).toEqual([{ n: 0 }]);
    const line = asJson.stderr.split("\n").find((one) => one.startsWith("{"))!;
    expect(JSON.parse(line)).toMatchObject({
      receipt: { registered: [{ alias: "p", source: "wh", ran: false, keys: 0 }], rows: 1 },
    });
    expect(asJson.stderr).not.toContain("p did not run");
  });

  test("errors name the alias, also as JSON, and have the exit status of their code", async () => {
    using own = await workspace();
    const limited = await own.query(
      "SELECT * FROM p",
      "--register",
      "p=wh:FROM wh.pages",
      "--register-max-rows",
      "99",
    );
    expect([limited.status, limited.stdout]).toEqual([1, ""]);
    expect(limited.stderr).toContain('the alias "p" of source wh has more rows than its limit of 99');
    const bytes = await own.query(
      "SELECT * FROM p",
      "--register",
      "p=wh:FROM wh.pages",
      "--register-max-bytes=10",
    );
    expect(bytes.stderr).toContain("has more bytes than its limit of 10");
    const mute = await own.query("SELECT * FROM p", "--register", "p=exports:SELECT 1", "--json");
    expect(mute.status).toBe(2);
    expect(JSON.parse(mute.stderr)).toMatchObject({
      error: { code: "capability_missing", details: { alias: "p" } },
    });
    const bigquery = await own.query("SELECT * FROM p", "--register-bq", "p=SELECT 1 AS a");
    expect(bigquery.status).toBe(2);
    expect(bigquery.stderr).toContain(
      "--register-bq needs a source with the plugin bigquery, but there is none",
    );
    const taken = await own.query("SELECT * FROM orders", "--register", "Orders=wh:SELECT 1 AS a");
    expect([taken.status, taken.stderr]).toEqual([2, expect.stringContaining("it is the name of a table")]);
  });

  test("completes the names of the options", async () => {
    using own = await workspace();
    const { stdout } = await runCli(["complete", "--", "query", "SELECT 1", "--reg"], { cwd: own.path });
    const names = stdout.split("\n").map((line) => line.split("\t")[0]);
    expect(names).toEqual(expect.arrayContaining(["--register", "--register-bq", "--register-max-rows"]));
  });
});

describe("registeredQueries()", () => {
  const none = { register: [], registerBq: [], keys: [], limits: {} };
  const sources = { bq: { plugin: "bigquery" }, wh: { plugin: "duckdb" } };
  const read = (
    options: Partial<Parameters<typeof registeredQueries>[1]>,
    own: typeof sources | object = sources,
  ) => registeredQueries("agnes query", { ...none, ...options }, own as typeof sources);

  test("splits at the first separators, and --register-bq means the only source of BigQuery", () => {
    expect(read({})).toBeUndefined();
    const options = {
      register: ["a=wh:SELECT 'x=y:z'"],
      registerBq: ["b=SELECT 1 AS x -- a:b"],
      keys: ["b=SELECT 2 = 3"],
      limits: { maxRows: 5 },
    };
    expect(read(options)).toEqual({
      a: { source: "wh", sql: "SELECT 'x=y:z'", limits: { maxRows: 5 } },
      b: { source: "bq", sql: "SELECT 1 AS x -- a:b", keys: "SELECT 2 = 3", limits: { maxRows: 5 } },
    });
  });

  test.each([
    [{ register: ["a"] }, "--register cannot be"],
    [{ register: ["a=SELECT 1"] }, "--register cannot be"],
    [{ register: ["=wh:SELECT 1"] }, "--register cannot be"],
    [{ register: ["a=wh:"] }, "--register cannot be"],
    [{ registerBq: ["SELECT 1"] }, "--register-bq cannot be"],
    [{ register: ["a=wh:SELECT 1"], registerBq: ["a=SELECT 2"] }, 'repeats the alias "a"'],
    [{ keys: ["a=SELECT 1"] }, "--keys names no registered alias"],
    [{ register: ["a=wh:SELECT 1"], keys: ["a="] }, "--keys of a has no SQL"],
    [{ register: ["a=wh:SELECT 1"], keys: ["a=SELECT 1", "a=SELECT 2"] }, "--keys repeats the alias"],
    [{ limits: { maxRows: 5 } }, "a limit of registered queries has no query"],
  ])("%p is wrong usage", (options, message) => {
    expect(() => read(options)).toThrow(message);
  });

  test("--register-bq with several sources of BigQuery is wrong usage", () => {
    const two = { one: { plugin: "bigquery" }, two: { plugin: "bigquery" } };
    expect(() => read({ registerBq: ["a=SELECT 1"] }, two)).toThrow(
      "the sources one, two have the plugin bigquery",
    );
  });
});
