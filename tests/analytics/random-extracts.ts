import { expect } from "bun:test";
import { copyFile, mkdir, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { createHost, silentLog } from "../../lib/base/mod.ts";
import { rebuildAnalytics } from "../../lib/analytics/rebuild.ts";
import type { RebuildReport } from "../../lib/analytics/mod.ts";
import { openDatabase, type Connection } from "../../lib/duckdb/mod.ts";
import { openQuerySession } from "../../lib/query/mod.ts";
import { temporaryData, writeExtract } from "./extract-files.ts";

/** Values that no table of a random extract may contain. */
const CANARY = "canary-7f3a";
/** Parquet files that each extract gets copies of. */
const PLAIN_PART = "plain.parquet";
const CANARY_PART = "canary.parquet";
const GOOD = "SELECT 42 AS answer";

/** With more threads, more processor time is spent on waiting for each other. */
const services = () => ({ host: createHost(), log: silentLog, limits: { memoryMb: 512, threads: 1 } });

/**
 * Rebuilds over extracts with random content, each beside a valid one and a secret one, and reads all their published
 * tables.
 *
 * @param perRebuild the number of extracts per rebuild
 * @returns the number of extracts that were published at least in part, and of those that were rejected
 */
export async function expectValidStaysPublished(
  seeds: readonly number[],
  perRebuild: number,
): Promise<{ readonly shown: number; readonly refused: number }> {
  const counts = { shown: 0, refused: 0 };
  for (let from = 0; from < seeds.length; from += perRebuild) {
    const some = seeds.slice(from, from + perRebuild);
    await using place = await temporaryData();
    const { data } = place;
    await writeFile(join(data, "outside.csv"), `a\n${CANARY}\n`);
    await writeExtract(data, "crm", { tables: [{ name: "orders", rows: `SELECT '${CANARY}' AS secret` }] });
    await writeExtract(data, "good", {
      tables: [
        { name: "fine", rows: GOOD },
        { name: "inside", object: `TABLE inside AS ${GOOD}` },
      ],
    });
    // The caller computes, and does not wait for another thread.
    await using writer = await openDatabase({ limits: { threads: 1 }, settings: { external_threads: "1" } });
    await using connection = await writer.connect();
    // Internal databases of a session, so that hostile views can refer to them.
    await connection.run(
      `SET GLOBAL force_compression = 'uncompressed';
       ATTACH ':memory:' AS "agnes:analytics"; CREATE SCHEMA "agnes:analytics".crm;
       CREATE TABLE "agnes:analytics".crm.orders (secret VARCHAR);
       COPY (SELECT 1 AS a) TO '${join(data, PLAIN_PART)}' (FORMAT parquet);
       COPY (SELECT '${CANARY}' AS a) TO '${join(data, CANARY_PART)}' (FORMAT parquet)`,
    );
    for (const seed of some) await writeRandomExtract(connection, data, seed);
    try {
      const report = await rebuildAnalytics(services(), { dataDirectory: data, owners: null });
      await expectKept(data, report);
      const ids = report.published.map(({ id }) => id.split(".")[0]);
      counts.shown += some.filter((seed) => ids.includes(sourceOf(seed))).length;
      counts.refused += some.filter((seed) =>
        report.errors.some(({ name }) => name === sourceOf(seed)),
      ).length;
    } catch (error) {
      throw new Error(`seeds ${some[0]} to ${some.at(-1)}: AGNES_SEED replays one`, { cause: error });
    }
  }
  return counts;
}

async function expectKept(data: string, report: RebuildReport): Promise<void> {
  const published = report.published.map(({ id }) => id);
  expect(published).toContain("good.fine");
  expect(published).toContain("good.inside");
  expect(report.published.find(({ id }) => id === "good.fine")?.viewName).toBe("fine");
  expect(JSON.stringify(report)).not.toContain(CANARY);
  await using session = openQuerySession(services(), { dataDirectory: data });
  const foreign = published.filter((one) => !one.startsWith("crm."));
  // A later query that needs another database gets a new instance; this one attaches all tables, if possible.
  const everything = await session
    .runQuery({ sql: `SELECT 1 FROM ${foreign.join(", ")} LIMIT 0` })
    .catch(() => null);
  for await (const batch of everything?.batches ?? []) expect(batch.numRows).toBe(0);
  for (const id of foreign) {
    const limits = { rows: 10, timeoutMs: 10_000 };
    const sql = `SELECT * FROM ${id}`;
    const text = await (async () => {
      const result = await session.runQuery({ sql, access: new Set([id]), limits });
      const rows: unknown[] = [];
      for await (const batch of result.batches) rows.push(...batch.toArray().map((row) => String(row)));
      return JSON.stringify(rows);
    })().catch((error: unknown) => `failed: ${(error as Error).message}`);
    if (id.startsWith("good.")) expect(text).toContain("42");
    expect(text).not.toContain(CANARY);
  }
  expect(JSON.stringify(await session.catalog({ access: new Set(["good.fine"]) }))).not.toContain(CANARY);
}

const sourceOf = (seed: number) => `s${seed}`;

/** A small deterministic random number generator. */
class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed * 2_654_435_761;
  }

  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }

  of<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }

  some<T>(values: readonly T[], most: number): readonly T[] {
    return Array.from({ length: this.below(most + 1) }, () => this.of(values));
  }
}

