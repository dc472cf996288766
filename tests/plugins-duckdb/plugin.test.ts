import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { once } from "node:events";
import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { createAgnes } from "agnes";
import type { arrow, SourceQueryOptions } from "agnes/kit";
import { connectorContract } from "agnes/testing";

import { discoverTables } from "../../lib/sources/mod.ts";
import duckdb from "../../plugins/duckdb/plugin.ts";
import { makeWarehouse, rejection, rowsOf, tableOf, type Warehouse } from "./support.ts";

// Many databases are opened here, which is slow on a busy machine.
setDefaultTimeout(60_000);

const SETUP = `
  CREATE TABLE customers (region VARCHAR, id BIGINT, name VARCHAR NOT NULL, PRIMARY KEY (region, id));
  INSERT INTO customers VALUES ('north', 1, 'Ada'), ('south', 1, 'Bob'), ('south', 2, NULL || 'x');
  COMMENT ON TABLE customers IS 'Who buys';
  CREATE VIEW northern AS SELECT id, name FROM customers WHERE region = 'north';
  CREATE SCHEMA sales;
  CREATE TABLE sales.orders AS
    SELECT i AS id, TIMESTAMP '2026-01-01' + INTERVAL (i) HOUR AS placed_at, i % 2 = 0 AS paid, i / 4 AS price,
           (i / 4)::DECIMAL(12, 2) AS total
      FROM range(5000) t(i);
  CREATE TABLE "it's ""odd""; --" ("a ""b""" INTEGER, "select" VARCHAR);
  INSERT INTO "it's ""odd""; --" VALUES (1, 'x'), (2, NULL);
`.replace("NULL || 'x'", "'Eve'");

let warehouse: Warehouse;
beforeAll(async () => {
  warehouse = await makeWarehouse(SETUP);
});
afterAll(async () => {
  await warehouse[Symbol.asyncDispose]();
});

describe("duckdb: contract", () => {
  const options = {
    get path() {
      return warehouse.file;
    },
  };
  const query = `SELECT count(*) AS n FROM contract.sales.orders`;
  const parameterQuery =
    "SELECT $text AS text, $whole AS whole, $big AS big, $fraction AS fraction, $flag AS flag, $moment AS moment, " +
    "$nothing AS nothing";
  const arrayQuery = "SELECT unnest($keys) AS value";
  const config = { options, query, parameterQuery, arrayQuery };
  for (const { name, run } of connectorContract(duckdb, config)) test(name, run);
});

