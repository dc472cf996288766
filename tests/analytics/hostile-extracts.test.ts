import { describe, expect, test } from "bun:test";
import { execFile } from "node:child_process";
import { mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { createHost, silentLog } from "../../lib/base/mod.ts";
import { rebuildAnalytics } from "../../lib/analytics/rebuild.ts";
import type { RebuildReport } from "../../lib/analytics/mod.ts";
import type { RebuildRequest } from "../../lib/analytics/request.ts";
import { openQuerySession } from "../../lib/query/mod.ts";
import { readAlone, temporaryData, writeExtract, writeRawExtract } from "./extract-files.ts";

const services = () => ({ host: createHost(), log: silentLog, limits: { memoryMb: 512, threads: 2 } });

function rebuild(data: string, request: Partial<RebuildRequest> = {}): Promise<RebuildReport> {
  return rebuildAnalytics(services(), { dataDirectory: data, owners: null, ...request });
}

/** The lines of a report for one source. */
function linesOf(report: RebuildReport, source: string): string {
  return [...report.errors, ...report.skipped]
    .filter(({ name }) => name === source || name.startsWith(`${source}.`))
    .map(({ name, reason }) => `${name}: ${reason}`)
    .join("\n");
}

const META = `CREATE TABLE _meta (table_name VARCHAR, description VARCHAR, rows BIGINT, size_bytes BIGINT,
  extracted_at TIMESTAMP, query_mode VARCHAR);`;
const named = (...names: string[]) =>
  names.map((name) => `INSERT INTO _meta (table_name) VALUES ('${name.replaceAll("'", "''")}');`).join(" ");
const STOLEN = `SELECT * FROM "agnes:analytics".crm.orders`;

/** Seven nested views that each read the next one ten times; created from the top, so that DuckDB never expands them. */
const WIDE = [
  ...Array.from({ length: 7 }, (_, at) => `CREATE VIEW w${at} AS SELECT 1 AS a;`),
  ...Array.from({ length: 6 }, (_, at) => {
    const tables = Array.from({ length: 10 }, (_one, n) => `w${5 - at} AS t${n}`).join(", ");
    return `CREATE OR REPLACE VIEW w${6 - at} AS SELECT count(*) AS a FROM ${tables};`;
  }),
].join("\n");

/** Hostile files with the expected line of the report. */
const REFUSED: Readonly<Record<string, readonly [sql: string, line: RegExp]>> = {
  meta_view: [
    `CREATE VIEW _meta AS SELECT 't' AS table_name, (SELECT content FROM read_text('{outside}')) AS description;
     CREATE TABLE t AS SELECT 1 AS a`,
    /^meta_view: .*its _meta is a view/,
  ],
  meta_none: ["CREATE TABLE t AS SELECT 1 AS a", /it has no table _meta/],
  meta_computed: [
    `CREATE TABLE _meta (table_name VARCHAR, description VARCHAR GENERATED ALWAYS AS (current_setting('temp_directory')))`,
    /generated columns/,
  ],
  meta_untitled: ["CREATE TABLE _meta (name VARCHAR)", /lacks the column table_name/],
  meta_struct: ["CREATE TABLE _meta (table_name STRUCT(a INTEGER))", /table_name of _meta has the type/],
  macro_upper: [
    `${META} ${named("t")} CREATE MACRO upper(x) AS (SELECT any_value(secret) FROM "agnes:analytics".crm.orders);
     CREATE TABLE names AS SELECT 'a' AS k; CREATE VIEW t AS SELECT upper(k) AS k FROM names`,
    /its macro "upper" has the name of a built-in function/,
  ],
  macro_elsewhere: [
    `${META} ${named("t")} CREATE SCHEMA other; CREATE MACRO other.lower(x) AS 'z'; CREATE TABLE t AS SELECT 1 AS a`,
    /its macro "lower" has the name of a built-in function/,
  ],
  macro_table: [
    `${META} ${named("t")} CREATE MACRO range(x) AS TABLE SELECT 1 AS a; CREATE TABLE t AS SELECT 1 AS a`,
    /its macro "range" has the name of a built-in function/,
  ],
  macro_used: [
    `${META} ${named("t", "fine")} CREATE MACRO mine(x) AS x + 1; CREATE TABLE fine AS SELECT 1 AS a;
     CREATE VIEW t AS SELECT mine(a) AS a FROM fine`,
    /one of its views calls its macro "mine"/,
  ],
};

/** Files in which one table is rejected and the table `fine` is published. */
const PARTLY: Readonly<Record<string, readonly [sql: string, line: RegExp]>> = {
  null_name: [
    `${META} INSERT INTO _meta (rows) VALUES (3), (4);`,
    /^null_name: _meta has 2 rows without a table_name/,
  ],
  one_null_name: [`${META} INSERT INTO _meta (rows) VALUES (3);`, /: _meta has 1 row without a table_name/],
  other_schema: [
    `${META} ${named("o")} CREATE SCHEMA s2; CREATE TABLE s2.q AS SELECT 1 AS a; CREATE VIEW o AS SELECT * FROM s2.q;`,
    /other_schema\.o: its view reads "s2\.q"; only the schema main of its own file can be read/,
  ],
  wrong_types: [
    `CREATE TABLE _meta (table_name VARCHAR, rows VARCHAR, extracted_at STRUCT(a INTEGER), description INTEGER[]);`,
    /rows of _meta has the type "VARCHAR"[\s\S]*extracted_at of _meta|extracted_at of _meta[\s\S]*rows of _meta/,
  ],
  wrong_values: [
    `${META} INSERT INTO _meta VALUES ('odd', repeat('x', 20000), -5, 9223372036854775807, 'infinity', NULL);
     CREATE TABLE odd AS SELECT 1 AS a;`,
    /rows in _meta is "-5"/,
  ],
  few_columns: ["CREATE TABLE _meta (TABLE_NAME VARCHAR);", /^$/],
  odd_names: [
    `${META} ${named('a"b', "c\nd", "\u0007", "x; DROP TABLE y", "FINE")} CREATE TABLE "a""b" AS SELECT 1 AS a;`,
    /"a\\"b" is not a valid name[\s\S]*"c\\nd" is not a valid name/,
  ],
  cyclic: [
    `${META} ${named("v1")} CREATE VIEW v1 AS SELECT 1 AS a; CREATE VIEW v2 AS SELECT * FROM v1;
     CREATE OR REPLACE VIEW v1 AS SELECT * FROM v2;`,
    /its views refer to each other/,
  ],
  long_view: [`${META} ${named("w6")} ${WIDE}`, /longer than 1000000 characters/],
  computed: [
    `${META} ${named("c")} CREATE TABLE c (a INTEGER, b VARCHAR GENERATED ALWAYS AS (current_setting('temp_directory')));`,
    /its column "b" is computed by an expression that is not allowed/,
  ],
  linked: [
    `${META} ${named("l", "g")} CREATE VIEW l AS SELECT * FROM read_csv('{data}/link.csv', columns = {'a': 'VARCHAR'});
     CREATE VIEW g AS SELECT * FROM read_csv('{data}/*.csv', columns = {'a': 'VARCHAR'});`,
    /linked.l: .*link.csv", which is outside[\s\S]*linked.g: .*\*.csv", which is outside/,
  ],
  piped: [
    `${META} ${named("p")} CREATE VIEW p AS SELECT * FROM read_csv('{data}/pipe.csv', columns = {'a': 'VARCHAR'});`,
    /pipe.csv", which is outside the extract or is not a file/,
  ],
  no_disk: [
    `${META} ${named("d")} CREATE VIEW d AS SELECT * FROM read_csv('{data}/No space left on device.csv', columns = {'a': 'VARCHAR'});`,
    /No space left on device/,
  ],
  remote_null: [
    `${META} CREATE TABLE _remote_attach (alias VARCHAR, extension VARCHAR, url VARCHAR);
     INSERT INTO _remote_attach VALUES (NULL, 'duckdb', 'x')`,
    /a row of its _remote_attach contains NULL/,
  ],
  remote_view: [
    `${META} CREATE VIEW _remote_attach AS SELECT 'a' AS alias, 'b' AS extension, 'c' AS url`,
    /_remote_attach is a view/,
  ],
  own_wrong: [
    `${META} CREATE TABLE _generation AS SELECT 'x' AS number; CREATE TABLE _cursor AS SELECT 1 AS n`,
    /read as an extract of another program/,
  ],
};

/** A file like an extract of Agnes, with a remote table that has a column of this type. */
function ofType(type: string): string {
  return `${META} INSERT INTO _meta (table_name, query_mode) VALUES ('fine', 'remote');
    CREATE TABLE _generation AS SELECT 1::BIGINT AS number, '/' AS directory;
    CREATE TABLE _cursor AS SELECT 'fine' AS table_name, NULL::VARCHAR AS remote,
      '[{"name":"a","type":"${type}"}]' AS source_columns`;
}

/** Files whose disallowed parts are ignored and whose tables are published. */
const TAMED: Readonly<Record<string, string>> = {
  spoken: `${META} ${named("fine")} CREATE TYPE upper AS VARIANT; CREATE SEQUENCE fine_2; CREATE MACRO mine(x) AS x;
    CREATE SCHEMA other; CREATE TABLE other.fine AS SELECT 'other' AS a`,
  // The type of a column becomes SQL.
  written: ofType("INT); COPY (SELECT 1) TO ''{outside}.written''; --"),
  dropped: ofType('INT); DROP SCHEMA "agnes:analytics".crm CASCADE; --'.replaceAll('"', '\\"')),
};

describe("rebuildAnalytics() over hostile extracts", () => {
  test("rejects invalid rows of _meta and publishes the rest", async () => {
    await using place = await temporaryData();
    const { data } = place;
    const outside = join(data, "outside.txt");
    await writeFile(outside, "canary-of-a-file");
    await writeExtract(data, "crm", {
      tables: [{ name: "orders", rows: "SELECT 'canary-of-a-row' AS secret" }],
    });
    for (const [source, [sql]] of Object.entries(REFUSED)) await writeRawExtract(data, source, sql);
    const files = { linked: "link.csv", piped: "pipe.csv", no_disk: "No space left on device.csv" };
    const fileOf = (source: keyof typeof files) => join(data, "extracts", source, "data", files[source]);
    for (const source of Object.keys(files) as (keyof typeof files)[]) {
      await mkdir(join(data, "extracts", source, "data"), { recursive: true });
      await writeFile(fileOf(source), "a\n1\n");
    }
    for (const [source, [sql]] of Object.entries(PARTLY))
      await writeRawExtract(data, source, `${sql}; ${named("fine")} CREATE TABLE fine AS SELECT 1 AS a`);
    for (const [source, sql] of Object.entries(TAMED))
      await writeRawExtract(data, source, `${sql}; CREATE TABLE IF NOT EXISTS fine AS SELECT 1 AS a`);
    for (const source of Object.keys(files) as (keyof typeof files)[]) await rm(fileOf(source));
    await symlink(outside, fileOf("linked"));
    await promisify(execFile)("mkfifo", [fileOf("piped")]);
    const report = await rebuild(data);
    for (const [source, [, line]] of Object.entries(REFUSED)) {
      expect(linesOf(report, source)).toMatch(line);
      expect(report.published.filter(({ id }) => id.startsWith(`${source}.`))).toEqual([]);
    }
    for (const [source, [, line]] of Object.entries(PARTLY)) expect(linesOf(report, source)).toMatch(line);
    const fine = report.published.filter(({ id }) => id.endsWith(".fine")).map(({ id }) => id.split(".")[0]);
    expect(new Set(fine)).toEqual(new Set([...Object.keys(PARTLY), ...Object.keys(TAMED)]));
    expect(await readAlone<object>(data, "FROM crm.orders")).toEqual([{ secret: "canary-of-a-row" }]);
    expect(JSON.stringify(report)).not.toContain("canary");
    expect(await createHost().files.stat(`${outside}.written`)).toBeNull();
  });

  test("opens no pipe, folder or link in place of an extract's file", async () => {
    await using place = await temporaryData();
    const { data } = place;
    await writeExtract(data, "crm", { tables: [{ name: "orders", rows: "SELECT 1 AS id" }] });
    const at = (source: string, ...rest: string[]) => join(data, "extracts", source, ...rest);
    for (const source of ["folder", "pipe", "wal", "link", "zero", "torn"]) await mkdir(at(source));
    await mkdir(at("folder", "extract.duckdb"));
    await promisify(execFile)("mkfifo", [at("pipe", "extract.duckdb")]);
    await writeRawExtract(data, "wal", META);
    await promisify(execFile)("mkfifo", [at("wal", "extract.duckdb.wal")]);
    await symlink(at("crm", "extract.duckdb"), at("link", "extract.duckdb"));
    await symlink(at("crm"), at("twin"));
    await writeFile(at("zero", "extract.duckdb"), "");
    await writeFile(at("torn", "extract.duckdb"), Buffer.alloc(9000, "x"));
    const report = await rebuild(data);
    expect(report.published.map(({ id }) => id)).toEqual(["crm.orders"]);
    expect(report.errors.map(({ name }) => name)).toEqual([
      "folder",
      "link",
      "pipe",
      "torn",
      "twin",
      "wal",
      "zero",
    ]);
    expect(linesOf(report, "link")).toContain("leads outside the extract");
    expect(linesOf(report, "twin")).toContain("contains the data of other sources");
  });

  test("scans an extract again after its macro is removed", async () => {
    await using place = await temporaryData();
    const sql = `${META} ${named("t")} CREATE TABLE t AS SELECT 1 AS a;`;
    await writeRawExtract(place.data, "odd", `${sql} CREATE MACRO upper(x) AS x`);
    expect((await rebuild(place.data)).errors.map(({ code }) => code)).toEqual(["extract_refused"]);
    await writeRawExtract(place.data, "odd", sql);
    const report = await rebuild(place.data);
    expect([report.errors, report.published.length]).toEqual([[], 1]);
  });
});

describe("a session over extracts of other programs", () => {
  test("reads views of views and tables, never definitions that changed after the check", async () => {
    await using place = await temporaryData();
    const { data } = place;
    await writeExtract(data, "crm", { tables: [{ name: "orders", rows: "SELECT 'canary' AS secret" }] });
    const sql = `${META} ${named("t", "v", "w")} CREATE TABLE t (a INTEGER, b INTEGER GENERATED ALWAYS AS (a * 2));
      INSERT INTO t VALUES (21); CREATE VIEW v AS SELECT b AS answer FROM main.t AS x WHERE x.a = 21;
      CREATE VIEW w AS WITH t AS (SELECT 1 AS one) SELECT v.answer, t.one, y.z FROM v, t, v AS y(z)`;
    await writeRawExtract(data, "odd", sql);
    expect((await rebuild(data)).published.map(({ id, accessMode }) => `${id} ${accessMode}`)).toEqual([
      "crm.orders file",
      "odd.t attached",
      "odd.v attached",
      "odd.w attached",
    ]);
    const rows = async () => {
      await using session = openQuerySession(services(), { dataDirectory: data });
      const result = await session.runQuery({ sql: "SELECT * FROM odd.w", access: new Set(["odd.w"]) });
      const found: unknown[] = [];
      for await (const batch of result.batches) found.push(...batch.toArray().map((row) => row.toJSON()));
      return found;
    };
    expect(await rows()).toEqual([{ answer: 42, one: 1, z: 42 }]);
    for (const change of [
      `DROP VIEW v; CREATE VIEW v AS ${STOLEN}`,
      "CREATE MACRO upper(x) AS 'z'",
      `ALTER TABLE t RENAME TO u; CREATE VIEW t AS SELECT 1 AS a, 2 AS b`,
    ]) {
      await writeRawExtract(data, "odd", sql, change);
      expect(await rows().catch((error: { code: string }) => error.code)).toBe("extract_changed");
    }
    await writeRawExtract(data, "odd", sql.replace("(21)", "(21), (21)"));
    expect((await rows()).length).toBe(4);
  });
});

describe("rebuildAnalytics() over extracts of another machine", () => {
  test("resolves absolute paths with extracts/<source>/ in the current folder", async () => {
    await using place = await temporaryData();
    await using other = await temporaryData();
    const { data } = place;
    await writeExtract(other.data, "crm", {
      tables: [
        { name: "orders", rows: "SELECT 7 AS id" },
        { name: "direct", object: "VIEW direct AS SELECT direct.id FROM '{data}/orders.parquet' AS direct" },
        { name: "of_view", object: "VIEW of_view AS SELECT max(id) AS id FROM orders" },
        { name: "globbed", object: "VIEW globbed AS SELECT id FROM read_parquet('{data}/ord*.parquet')" },
      ],
    });
    await mkdir(join(data, "extracts"));
    await rename(join(other.data, "extracts", "crm"), join(data, "extracts", "crm"));
    // Files at the previous path of the extract do not belong to it.
    await writeExtract(other.data, "crm", { tables: [{ name: "orders", rows: "SELECT 8 AS id" }] });
    const report = await rebuild(data);
    expect([report.skipped, report.errors]).toEqual([[], []]);
    for (const name of ["orders", "direct", "of_view", "globbed"])
      expect(await readAlone<object>(data, `FROM ${name}`)).toEqual([{ id: 7 }]);
  });
});

describe("names that are not in the registry", () => {
  const orders = (of: string) => ({ tables: [{ name: "orders", rows: `SELECT '${of}' AS s` }] });

  test("stay with the extract that published them first, while it publishes them", async () => {
    await using place = await temporaryData();
    const { data } = place;
    await writeExtract(data, "m", orders("m"));
    await rebuild(data);
    for (const later of ["a", "z"]) await writeExtract(data, later, orders(later));
    const report = await rebuild(data, { owners: [] });
    expect(report.conflicts.map(({ owner, loser }) => `${loser} < ${owner}`)).toEqual([
      "a.orders < m.orders",
      "z.orders < m.orders",
    ]);
    // The report contains the names that the database no longer has.
    await writeFile(join(data, "analytics", "analytics.duckdb"), "damaged");
    await rebuild(data);
    expect(await readAlone<object>(data, "FROM orders")).toEqual([{ s: "m" }]);
    // Unreadable twice, with its files removed: the name stays reserved.
    await rm(join(data, "extracts", "m", "data"), { recursive: true });
    await writeFile(join(data, "extracts", "m", "extract.duckdb"), "damaged");
    for (const _ of [1, 2, 3]) {
      const { published, reserved } = await rebuild(data);
      expect(published.map(({ id, viewName }) => `${id} ${viewName}`)).toEqual([
        "a.orders null",
        "z.orders null",
      ]);
      expect(reserved).toEqual([{ id: "m.orders", viewName: "orders" }]);
    }
    await writeExtract(data, "m", { tables: [{ name: "other", rows: "SELECT 1 AS id" }] });
    expect((await rebuild(data)).conflicts.map(({ owner }) => owner)).toEqual(["a.orders"]);
    await writeExtract(data, "m", orders("m"));
    expect((await rebuild(data)).conflicts.map(({ owner }) => owner)).toEqual(["a.orders", "a.orders"]);
  });
});
