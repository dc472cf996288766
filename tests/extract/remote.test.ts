import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { openDatabase } from "../../lib/duckdb/mod.ts";
import { readExtract } from "../../lib/extract/mod.ts";
import { arrow, int64, Secret, table, utf8, type RemoteAttachInfo } from "../../lib/kit/mod.ts";
import { openBench, planOf, sourceOf } from "./harness.ts";

const info = table("orders", { id: int64(), name: utf8() }, { remotePath: ["main", "orders"] });

function remote(attach: RemoteAttachInfo) {
  return {
    remote: () => attach,
    query: async () => ({ schema: info.schema, batches: (async function* () {})() }),
  };
}

test("extractSource() publishes a remote-only source without reading data", async () => {
  await using bench = await openBench();
  const connector = remote({ alias: "bq", extension: "bigquery", url: "project=x", tokenEnv: "BQ_TOKEN" });
  const stats = await bench.run([planOf(info, { mode: "remote" })], connector);
  expect(stats).toMatchObject({ tablesExtracted: 1, totalRows: 0 });
  expect(await bench.rows("SELECT table_name, rows, size_bytes, query_mode FROM _meta")).toEqual([
    { table_name: "orders", rows: 0n, size_bytes: 0n, query_mode: "remote" },
  ]);
  expect(await bench.rows("SELECT * FROM _remote_attach")).toEqual([
    { alias: "bq", extension: "bigquery", url: "project=x", token_env: "BQ_TOKEN" },
  ]);
  expect(
    await bench.rows(
      "SELECT column_name AS n, data_type AS t FROM duckdb_columns() WHERE table_name = '_remote_attach'",
    ),
  ).toEqual(["alias", "extension", "url", "token_env"].map((n) => ({ n, t: "VARCHAR" })));
  // A missing view is normal for a database that an extension attaches, so there is no note.
  expect(stats.tables[0]!.notes).toEqual([]);
  expect((await bench.run([planOf(info, { mode: "remote" })], connector)).published).toBe(false);
});

test("extractSource() writes no secret that remote() returns, nor one that an earlier version wrote", async () => {
  await using bench = await openBench();
  const secret = "p@ss/word 1";
  const attach = { alias: "db", extension: "postgres", url: "postgres://host/db", tokenEnv: "DB_TOKEN" };
  const plans = [planOf(info, { mode: "remote" as const })];
  const leaking = [
    { ...attach, url: `postgres://u:${secret}@host/db` },
    { ...attach, url: `postgres://host/db?password=${encodeURIComponent(secret)}` },
    { ...attach, url: `postgres://host/db?password=${encodeURIComponent(secret).toLowerCase()}` },
    { ...attach, url: `postgres://host/db?auth=${Buffer.from(secret).toString("base64")}` },
    { ...attach, url: `postgres://host/db?auth=${Buffer.from(`u:${secret}`).toString("base64url")}` },
    { ...attach, alias: `db_${Buffer.from(secret).toString("hex")}` },
  ];
  // Without the secret's value no secret is detected, as in an earlier version.
  await bench.run(plans, remote(leaking[0]!));
  expect(await bench.rows("SELECT url FROM _remote_attach")).toEqual([{ url: leaking[0]!.url }]);
  const addresses = async () =>
    JSON.stringify(await bench.rows("SELECT url FROM _remote_attach").catch(() => []));
  const sourceWith = (one: RemoteAttachInfo, secrets: readonly string[]) => ({
    source: { ...sourceOf(remote(one)), secrets },
  });
  for (const one of leaking) {
    const stats = await bench.run(plans, remote(one), { ...sourceWith(one, [secret]), full: true });
    expect(stats.errors.map(({ error }) => error.code)).toEqual(["remote_holds_secret"]);
    expect(JSON.stringify(stats.errors)).not.toContain("word");
    expect(await addresses()).not.toContain("word");
  }
  const short = { ...attach, alias: "abc" };
  const stats = await bench.run(plans, remote(short), sourceWith(short, ["abc"]));
  expect(stats.errors.map(({ error }) => error.message).join()).toContain("the alias that remote() returns");
  const clean = await bench.run(plans, remote(attach), sourceWith(attach, [secret, "abc", ""]));
  expect(clean.errors).toEqual([]);
  expect(await addresses()).toBe('[{"url":"postgres://host/db"}]');
});

