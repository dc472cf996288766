import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { openDatabase } from "../../lib/duckdb/mod.ts";
import { runCli, temporaryDirectory } from "./run-cli.ts";

// Each case runs the command line several times.
setDefaultTimeout(120_000);

/** A workspace over files, and the command line in it. */
function workspace(root: string, options: Readonly<Record<string, unknown>> = {}) {
  const settings = (more: Readonly<Record<string, unknown>>) =>
    writeFileSync(
      join(root, "agnes.yaml"),
      `version: 1\nsources:\n  s: { plugin: files, options: ${JSON.stringify({ path: "in", ...more })} }\n`,
    );
  settings(options);
  return {
    settings,
    write(name: string, content: string): void {
      const path = join(root, "in", name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
    },
    run: (...args: readonly string[]) => runCli(args, { cwd: root }),
    rows: async (sql: string): Promise<unknown> => {
      const { stdout, stderr } = await runCli(["query", sql, "--format", "ndjson"], { cwd: root });
      if (stdout === "") throw new Error(stderr);
      return stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as unknown);
    },
  };
}

test("agnes schema and agnes connector discover show how a table is read", async () => {
  using directory = temporaryDirectory();
  const here = workspace(directory.path);
  here.write("orders.csv", "id;paid\n1;31.01.2026\n2;01.02.2026\n");
  here.write("events.ndjson", '{"id":1}\n');
  expect((await here.run("sync")).status).toBe(0);
  const readAs = 'csv, delimiter ;, quote ", header, encoding utf-8, paid as %d.%m.%Y';
  const schema = await here.run("schema", "orders");
  expect(schema.stdout + schema.stderr).toContain(readAs);
  expect(schema.stdout).toMatch(/^paid +DATE/m);
  expect(JSON.parse((await here.run("schema", "orders", "--json")).stdout)).toMatchObject({
    read_as: readAs,
  });
  const discovered = await here.run("connector", "discover", "s");
  expect(discovered.stderr).toContain(`orders is read as ${readAs}`);
  expect(discovered.stderr).toContain("events is read as ndjson");
  expect(discovered.stdout).toMatch(/^orders +paid +DATE +yes/m);
  expect(discovered.stdout).toMatch(/^events +id +BIGINT +yes/m);
  const { tables } = JSON.parse((await here.run("connector", "discover", "s", "--json")).stdout) as {
    tables: { name: string }[];
  };
  expect(tables.find(({ name }) => name === "orders")).toMatchObject({
    read_as: readAs,
    reading: { csv: { delimiter: ";" } },
    columns: [
      { name: "id", type: "BIGINT", nullable: true },
      { name: "paid", type: "DATE", nullable: true },
    ],
  });
});

test("agnes sync reports a table of empty files, and its state", async () => {
  using directory = temporaryDirectory();
  const here = workspace(directory.path);
  here.write("empty.csv", "");
  here.write("blank/a.csv", "\n\n");
  here.write("blank/b.csv", "");
  here.write("good.csv", "id\n1\n");
  const synced = await here.run("sync");
  expect(synced.status).toBe(3);
  expect(synced.stderr).toMatch(
    /"empty\.csv" is empty: it contains no rows and no column names, so no table was created from it/,
  );
  expect(synced.stderr).toMatch(/all 2 files of "blank" are empty: none contains rows/);
  expect(synced.stderr).toContain("the published data stays");
  expect(synced.stderr).not.toContain("damaged");
  const discovered = await here.run("connector", "discover", "s");
  expect([discovered.status, discovered.stdout]).toEqual([3, expect.stringMatching(/^empty .*is empty/m)]);
  expect((await here.run("schema", "empty")).stderr).toMatch(/no table "empty" is published/);
  here.write("good.csv", "");
  expect((await here.run("sync", "s.good")).status).toBe(0);
  expect((await here.run("schema", "good")).stdout).toMatch(/^id +BIGINT/m);
  expect((await here.run("query", "SELECT count(*) AS n FROM good", "--format", "csv")).stdout).toBe(
    "n\n0\n",
  );
});

test("agnes sync names csv.dateFormat for ambiguous dates, and shows the change when it is set", async () => {
  using directory = temporaryDirectory();
  const here = workspace(directory.path);
  here.write("orders.csv", "id,paid\n1,03/04/2026\n2,05/06/2026\n");
  const first = await here.run("sync");
  expect(first.status).toBe(0);
  expect(first.stderr).toMatch(/s\.orders: .*column paid can be read as .*%d\/%m\/%Y.*csv\.dateFormat/);
  expect((await here.run("schema", "orders")).stdout).toMatch(/^paid +VARCHAR/m);
  here.settings({ csv: { dateFormat: "%d/%m/%Y" } });
  const second = await here.run("sync");
  expect(second.status).toBe(0);
  expect(second.stderr).not.toContain("csv.dateFormat");
  expect(second.stderr).toMatch(/s\.orders: .*paid.*VARCHAR.*DATE/);
  expect(
    await here.rows("SELECT id, CAST(paid AS VARCHAR) AS text, typeof(paid) AS type FROM orders ORDER BY id"),
  ).toEqual([
    { id: 1, text: "2026-04-03", type: "DATE" },
    { id: 2, text: "2026-06-05", type: "DATE" },
  ]);
});

const PARTITIONS = ["year=2024/month=01", "year=2024/month=02", "year=2025/month=__HIVE_DEFAULT_PARTITION__"];

test("agnes sync makes typed columns of partition folders with hivePartitions, and none without", async () => {
  using directory = temporaryDirectory();
  const here = workspace(directory.path, { hivePartitions: true });
  await using database = await openDatabase();
  await using connection = await database.connect();
  for (const [at, folder] of PARTITIONS.entries()) {
    here.write(`c/${folder}/a.csv`, `id\n${at}\n`);
    here.write(`n/${folder}/a.ndjson`, `{"id":${at}}\n`);
    here.write(`p/${folder}/placeholder.txt`, "");
    await connection.run(
      `COPY (SELECT ${at}::BIGINT AS id) TO '${join(directory.path, "in/p", folder, "a.parquet")}'`,
    );
  }
  here.write("bad/year=2024/a.csv", "id\n1\n");
  here.write("bad/month=1/b.csv", "id\n1\n");
  const synced = await here.run("sync");
  expect(synced.status).toBe(3);
  expect(synced.stderr).toMatch(
    /s\.bad.*(year=2024\/a\.csv.*month=1\/b\.csv|month=1\/b\.csv.*year=2024\/a\.csv)/,
  );
  for (const table of ["c", "n", "p"]) {
    expect({
      table,
      rows: await here.rows(
        `SELECT id, year, month, typeof(year) AS type FROM ${table} WHERE year >= 2024 ORDER BY id`,
      ),
    }).toEqual({
      table,
      rows: [
        { id: 0, year: 2024, month: "01", type: "BIGINT" },
        { id: 1, year: 2024, month: "02", type: "BIGINT" },
        { id: 2, year: 2025, month: null, type: "BIGINT" },
      ],
    });
  }
  here.settings({ tables: { bad: {} } });
  const plain = await here.run("sync", "--full");
  expect(plain.status).toBe(0);
  for (const table of ["c", "n", "p"]) {
    expect(await here.rows(`SELECT * FROM ${table} ORDER BY id`)).toEqual([{ id: 0 }, { id: 1 }, { id: 2 }]);
  }
  expect(await here.rows("SELECT * FROM bad")).toEqual([{ id: 1 }, { id: 1 }]);
});