const PLAIN_NAMES = ["t", "v", "w", "x", "fine", "orders"];
const NAMES = [
  ...PLAIN_NAMES,
  ...PLAIN_NAMES,
  ...PLAIN_NAMES,
  "T",
  "a b",
  'q"q',
  "n\nl",
  "\u0007",
  "é",
  "select",
  "p.q",
];
const CANARIES = [
  `"agnes:analytics".crm.orders`,
  `(SELECT content AS secret FROM read_text('{outside}'))`,
  `read_csv('{outside}', columns = {'a': 'VARCHAR'})`,
  `read_csv('{data}/../../../outside.csv', columns = {'a': 'VARCHAR'})`,
  `read_csv('{data}/link.csv', columns = {'a': 'VARCHAR'})`,
  `read_csv('{data}/linked/outside.csv', columns = {'a': 'VARCHAR'})`,
  `read_csv('{data}/*.csv', columns = {'a': 'VARCHAR'})`,
  `read_parquet('{crm}/orders.parquet')`,
  `'{crm}/orders.parquet'`,
  `read_blob('{outside}')`,
];
const RELATIONS = [
  "t",
  "v",
  "w",
  "main.x",
  "other.t",
  "read_parquet('{data}/p.parquet')",
  "read_parquet(['{data}/p.parquet', '{data}/p.parquet'])",
  "read_parquet('{data}/*.parquet', filename = true)",
  "'{data}/p.parquet'",
  "read_parquet('{elsewhere}/p.parquet')",
  "range(3)",
  "(VALUES (1), (2))",
  "generate_series(1, 3)",
  "unnest([1, 2])",
  ...CANARIES,
];
const EXPRESSIONS = [
  "*",
  "1 AS a",
  "*",
  "*",
  "upper('a') AS a",
  "mine(1) AS a",
  "other.lower('x') AS a",
  "current_setting('temp_directory') AS a",
  "nextval('seq') AS a",
  "getenv('HOME') AS a",
  "repeat('x', 1000) AS a",
  "'a''b;\n--' AS \"x\"\"y\"",
  `(SELECT any_value(secret) FROM "agnes:analytics".crm.orders) AS a`,
  "CAST('1' AS mood) AS a",
  "1::VARIANT AS a",
  "[1, 2] AS a",
  "{'a': 1} AS a",
  "1/0 AS a",
  "error('No space left on device') AS a",
];
const MACROS = [
  "MACRO mine(x) AS x",
  'MACRO upper(x) AS (SELECT any_value(secret) FROM "agnes:analytics".crm.orders)',
  'MACRO other.lower(x) AS (SELECT any_value(secret) FROM "agnes:analytics".crm.orders)',
  'MACRO range(x) AS TABLE SELECT * FROM "agnes:analytics".crm.orders',
  'MACRO read_parquet(x) AS TABLE SELECT * FROM "agnes:analytics".crm.orders',
  "MACRO count(x) AS 1",
];
const OTHERS = [
  "TYPE mood AS ENUM ('1', 'b')",
  "TYPE mood AS VARIANT",
  "SEQUENCE seq",
  "INDEX ix ON t (a)",
  "TABLE other.t AS SELECT 1 AS a",
  "TABLE g (a VARCHAR, b VARCHAR GENERATED ALWAYS AS (upper(a)))",
  "TABLE g (a INTEGER, b VARCHAR GENERATED ALWAYS AS (current_setting('temp_directory')))",
];
const META_TYPES: Readonly<Record<string, readonly string[]>> = {
  table_name: [
    "VARCHAR",
    "VARCHAR",
    "VARCHAR",
    "VARCHAR NOT NULL",
    "VARCHAR",
    "INTEGER",
    "VARCHAR[]",
    "BLOB",
  ],
  description: ["VARCHAR", "VARCHAR", "INTEGER", "STRUCT(a INTEGER)", "VARCHAR GENERATED ALWAYS AS ('a')"],
  rows: ["BIGINT", "INTEGER", "VARCHAR", "DOUBLE", "HUGEINT", "BOOLEAN"],
  size_bytes: ["BIGINT", "INTEGER", "UBIGINT", "BLOB"],
  extracted_at: [
    "TIMESTAMP",
    "TIMESTAMP",
    "DATE",
    "TIMESTAMP WITH TIME ZONE",
    "VARCHAR",
    "TIME",
    "TIMESTAMP_NS",
  ],
  query_mode: ["VARCHAR", "VARCHAR", "INTEGER"],
};
const META_VALUES: Readonly<Record<string, readonly string[]>> = {
  description: ["NULL", "''", "'words'", "repeat('x', 20000)", "chr(7)"],
  rows: ["NULL", "3", "-1", "9223372036854775807", "0"],
  size_bytes: ["NULL", "100", "0"],
  extracted_at: ["NULL", "'2026-01-01'", "'infinity'", "'290000-01-01'", "'0044-03-15 (BC)'", "'x'"],
  query_mode: ["NULL", "'local'", "'local'", "'remote'", "'materialized'", "'sideways'"],
};