test("extractSource() removes an address with a secret when it keeps its table", async () => {
  await using bench = await openBench();
  const leaking = { alias: "db", extension: "postgres", url: "postgres://u:hush-hush@host", tokenEnv: "" };
  const local = table("local", { id: int64() });
  const plans = [planOf(info, { mode: "remote" as const }), planOf(local)];
  let id = 0;
  const connector = {
    ...remote(leaking),
    async *read() {
      yield [{ id: id++ }];
    },
  };
  await bench.run(plans, connector);
  const source = { ...sourceOf(connector), secrets: ["hush-hush"] };
  const stats = await bench.run(plans, connector, { source });
  expect(stats.errors.map(({ error }) => error.code)).toEqual(["remote_holds_secret"]);
  expect(await bench.rows("SELECT table_name AS t FROM _meta ORDER BY t")).toEqual([
    { t: "local" },
    { t: "orders" },
  ]);
  expect(await bench.rows("SELECT view_name AS v FROM duckdb_views() WHERE NOT internal")).toEqual([
    { v: "local" },
  ]);
  const tables = await bench.rows<{ t: string }>("SELECT table_name AS t FROM duckdb_tables()");
  if (tables.some(({ t }) => t === "_remote_attach"))
    expect(await bench.rows("SELECT * FROM _remote_attach")).toEqual([]);
});

test("extractSource() creates a view over a DuckDB file that it can attach", async () => {
  await using bench = await openBench();
  const path = join(bench.root, "other.duckdb");
  {
    await using database = await openDatabase({ path });
    await using connection = await database.connect();
    await connection.run("CREATE TABLE orders AS SELECT 7 AS id, 'x' AS name; CHECKPOINT");
  }
  const connector = remote({ alias: "other", extension: "duckdb", url: path, tokenEnv: "" });
  const local = table("local", { id: int64() });
  const stats = await bench.run([planOf(info, { mode: "remote" }), planOf(local)], {
    ...connector,
    async *read() {
      yield [{ id: 1 }];
    },
  });
  expect(stats.tables[0]!.notes).toEqual([]);
  await using database = await openDatabase({
    path: join(bench.directory, "extract.duckdb"),
    readOnly: true,
  });
  await using connection = await database.connect();
  await connection.run(`ATTACH '${path}' AS other (READ_ONLY)`);
  expect(await connection.rows("SELECT * FROM orders")).toEqual([{ id: 7, name: "x" }]);
});

test("extractSource() publishes no options and secrets of an attachment, and a changed address even if no table changed", async () => {
  await using bench = await openBench();
  const attach = { alias: "bq", extension: "bigquery", url: "project=x", tokenEnv: "BQ_TOKEN" };
  const plan = [planOf(info, { mode: "remote" })];
  await bench.run(plan, remote({ ...attach, options: { BILLING: "b", KEY: new Secret("KEY", "s3cret") } }));
  expect((await readExtract(bench.services.host.files, bench.directory))!.remotes).toEqual([attach]);
  expect(readFileSync(join(bench.directory, "extract.duckdb")).includes("s3cret")).toBe(false);
  const moved = { ...attach, url: "project=y" };
  expect((await bench.run(plan, remote(moved))).published).toBe(true);
  expect(await bench.rows("SELECT url FROM _remote_attach")).toEqual([{ url: "project=y" }]);
  expect((await bench.run(plan, remote(moved))).published).toBe(false);
});