describe("duckdb: discover() and metadata()", () => {
  test("discover() lists tables and views with keys, comments and remote paths", async () => {
    const tables = await discoverTables(await warehouse.connect());
    expect(
      tables.map((table) => [table.name, table.primaryKey, table.description, table.remotePath]),
    ).toEqual([
      ["customers", ["region", "id"], "Who buys", ["main", "customers"]],
      [`it's "odd"; --`, [], undefined, ["main", `it's "odd"; --`]],
      ["northern", [], undefined, ["main", "northern"]],
      ["sales.orders", [], undefined, ["sales", "orders"]],
    ]);
  });

  test("discover() lists only the configured schemas and tables", async () => {
    const names = async (options: object) =>
      (await discoverTables(await warehouse.connect({ path: warehouse.file, ...options }))).map(
        ({ name }) => name,
      );
    expect(await names({ schemas: ["sales"] })).toEqual(["sales.orders"]);
    expect(await names({ include: ["northern"] })).toEqual(["northern"]);
    expect(await names({ schemas: ["SALES"], include: ["Sales.Orders"] })).toEqual(["sales.orders"]);
  });

  test("discover() lists a missing table of include with its problem", async () => {
    const handle = await warehouse.connect({
      path: warehouse.file,
      schemas: ["main"],
      include: ["northern", "custmers", "sales.orders"],
    });
    const tables = await discoverTables(handle);
    expect(tables.map(({ name, problem }) => [name, problem?.message, problem?.hint])).toEqual([
      ["northern", undefined, undefined],
      [
        "custmers",
        expect.stringMatching(/^the source has no table "custmers", which the option `include` refers to$/),
        'Did you mean "customers"?',
      ],
      [
        "sales.orders",
        expect.stringMatching(/^the source has no table "sales.orders", which the option/),
        `Correct \`include\` in agnes.yaml; the source has customers, it's "odd"; --, northern.`,
      ],
    ]);
    expect(await rowsOf(handle, tables[0]!)).toEqual([{ id: 1n, name: "Ada" }]);
  });

  test("discover() reports a missing schema of schemas with the existing ones", async () => {
    const connect = (schemas: readonly string[]) => warehouse.connect({ path: warehouse.file, schemas });
    expect(await rejection(discoverTables(await connect(["sale", "x"])))).toMatchObject({
      code: "duckdb/schema_missing",
      message: 'the source has no schema "sale", which the option `schemas` refers to',
      hint: 'Did you mean "sales"? The source has main, sales.',
    });
    const tables = await discoverTables(await connect(["sales", "archive", "archive"]));
    expect(tables.map(({ name, problem }) => [name, problem?.code, problem?.hint])).toEqual([
      ["sales.orders", undefined, undefined],
      ["archive.*", "duckdb/schema_missing", "Correct `schemas` in agnes.yaml. The source has main, sales."],
    ]);
  });

  test("connecting rejects empty lists of schemas and tables", async () => {
    for (const option of ["schemas", "include"]) {
      const error = await rejection(warehouse.connect({ path: warehouse.file, [option]: [] }));
      expect(error.message).toContain(`${option} should be not empty, but is empty`);
    }
  });

  test("a sync reads the tables of other schemas when one is missing, and reports the missing one", async () => {
    await using agnes = await createAgnes({
      workspace: warehouse.directory,
      plugins: [duckdb],
      config: {
        version: 1,
        sources: {
          wh: { plugin: "duckdb", options: { path: warehouse.file, schemas: ["sales", "archive"] } },
        },
      },
    });
    const result = await agnes.sync();
    expect(result.status).toBe("partial");
    expect(await agnes.rows("SELECT count(*) AS n FROM orders")).toEqual([{ n: 5000 }]);
    expect(JSON.stringify(result.sources[0]!.stats!.errors)).toContain("duckdb/schema_missing");
  });

  test("discover() lists the others when a view is broken, and only reading that one fails", async () => {
    await using broken = await makeWarehouse(
      "CREATE TABLE a AS SELECT 1 AS id; CREATE TABLE b AS SELECT 1 AS id; CREATE VIEW v AS FROM b; DROP TABLE b",
    );
    const handle = await broken.connect();
    expect(await rowsOf(handle, await tableOf(handle, "a"))).toEqual([{ id: 1 }]);
    expect((await tableOf(handle, "v")).problem).toMatchObject({
      code: "file_unreadable",
      message: expect.stringMatching(/^could not read "v": .*b does not exist!/),
      hint: "Correct the view in the database, or exclude it with the option `include`.",
    });
  });

  test("discover() reports why a view cannot be read, without the statement", async () => {
    await using broken = await makeWarehouse("CREATE SEQUENCE s; CREATE VIEW v AS SELECT nextval('s') AS z");
    const { message } = (await tableOf(await broken.connect(), "v")).problem!;
    expect(message).toMatch(/^could not read "v": .*read-only/);
    expect(message).not.toMatch(/FROM|LINE|Candidate/);
  });

  test("metadata() returns the rows of tables and distinguishes views", async () => {
    const handle = await warehouse.connect();
    const tables = await discoverTables(handle);
    const found = await handle.connector.metadata!(tables, { signal: new AbortController().signal });
    expect(found).toContainEqual({ name: "sales.orders", entityType: "table", rows: 5000 });
    expect(found).toContainEqual({ name: "northern", entityType: "view" });
  });
});