/** Writes one random extract with statements that may fail, and then may damage its file. */
async function writeRandomExtract(connection: Connection, data: string, seed: number): Promise<void> {
  const dice = new Dice(seed);
  const source = sourceOf(seed);
  const directory = join(data, "extracts", source);
  const parts = join(directory, "data");
  await mkdir(parts, { recursive: true });
  const elsewhere = join(data, "elsewhere", "extracts", source, "data");
  for (const folder of [join(parts, "linked"), elsewhere]) await mkdir(folder, { recursive: true });
  for (const name of ["link.csv", join("linked", "outside.csv")])
    await writeFile(join(parts, name), "a\n1\n");
  const path = join(directory, "extract.duckdb");
  const places = {
    data: parts,
    outside: join(data, "outside.csv"),
    crm: join(data, "extracts", "crm", "data"),
    source,
    elsewhere,
  };
  await copyFile(join(data, PLAIN_PART), join(parts, "p.parquet"));
  await copyFile(join(data, CANARY_PART), join(elsewhere, "p.parquet"));
  // Most files have the smallest blocks, which take a third of the time to write; some have those of DuckDB.
  const blocks = seed % 8 === 0 ? "" : " (BLOCK_SIZE 16384)";
  await connection.run(`ATTACH '${path}' AS written${blocks}; USE written; CREATE SCHEMA other`);
  for (const statement of contentOf(dice)) {
    const placed = statement.replace(
      /\{(data|outside|crm|source|elsewhere)\}/g,
      (_, name: keyof typeof places) => places[name],
    );
    await tryRun(connection, placed);
  }
  await connection.run("USE memory; DETACH written");
  await rm(join(parts, "link.csv"));
  await rm(join(parts, "linked"), { recursive: true });
  if (dice.below(2) === 0) {
    await symlink(places.outside, join(parts, "link.csv"));
    await symlink(data, join(parts, "linked"));
  }
  await harm(dice, path, join(parts, "p.parquet"), join(data, "extracts", "crm", "extract.duckdb"));
}

async function tryRun(connection: Connection, sql: string): Promise<void> {
  await connection.run(sql, { signal: AbortSignal.timeout(5000) }).catch(() => {});
}

