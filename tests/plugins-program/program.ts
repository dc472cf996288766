/** A program for tests: what it does is the setting `mode` of its source. */
import { spawn } from "node:child_process";
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { DuckDBInstance } from "@duckdb/node-api";

interface Input {
  readonly directory: string;
  readonly extract: string;
  readonly settings: { readonly mode?: string; readonly path?: string };
  readonly tables: readonly { readonly name: string; readonly state: { readonly next?: number } | null }[];
}

const input = JSON.parse(await Bun.stdin.text()) as Input;
const { mode = "good", path = "" } = input.settings;
const parquet = join(input.directory, "orders.parquet");

async function write(...statements: readonly string[]): Promise<void> {
  const instance = await DuckDBInstance.create(input.extract);
  const connection = await instance.connect();
  for (const sql of statements) await connection.run(sql);
  connection.closeSync();
  instance.closeSync();
}

const META =
  "CREATE TABLE _meta (table_name VARCHAR NOT NULL, description VARCHAR, rows BIGINT, size_bytes BIGINT, extracted_at TIMESTAMP, query_mode VARCHAR)";
const row = (name: string, queryMode = "local") =>
  `INSERT INTO _meta VALUES ('${name}', 'the ${name}', 3, 100, now()::TIMESTAMP, '${queryMode}')`;
const ORDERS = [
  META,
  row("orders"),
  `COPY (SELECT i AS id, 'o' || i AS label, DATE '2026-01-01' + i::INT AS day FROM range(3) t(i)) TO '${parquet}'`,
  `CREATE VIEW orders AS SELECT * FROM read_parquet('${parquet}')`,
];
const print = (text: string) => Bun.write(Bun.stdout, `${text}\n`);
const warn = (text: string) => Bun.write(Bun.stderr, `${text}\n`);
const done = (tables: object = {}) => print(JSON.stringify({ tables }));
/** A child that would live for a minute, holds the pipes and writes its id to a file. */
const child = () => {
  const sleeping = spawn("sleep", ["60"], { stdio: "inherit" });
  writeFileSync(path, String(sleeping.pid));
  sleeping.unref();
};
/** A grandchild in a session of its own, whose parent has ended. */
const escapedChild = () => {
  const script = `sleep 60 & echo $! >'${path}'`;
  const shell = spawn("sh", ["-c", script], { detached: true, stdio: "inherit" });
  return new Promise((resolve) => shell.once("exit", resolve));
};

/** The header of a file that DuckDB 2.0.1 wrote: a checksum, the storage version 999 and its own version. */
const HEADER_OF_2 =
  "4e822ccab8e91e454455434be70300000000000000000000000000000000000000000000000000000000000000" +
  "0000000000000076322e302e310000000000000000000000000000000000000000000000000000386437383131" +
  "346539300000000000000000000000000000000000000000000000000000000000001c367054ae8056d75bf696" +
  "47b6767b77";

switch (mode) {
  case "good":
    await warn("reading the orders");
    await print("some output before the result");
    await write(...ORDERS, row("customers"), "CREATE TABLE customers AS SELECT 1 AS id, 'Ann' AS name");
    await done();
    break;
  case "input":
    await write(
      META,
      row("input"),
      "CREATE TABLE input (text VARCHAR)",
      `INSERT INTO input VALUES (${quoted(JSON.stringify({ ...input, env: process.env, cwd: process.cwd() }))})`,
    );
    await done();
    break;
  case "incremental": {
    const from = input.tables[0]!.state?.next ?? 0;
    await write(
      META,
      row("steps"),
      `CREATE TABLE steps AS SELECT i AS id, ${from} AS run FROM range(${from}, ${from} + 2) t(i)`,
    );
    await done({ steps: { state: { next: from + 1 } } });
    break;
  }
  case "one failed":
    await write(...ORDERS);
    await done({ invoices: { error: "the vendor is down" } });
    break;
  case "prints secret":
    await warn(process.env["TOKEN"]!);
    await warn(`${"x".repeat(1990)}${process.env["TOKEN"]}`);
    process.exit(3);
    break;
  case "exit":
    await write(...ORDERS);
    await warn("Traceback");
    await warn(`it broke with ${process.env["TOKEN"] ?? "nothing"}`);
    await done();
    process.exit(3);
    break;
  case "no result":
    await write(...ORDERS);
    break;
  case "no json":
    await write(...ORDERS);
    await print("done");
    break;
  case "bad json":
    await write(...ORDERS);
    await print('{"tables": [1]}');
    break;
  case "huge line":
    await write(...ORDERS);
    await print("x".repeat(3_000_000));
    break;
  case "huge output":
    await write(...ORDERS);
    for (let at = 0; at < 200; at++) await print("x".repeat(100_000));
    await done();
    break;
  case "endless":
    for (let isEndless = true; isEndless;) isEndless = (await print("y\n".repeat(10_000))) > 0;
    break;
  case "silent":
    child();
    process.on("SIGTERM", () => {});
    await Bun.sleep(60_000);
    break;
  case "left child":
    await write(...ORDERS);
    child();
    await done();
    break;
  case "escaped child":
    await write(...ORDERS);
    await escapedChild();
    await done();
    break;
  case "escaped and silent":
    await escapedChild();
    await Bun.sleep(60_000);
    break;
  case "no extract":
    await done();
    break;
  case "no meta":
    await write("CREATE TABLE orders AS SELECT 1 AS id");
    await done();
    break;
  case "meta view":
    await write("CREATE VIEW _meta AS SELECT 'orders' AS table_name");
    await done();
    break;
  case "unnamed":
    await write("CREATE TABLE _meta (table_name VARCHAR); INSERT INTO _meta VALUES ('')");
    await done();
    break;
  case "other meta":
    await write("CREATE TABLE _meta (name VARCHAR)");
    await done();
    break;
  case "short meta":
    await write(
      "CREATE TABLE orders AS SELECT 1 AS id",
      "CREATE TABLE _meta AS SELECT 'orders' AS table_name",
    );
    await done();
    break;
  case "remote":
    await write(META, row("orders", "remote"), "CREATE TABLE orders AS SELECT 1 AS id");
    await done();
    break;
  case "not in extract":
    await write(...ORDERS, row("ghost"));
    await done();
    break;
  case "outside":
    await write(...ORDERS, row("stolen"), `CREATE VIEW stolen AS SELECT * FROM read_csv('${path}')`);
    await done();
    break;
  case "link":
    await write(...ORDERS);
    symlinkSync(path, join(input.directory, "stolen.csv"));
    await done();
    break;
  case "newer":
    writeFileSync(input.extract, Buffer.concat([Buffer.from(HEADER_OF_2, "hex"), Buffer.alloc(20_000)]));
    await done();
    break;
  case "not a database":
    writeFileSync(input.extract, "x".repeat(20_000));
    await done();
    break;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