describe("duckdb: read() and query()", () => {
  test("read() pushes down columns, filters and the cursor", async () => {
    const handle = await warehouse.connect();
    const orders = await tableOf(handle, "sales.orders");
    const rows = await rowsOf(handle, orders, {
      columns: ["price", "id"],
      filter: [
        { column: "paid", operator: "eq", values: [true] },
        { column: "placed_at", operator: "lt", values: [new Date("2026-01-01T09:00:00Z")] },
        { column: "id", operator: "ne", values: [2n, 4] },
      ],
      cursor: { column: "placed_at", value: "2026-01-01 00:00:00", inclusive: false },
    });
    expect(rows.map((row) => [Object.keys(row), row["id"]])).toEqual([
      [["price", "id"], 6n],
      [["price", "id"], 8n],
    ]);
  });

  test("read() quotes all names and values", async () => {
    const handle = await warehouse.connect();
    const odd = await tableOf(handle, `it's "odd"; --`);
    const hostile = "x'; DROP TABLE customers; --";
    const rows = await rowsOf(handle, odd, {
      filter: [{ column: "select", operator: "ne", values: [hostile] }],
    });
    expect(rows).toEqual([{ 'a "b"': 1, select: "x" }]);
    expect(await discoverTables(handle)).toHaveLength(4);
  });

  test("query() runs SQL with the tables under the name of the source", async () => {
    const handle = await warehouse.connect();
    const { signal } = new AbortController();
    const counted = await handle.connector.query!("SELECT count(*) AS n FROM wh.sales.orders WHERE paid", {
      signal,
    });
    const rows: unknown[] = [];
    for await (const batch of counted.batches!) rows.push(...(batch as Iterable<{ toJSON(): unknown }>));
    expect(rows.map((row) => (row as { toJSON(): unknown }).toJSON())).toEqual([{ n: 2500n }]);
  });

  test("query() and estimate() report a query that is not valid in the words of DuckDB", async () => {
    const { connector } = await warehouse.connect();
    const { signal } = new AbortController();
    for (const sql of ["SELECT nope FROM wh.sales.orders", "SELECT * FROM nix", "SELECT FROM WHERE"])
      for (const method of ["query", "estimate"] as const)
        expect(await rejection(Promise.resolve(connector[method]!(sql, { signal })))).toMatchObject({
          code: "duckdb/query_invalid",
          message: expect.stringMatching(/^DuckDB rejects the query: (?!.*LIMIT 0)/s),
          hint: "Correct the SQL. Its tables are wh.SCHEMA.TABLE, such as wh.main.orders.",
        });
  });

  test("query() passes named parameters with any values to DuckDB", async () => {
    const { connector } = await warehouse.connect();
    const { signal } = new AbortController();
    const runQuery = async (sql: string, parameters: SourceQueryOptions["parameters"] = {}) => {
      const rows: unknown[] = [];
      const { batches } = await connector.query!(sql, { signal, parameters });
      for await (const batch of batches!)
        for (const row of batch as arrow.RecordBatch) rows.push(row!.toJSON());
      return rows;
    };
    const text = `it's "a"; DROP TABLE wh.sales.orders -- $n`;
    const at = new Date("2026-03-04T05:06:07.890Z");
    expect(
      await runQuery(
        "SELECT $text AS text, $N + 1 AS n, $big AS big, $half AS half, $yes AS yes, $none IS NULL AS none",
        {
          text,
          n: 41,
          big: 2n ** 62n,
          half: 0.5,
          yes: true,
          none: null,
        },
      ),
    ).toEqual([{ text, n: 42n, big: 2n ** 62n, half: 0.5, yes: true, none: true }]);
    expect(
      await runQuery("SELECT $at = TIMESTAMPTZ '2026-03-04 05:06:07.89Z' AS same, $at = $at AS twice", {
        at,
      }),
    ).toEqual([{ same: true, twice: true }]);
    expect(
      await runQuery("SELECT count(*)::INT AS n FROM wh.sales.orders WHERE id <= $id", { id: 7 }),
    ).toEqual([{ n: 8 }]);
    const reasonOf = (result: Promise<unknown>) =>
      result.then(
        () => "no error",
        (error: unknown) => (error as Error).message,
      );
    expect(await reasonOf(runQuery("SELECT $a, $b", { a: 1 }))).toContain('the parameter "b" has no value');
    expect(await reasonOf(runQuery("SELECT $a", { a: 1, c: 1 }))).toContain(
      'the statement has no parameter "c"',
    );
    expect(await reasonOf(runQuery("SELECT $a"))).toContain('the parameter "a" has no value');
  });

  test("concurrent reads, started and ended in any order, do not affect each other", async () => {
    const handle = await warehouse.connect();
    const orders = await tableOf(handle, "sales.orders");
    const counts = await Promise.all(
      Array.from({ length: 40 }, async (_, at) => {
        await Bun.sleep((at * 7) % 40);
        const filter = [{ column: "id", operator: "lt", values: [at * 100] }] as const;
        return (await rowsOf(handle, orders, { filter })).length;
      }),
    );
    expect(counts).toEqual(Array.from({ length: 40 }, (_, at) => at * 100));
  });
});

describe("duckdb: failures", () => {
  test("a missing file, or one that is not a database, is reported with its path", async () => {
    const file = join(warehouse.directory, "text.duckdb");
    await writeFile(file, "this is no database, just some words that are long enough to look like a header");
    const missing = join(warehouse.directory, "missing.duckdb");
    for (const [path, code, hint] of [
      [file, "file_unreadable", "damaged"],
      [missing, "source_path_empty", "Check the path"],
    ] as const) {
      const handle = await warehouse.connect({ path });
      const found = discoverTables(handle);
      expect(await rejection(found)).toMatchObject({
        code,
        hint: expect.stringContaining(hint),
      });
      expect((await rejection(found)).message).toContain(path);
    }
  });

  test("a file that another process writes to is a transient error", async () => {
    const holder = spawn(
      process.execPath,
      [
        "-e",
        `import { DuckDBInstance } from "@duckdb/node-api";
         const held = await DuckDBInstance.create(${JSON.stringify(warehouse.file)});
         console.log("held"); setInterval(() => held, 1000);`,
      ],
      { cwd: join(import.meta.dir, "../.."), stdio: ["ignore", "pipe", "inherit"] },
    );
    try {
      await once(holder.stdout, "data");
      await using other = await makeWarehouse("SELECT 1");
      const found = discoverTables(await other.connect({ path: warehouse.file }));
      expect(await rejection(found)).toMatchObject({
        code: "duckdb/file_locked",
        retry: "transient",
        message: expect.stringMatching(/warehouse\.duckdb is in use by .*\(process \d+\)$/),
        hint: "Run it again when that process has closed the file.",
      });
    } finally {
      holder.kill();
      await once(holder, "exit");
    }
  });
});