test("extractSource() rejects a hostile alias and removes the attachment with its last table", async () => {
  await using bench = await openBench();
  const bad = remote({ alias: 'x"; --', extension: "duckdb", url: "x", tokenEnv: "" });
  expect((await bench.run([planOf(info, { mode: "remote" })], bad)).errors[0]?.error.code).toBe(
    "invalid_identifier",
  );
  const good = remote({ alias: "bq", extension: "bigquery", url: "project=x", tokenEnv: "" });
  await bench.run([planOf(info, { mode: "remote" })], good);
  await bench.run([planOf(info)], () => [[{ id: 1 }]]);
  expect(
    await bench.rows("SELECT table_name AS t FROM duckdb_tables() WHERE table_name = '_remote_attach'"),
  ).toEqual([]);
  expect(await bench.rows("SELECT * FROM orders")).toEqual([{ id: 1n, name: null }]);
});

test("extractSource() materializes the result of the source's own engine", async () => {
  await using bench = await openBench();
  const queries: string[] = [];
  const batch = arrow.tableFromArrays({ n: new Int32Array([1, 2]) }).batches[0]!;
  const connector = {
    query: async (sql: string) => {
      queries.push(sql);
      return {
        schema: batch.schema,
        batches: (async function* () {
          yield batch;
        })(),
      };
    },
  };
  const stats = await bench.run([planOf(info, { mode: "materialized", query: "SELECT 1" })], connector);
  expect(stats.tablesExtracted).toBe(1);
  expect(queries).toEqual(["SELECT 1"]);
  expect(await bench.rows("SELECT * FROM orders ORDER BY n")).toEqual([{ n: 1 }, { n: 2 }]);
  expect(await bench.rows("SELECT query_mode FROM _meta")).toEqual([{ query_mode: "materialized" }]);
});

test("extractSource() materializes a result whose parts are read concurrently", async () => {
  await using bench = await openBench();
  const { schema } = table("counts", { n: int64() });
  let waiting: (() => void)[] = [];
  const part = (from: number) =>
    async function* () {
      // If the parts were read one after the other, they would wait forever.
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
        if (waiting.length === 2) for (const go of waiting.splice(0)) go();
      });
      yield [{ n: from }, { n: from + 1 }];
      yield [{ n: from + 2 }];
    };
  const connector = { query: async () => ({ schema, parts: [part(1), part(4), part(7), part(10)] }) };
  const plan = planOf(info, { mode: "materialized", query: "SELECT 1" });
  expect(await bench.run([plan], connector)).toMatchObject({ tablesExtracted: 1, totalRows: 12 });
  const rows = await bench.rows<{ n: bigint }>("SELECT n FROM orders ORDER BY n");
  expect(rows.map(({ n }) => Number(n))).toEqual(Array.from({ length: 12 }, (_, at) => at + 1));
  waiting = [];
  const failing = async function* () {
    yield [{ n: 1 }];
    throw new Error("the stream is lost");
  };
  const lost = { query: async () => ({ schema, parts: [failing, failing] }) };
  expect((await bench.run([plan], lost)).errors[0]?.error.message).toContain("the stream is lost");
  expect(await bench.rows("SELECT count(*) AS n FROM orders")).toEqual([{ n: 12n }]);
});

test("extractSource() attaches no table whose capabilities lack remote", async () => {
  await using bench = await openBench();
  const connector = remote({ alias: "bq", extension: "bigquery", url: "project=x", tokenEnv: "BQ_TOKEN" });
  const other = table("other", { id: int64() }, { capabilities: ["query"] });
  await bench.run([planOf(other, { mode: "remote" })], connector);
  expect(await bench.rows("SELECT table_name, query_mode FROM _meta")).toEqual([
    { table_name: "other", query_mode: "remote" },
  ]);
  const attachments = "SELECT count(*) AS n FROM duckdb_tables() WHERE table_name = '_remote_attach'";
  expect(await bench.rows(attachments)).toEqual([{ n: 0n }]);
});
