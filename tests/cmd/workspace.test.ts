import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { tableFromIPC } from "apache-arrow";

import { openDatabase, quoteLiteral } from "../../lib/duckdb/mod.ts";
import { runCli, temporaryDirectory } from "./run-cli.ts";

/** One workspace for all: each test only reads it; tests that write make their own. */
let directory: ReturnType<typeof temporaryDirectory>;
const run = (args: readonly string[], options: { stdin?: string; env?: Record<string, string> } = {}) =>
  runCli(args, { cwd: directory.path, ...options });

beforeAll(async () => {
  directory = temporaryDirectory();
  expect((await run(["init"])).status).toBe(0);
  const exports = join(directory.path, "exports");
  writeFileSync(join(exports, "orders.csv"), "id,customer,amount\n1,ann,10.50\n2,bob,7.25\n3,ann,\n");
  writeFileSync(
    join(exports, "customers.ndjson"),
    '{"customer":"ann","city":"Brno","since":"2024-02-29"}\n{"customer":"bob","city":"東京","since":"2025-01-01"}\n',
  );
  const { status, stderr } = await run(["sync", "--quiet"]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
});
afterAll(() => directory[Symbol.dispose]());

describe("init", () => {
  test("agnes init writes a workspace and refuses to write it again", async () => {
    using empty = temporaryDirectory();
    const first = await runCli(["init", "shop", "--json"], { cwd: empty.path });
    expect(first.status).toBe(0);
    expect(JSON.parse(first.stdout)).toEqual({ directory: join(empty.path, "shop") });
    expect(readdirSync(join(empty.path, "shop")).toSorted()).toEqual([
      ".gitignore",
      "agnes.yaml",
      "exports",
      "plugins",
    ]);
    const before = readFileSync(join(empty.path, "shop", "agnes.yaml"), "utf8");
    const second = await runCli(["init", "shop"], { cwd: empty.path });
    expect(second.status).toBe(2);
    expect(second.stderr).toContain("workspace_exists");
    expect(readFileSync(join(empty.path, "shop", "agnes.yaml"), "utf8")).toBe(before);
  });

  test("agnes init keeps a .gitignore that is there", async () => {
    using empty = temporaryDirectory();
    writeFileSync(join(empty.path, ".gitignore"), "mine\n");
    const { status, stderr } = await runCli(["init"], { cwd: empty.path });
    expect(status).toBe(0);
    expect(stderr).toContain(".gitignore");
    expect(readFileSync(join(empty.path, ".gitignore"), "utf8")).toBe("mine\n");
  });
});

describe("sync", () => {
  test("agnes sync prints a line for each table and reports unchanged ones", async () => {
    const { status, stdout, stderr } = await run(["sync"]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^exports\.customers +unchanged +2 /m);
    expect(stdout).toMatch(/^exports\.orders +unchanged +3 /m);
    expect(stderr).toContain("2 unchanged");
  });

  test("agnes sync reads again with --full, and only the named tables", async () => {
    const { status, stdout } = await run(["sync", "exports.orders", "--full", "--json"]);
    expect(status).toBe(0);
    const report = JSON.parse(stdout);
    expect(report.status).toBe("complete");
    expect(report.sources.map((source: { source: string }) => source.source)).toEqual(["exports"]);
    const [table, ...others] = report.sources[0].stats.tables;
    expect(others).toEqual([]);
    expect(table).toMatchObject({ name: "orders", status: "unchanged", full: true, rows_read: 3, rows: 3 });
  });
});

describe("query", () => {
  const joined =
    "SELECT city, sum(amount)::DECIMAL(9,2) AS amount FROM orders JOIN customers USING (customer) GROUP BY city ORDER BY city";

  test("agnes query prints a table and its number of rows", async () => {
    const { status, stdout, stderr } = await run(["query", joined]);
    expect(status).toBe(0);
    expect(stdout).toBe("city  amount\n────  ──────\nBrno   10.50\n東京    7.25\n");
    expect(stderr).toContain("2 rows");
  });

  test("agnes query reads the SQL from stdin if it is - or missing", async () => {
    const dash = await run(["query", "-", "--format", "csv"], { stdin: `${joined};\n` });
    expect(dash).toMatchObject({ status: 0, stdout: "city,amount\nBrno,10.50\n東京,7.25\n" });
    const absent = await run(["query", "--format", "csv"], { stdin: joined });
    expect(absent.stdout).toBe(dash.stdout);
  });

  test("agnes query prints JSON, NDJSON and CSV with distinguishable nulls", async () => {
    const sql = "SELECT id, amount FROM orders ORDER BY id";
    const json = await run(["query", sql, "--format", "json"]);
    const rows = [
      { id: 1, amount: 10.5 },
      { id: 2, amount: 7.25 },
      { id: 3, amount: null },
    ];
    expect(JSON.parse(json.stdout)).toEqual(rows);
    expect((await run(["query", sql, "--json"])).stdout).toBe(json.stdout);
    const ndjson = await run(["query", sql, "--format", "ndjson"]);
    expect(
      ndjson.stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual(rows);
    const csv = await run(["query", sql, "--format", "csv"]);
    expect(csv.stdout).toBe("id,amount\n1,10.50\n2,7.25\n3,\n");
  });

  test("agnes query writes Arrow and Parquet files that others read", async () => {
    const arrow = join(directory.path, "a.arrow");
    const parquet = join(directory.path, "sub", "a.parquet");
    const first = await run(["query", "SELECT * FROM orders", "--format", "arrow", "--output", arrow]);
    expect(first).toMatchObject({ status: 0, stdout: "" });
    expect(tableFromIPC(readFileSync(arrow)).numRows).toBe(3);
    const second = await run(["query", "SELECT * FROM orders", "--output", parquet]);
    expect(second).toMatchObject({ status: 0, stdout: "" });
    await using database = await openDatabase();
    await using connection = await database.connect();
    const [row] = await connection.rows<{ n: bigint }>(`SELECT count(*) AS n FROM ${quoteLiteral(parquet)}`);
    expect(row!.n).toBe(3n);
    expect(readdirSync(join(directory.path, "sub"))).toEqual(["a.parquet"]);
  });

  test("agnes query reports on stderr that rows were left out, in every format", async () => {
    for (const format of ["table", "json", "ndjson", "csv"]) {
      const { status, stdout, stderr } = await run([
        "query",
        "SELECT id FROM orders",
        "--limit",
        "2",
        "--format",
        format,
      ]);
      expect(status).toBe(0);
      expect(stdout).not.toBe("");
      expect(stderr).toMatch(/only the first 2 rows/);
    }
    const whole = await run(["query", "SELECT id FROM orders", "--limit", "3"]);
    expect(whole.stderr).not.toContain("only the first");
  });

  test("agnes query leaves the old file alone when the query fails", async () => {
    const path = join(directory.path, "kept.csv");
    writeFileSync(path, "old");
    const { status } = await run(["query", "SELECT nothing FROM orders", "--output", path]);
    expect(status).not.toBe(0);
    expect(readFileSync(path, "utf8")).toBe("old");
    expect(readdirSync(directory.path).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  test("agnes query ends quietly when its reader goes away", async () => {
    const main = join(import.meta.dir, "..", "..", "cmd", "main.ts");
    const sql = "SELECT a.range AS n, 'some text to fill the pipe' AS t FROM range(2000000) a";
    const child = Bun.spawn(
      ["sh", "-c", `"$BUN" "$MAIN" query "$SQL" --format csv | head -n 2; echo "status $?"`],
      {
        cwd: directory.path,
        env: {
          BUN: process.execPath,
          MAIN: main,
          SQL: sql,
          PATH: process.env["PATH"] ?? "",
          HOME: directory.path,
        },
        stderr: "pipe",
      },
    );
    const [stdout, stderr] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    expect(stdout).toBe("n,t\n0,some text to fill the pipe\nstatus 0\n");
    expect(stderr).toBe("");
  });

  test("agnes query stops and exits 1 at Ctrl-C", async () => {
    const main = join(import.meta.dir, "..", "..", "cmd", "main.ts");
    const sql = "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range % 7 = b.range % 11";
    const child = Bun.spawn([process.execPath, main, "query", sql], {
      cwd: directory.path,
      stdout: "pipe",
      stderr: "pipe",
    });
    await Bun.sleep(2500);
    child.kill("SIGINT");
    const started = performance.now();
    expect(await child.exited).toBe(1);
    expect(performance.now() - started).toBeLessThan(3000);
    expect(await new Response(child.stderr).text()).toContain("aborted");
  });
});

describe("looking around", () => {
  test("agnes catalog lists what SQL can name", async () => {
    const { status, stdout } = await run(["catalog"]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^customers +exports\.customers +2 /m);
    const { tables } = JSON.parse((await run(["catalog", "--json"])).stdout);
    expect(tables.map((table: { name: string }) => table.name)).toEqual(["customers", "orders"]);
  });

  test("agnes schema shows the columns of a table and suggests the nearest name", async () => {
    const { status, stdout } = await run(["schema", "orders"]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^id +BIGINT/m);
    const wrong = await run(["schema", "ordres"]);
    expect(wrong.status).not.toBe(0);
    expect(wrong.stderr).toContain("orders");
  });

  test("agnes profile draws the columns of a table, or prints the profile as JSON", async () => {
    const { status, stdout, stderr } = await run(["profile", "orders"]);
    expect([status, stdout.includes("\u001b")]).toEqual([0, false]);
    expect(stdout).toMatch(/^id +BIGINT +█{10} 100 %/m);
    expect(stderr).toContain("0 duplicate rows");
    const profile = JSON.parse((await run(["profile", "exports.orders", "--json"])).stdout);
    expect(profile).toMatchObject({ version: "1.0", name: "orders", stale: null });
    const wrong = await run(["profile", "orders", "--column", "idd"]);
    expect([wrong.status, wrong.stderr]).toEqual([2, expect.stringContaining("Did you mean id?")]);
  });

  test("agnes sample shows a few rows", async () => {
    const { status, stdout } = await run(["sample", "customers", "--rows", "1"]);
    expect(status).toBe(0);
    expect(stdout.trimEnd().split("\n")).toHaveLength(3);
  });

  test("agnes doctor finds a healthy workspace healthy", async () => {
    const { status, stdout } = await run(["doctor"]);
    expect(status).toBe(0);
    expect(stdout).toContain("DuckDB");
    const report = JSON.parse((await run(["doctor", "--json"])).stdout);
    expect(report.checks.every((check: { state: string }) => check.state !== "error")).toBe(true);
    const found = new Map(
      report.checks.map((check: { name: string; message: string }) => [check.name, check]),
    );
    expect(found.get("registry")).toMatchObject({ message: "2 tables, 2 changes" });
    expect(found.get("sync state")).toMatchObject({ state: "ok" });
  });

  test("agnes doctor, table list and table history name the piece of the registry that is missing", async () => {
    const log = join(directory.path, "data", "state", "tables", "log");
    const kept = `${log}-kept`;
    renameSync(log, kept);
    try {
      for (const args of [["doctor"], ["table", "list"], ["table", "history"]]) {
        const { status, stdout, stderr } = await run(args);
        expect([args, status]).toEqual([args, 1]);
        expect(stdout + stderr).toContain(`${log}: it is missing`);
      }
    } finally {
      renameSync(kept, log);
    }
  });
});

describe("connector", () => {
  test("agnes connector list shows the bundled plugins and who uses them", async () => {
    const { status, stdout } = await run(["connector", "list"]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^files .*exports/m);
    expect(stdout).toMatch(/^duckdb /m);
  });

  test("agnes connector show prints options and answers outside of a workspace too", async () => {
    const { status, stdout } = await runCli(["connector", "show", "files"], { cwd: "/" });
    expect(status).toBe(0);
    expect(stdout).toMatch(/^path +string +A file/m);
    const json = JSON.parse((await run(["connector", "show", "exports", "--json"])).stdout);
    expect(json).toMatchObject({ name: "files", options: { type: "object" } });
  });

  test("agnes connector discover and health connect to the source", async () => {
    const { tables } = JSON.parse((await run(["connector", "discover", "exports", "--json"])).stdout);
    expect(tables.map((table: { name: string }) => table.name).toSorted()).toEqual(["customers", "orders"]);
    const health = await run(["connector", "health"]);
    expect(health.status).toBe(0);
    expect(health.stdout).toMatch(/^exports +ok/m);
  });

  test("agnes connector test reports skipped cases", async () => {
    const { status, stdout } = await run(["connector", "test", "exports"]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^ok +read\(\) with a cursor .*\n +no table with rows has a cursor/m);
  });

  test("agnes connector test tries the chosen tables and cases with as many rows as it may read", async () => {
    const args = ["connector", "test", "exports", "--table", "orders", "--case", "EACH PRIMARY KEY"];
    const { status, stdout, stderr } = await run(args);
    expect({ status, lines: stdout.trim().split("\n").length }).toEqual({ status: 0, lines: 2 });
    expect(stderr).toContain("1 of 1 case passed");
    const limited = await run([
      "connector",
      "test",
      "exports",
      "--case",
      "with columns",
      "--rows",
      "1",
      "--json",
    ]);
    const [result] = (JSON.parse(limited.stdout) as { cases: { remark?: string }[] }).cases;
    expect(result!.remark).toContain("more than 1 row: customers, orders");
    const unknown = await run(["connector", "test", "exports", "--table", "ordrs"]);
    expect(unknown.stdout).toContain(
      'there is no table "ordrs", which the test refers to; the tables are customers, orders',
    );
    const none = await run(["connector", "test", "exports", "--case", "nothing like this"]);
    expect(none.status).toBe(2);
    expect(none.stderr).toContain('no case has "nothing like this" in its name');
    expect(none.stderr).toContain('"read() yields each primary key once"');
  });

  test("agnes connector test names the place in a plugin that does not load", async () => {
    using own = temporaryDirectory();
    mkdirSync(join(own.path, "plugins"));
    writeFileSync(join(own.path, "plugins", "crm.ts"), "export default {\n  name: [,\n");
    writeFileSync(join(own.path, "agnes.yaml"), "version: 1\nsources:\n  crm: { plugin: crm }\n");
    for (const args of [["connector", "test", "crm"], ["sync"], ["connector", "discover", "crm"]]) {
      const { stderr } = await runCli(args, { cwd: own.path });
      expect(stderr).toMatch(/there is no plugin "crm": could not load a plugin from \S+crm\.ts:2:\d+: /);
    }
  });

  test("agnes connector new refuses the name of a built-in plugin", async () => {
    const { status, stderr } = await run(["connector", "new", "files"]);
    expect(status).toBe(2);
    expect(stderr).toContain("files is the name of a built-in plugin");
    expect(existsSync(join(directory.path, "plugins", "files"))).toBe(false);
  });

  test("agnes connector new writes a plugin that passes its contract and syncs", async () => {
    using own = temporaryDirectory();
    const here = { cwd: own.path };
    await runCli(["init"], here);
    const made = await runCli(["connector", "new", "crm", "--capabilities", "discover,read"], here);
    expect(made.status).toBe(0);
    for (const name of [
      "crm/plugin.ts",
      "tsconfig.json",
      ".types/agnes/kit/public.d.ts",
      ".types/valibot/dist/index.d.mts",
    ]) {
      expect({ name, exists: existsSync(join(own.path, "plugins", name)) }).toEqual({ name, exists: true });
    }
    const tested = await runCli(["connector", "test", "crm"], here);
    expect(tested.stdout).not.toContain("failed");
    expect(tested.status).toBe(0);
    writeFileSync(join(own.path, "agnes.yaml"), "version: 1\nsources:\n  crm: { plugin: crm }\n");
    const synced = await runCli(["sync"], here);
    expect(synced.status).toBe(0);
    const again = await runCli(["connector", "new", "crm"], here);
    expect(again.status).toBe(2);
  });
});

describe("demo", () => {
  test("agnes demo answers its question, and again when it is there", async () => {
    using own = temporaryDirectory();
    const first = await runCli(["demo"], { cwd: own.path });
    expect(first.status).toBe(0);
    expect(first.stdout).toMatch(/Atlanta .* 414513/);
    expect(first.stderr).toContain("Next steps");
    const commands = first.stderr.match(/(?<=^  )npm .*$/gm) ?? [];
    expect(commands).toHaveLength(4);
    for (const typed of commands) {
      const child = Bun.spawn(["sh", "-c", typed], { cwd: own.path, stdout: "pipe", stderr: "pipe" });
      const [output, exit] = await Promise.all([new Response(child.stderr).text(), child.exited]);
      expect({ typed, exit, output }).toEqual({ typed, exit: 0, output });
    }
    expect(existsSync(join(own.path, "agnes-demo", "routes.parquet"))).toBe(true);
    const second = await runCli(["demo"], { cwd: own.path });
    expect(second.status).toBe(0);
    expect(second.stdout).toMatch(/exports\.routes +unchanged/);
    mkdirSync(join(own.path, "other"));
    writeFileSync(join(own.path, "other", "agnes.yaml"), "version: 1\n");
    expect((await runCli(["demo", "other"], { cwd: own.path })).status).toBe(2);
  });
});