function contentOf(dice: Dice): readonly string[] {
  const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;
  const select = () =>
    `SELECT ${dice.of(EXPRESSIONS)} FROM ${[dice.of(RELATIONS), ...dice.some(RELATIONS, 1)].map((relation, at) => `${relation} AS r${at}`).join(", ")} LIMIT 3`;
  const objects = Array.from({ length: 2 + dice.below(5) }, () => {
    const name = quoted(dice.of(NAMES));
    return dice.below(3) === 0
      ? `CREATE TABLE ${name} AS SELECT ${dice.below(9)} AS a, 'k' AS k`
      : `CREATE OR REPLACE VIEW ${name} AS ${select()}`;
  });
  return [
    ...dice.some(MACROS.slice(0, 1), 1).map((macro) => `CREATE ${macro}`),
    ...dice.some(OTHERS, 2).map((other) => `CREATE ${other}`),
    "CREATE TABLE t AS SELECT 1 AS a, 'k' AS k",
    ...objects,
    // Recreates views, now on each other.
    ...objects.filter(() => dice.below(3) === 0),
    ...(dice.below(4) === 0 ? [`CREATE ${dice.of(MACROS)}`] : []),
    ...sideTablesOf(dice),
    ...metaOf(dice),
  ];
}

function metaOf(dice: Dice): readonly string[] {
  const kind = dice.below(20);
  if (kind === 0) return [];
  if (kind === 1)
    return [
      "CREATE VIEW _meta AS SELECT 't' AS table_name, (SELECT content FROM read_text('{outside}')) AS description",
    ];
  const columns = Object.keys(META_TYPES).filter((name) => dice.below(name === "table_name" ? 80 : 6) > 0);
  const definition = columns.map(
    (name) => `${name} ${dice.below(8) === 0 ? dice.of(META_TYPES[name]!) : META_TYPES[name]![0]}`,
  );
  const rows = Array.from({ length: 3 + dice.below(5) }, () => {
    const values = columns.map((name) =>
      name === "table_name"
        ? dice.below(12) === 0
          ? "NULL"
          : `'${dice.of(NAMES).replaceAll("'", "''")}'`
        : dice.of(META_VALUES[name]!),
    );
    return `INSERT INTO _meta (${columns.join(", ")}) VALUES (${values.join(", ")})`;
  });
  return [`CREATE TABLE _meta (${definition.join(", ")})`, ...rows];
}

const TYPES = [
  "INTEGER",
  "VARCHAR",
  "x",
  "INT); DROP SCHEMA good CASCADE; --",
  "INTEGER DEFAULT (1)",
  "",
  "(((",
  "'",
  "DECIMAL(3,1)",
];

function sideTablesOf(dice: Dice): readonly string[] {
  const statements: string[] = [];
  if (dice.below(5) === 0) {
    const url = dice.of(["{outside}", "https://host.example", "", "project=x"]);
    statements.push(
      `CREATE ${dice.of(["TABLE", "TABLE", "VIEW"])} _remote_attach AS SELECT ${dice.of(["'bq'", "NULL", "'crm'", "'a b'", "'main'", "7"])} AS alias,
       ${dice.of(["'duckdb'", "'bigquery'", "NULL", "'x;y'"])} AS extension, '${url}' AS url, 'HOME' AS token_env`,
    );
  }
  if (dice.below(4) === 0) {
    const columns = JSON.stringify([{ name: dice.of(NAMES), type: dice.of(TYPES) }]).replaceAll("'", "''");
    const remote = dice.of([
      '{"alias":"bq","path":["a","b"]}',
      "[]",
      "{",
      "null",
      '{"alias":1,"path":{}}',
      '{"alias":"crm","path":["orders"]}',
    ]);
    statements.push(
      `CREATE TABLE _generation AS SELECT ${dice.of(["1::BIGINT", "NULL", "'x'", "1.5"])} AS number, '${dice.of(["/", "{data}", "..", ""])}' AS directory`,
      `CREATE TABLE _cursor AS SELECT '${dice.of(["t", "v", "w"])}' AS table_name, '${columns}' AS source_columns, '${remote}' AS remote`,
    );
  }
  return statements;
}

/** Damages, replaces or removes one file in five. */
async function harm(dice: Dice, path: string, part: string, other: string): Promise<void> {
  const size = (await readFile(path)).length;
  switch (dice.below(40)) {
    case 0:
      return truncate(path, dice.below(size));
    case 1:
      return writeFile(path, "");
    case 2: {
      const bytes = await readFile(path);
      for (let at = 0; at < 20; at++) bytes[dice.below(size)] = dice.below(256);
      return writeFile(path, bytes);
    }
    case 3:
      return truncate(part, dice.below(100));
    case 4:
      await rm(path);
      return symlink(other, path);
    case 5:
      await rm(path);
      await mkdir(path);
      return;
    case 6:
      return rm(part);
    case 7:
      return writeFile(`${path}.wal`, "not a log");
    default:
  }
}
