/**
 * Every type of DuckDB, at its extremes, read back from published parts and from every output format by readers that
 * are not ours: pyarrow, polars, arrow-rs, hyparquet, and the csv and json modules of Python.
 *
 * hyparquet makes numbers of decimals, by a multiplication: those are compared to twelve digits.
 */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { createHost, silentLog } from "../../lib/base/mod.ts";
import { describeQuery, openDatabase, writeResult, type Database } from "../../lib/duckdb/mod.ts";
import { resultFormats } from "../../lib/duckdb/result/write-result.ts";
import { extractSource } from "../../lib/extract/mod.ts";
import type { AnyConnector, TableInfo } from "../../lib/kit/mod.ts";
import { planOf } from "../extract/harness.ts";
import { readWithHyparquet } from "./hyparquet.ts";
import { python, runPython } from "./python.ts";
import { allTypes, TYPE_CASES, type TypedValue } from "./values.ts";

const { sql, names, rows } = allTypes();
/** Numbers and days that span widely, for which DuckDB has encodings that few readers know. */
const WIDE = `SELECT r, ((hash(r) % 4000000000)::BIGINT - 2000000000)::INTEGER AS n,
  (hash(r + 1) % 4000000000)::UINTEGER AS u, DATE '2000-01-01' + (hash(r) % 900000)::INTEGER AS d,
  r * 7919 AS b, 'the text ' || hash(r) AS t, hash(r) / 3 AS f FROM range(5000) t(r) ORDER BY r`;
let directory: string;
let database: Database;
/** Paths of what is to be read, by what wrote it. */
const written = new Map<string, string>();

beforeAll(async () => {
  python();
  directory = await mkdtemp(join(tmpdir(), "agnes-readers-"));
  database = await openDatabase();
  await using connection = await database.connect();
  for (const format of resultFormats) {
    const path = join(directory, `answer.${format}`);
    await writeResult(await connection.stream(sql), { format, path });
    written.set(format, path);
  }
  written.set("part", await publish("types", sql));
  written.set("wide part", await publish("wide", WIDE));
});

afterAll(async () => {
  await database.close();
  await rm(directory, { recursive: true, force: true });
});

/** Publishes the rows as a connector gives them, and gives the path of the one part. */
async function publish(name: string, query: string): Promise<string> {
  await using connection = await database.connect();
  const schema = await describeQuery(connection, query);
  const info: TableInfo = {
    name,
    schema,
    primaryKey: [],
    capabilities: ["read"],
  } as unknown as TableInfo;
  const connector: AnyConnector = {
    async *read() {
      yield* (await connection.stream(query)).batches;
    },
  };
  const extract = join(directory, name);
  const stats = await extractSource(
    { host: createHost(), log: silentLog, limits: {} },
    {
      directory: extract,
      source: { name: "duck", plugin: { name: "fake", version: "1.0.0" }, connector },
      tables: [planOf(info)],
    },
  );
  expect(stats.errors).toEqual([]);
  const [part] = await readdir(join(extract, "data", name));
  return join(extract, "data", name, part!);
}

type Read = Readonly<Record<string, readonly unknown[]>>;

async function read(reader: string, format: string): Promise<Read> {
  const path = written.get(format)!;
  const form = format.endsWith("part") ? "parquet" : format;
  if (reader === "hyparquet") return readWithHyparquet(path);
  return JSON.parse(runPython("readers.py", reader, form, path)) as Read;
}

/** All values of a column, by `pick` of each; the last row, and those after the column's values, are null. */
function column(values: readonly TypedValue[], pick: (value: TypedValue) => unknown): readonly unknown[] {
  return Array.from({ length: rows }, (_, row) => (row < values.length ? pick(values[row]!) : null));
}

describe.each([
  ["part", "pyarrow"],
  ["part", "polars"],
  ["part", "arrow-rs"],
  ["part", "hyparquet"],
  ["parquet", "pyarrow"],
  ["parquet", "polars"],
  ["parquet", "arrow-rs"],
  ["parquet", "hyparquet"],
  ["arrow", "pyarrow"],
  ["arrow", "polars"],
  ["arrow", "arrow-rs"],
] as const)("%s read by %s", (format, reader) => {
  test("has every value of every type", async () => {
    const found = await read(reader, format);
    expect(Object.keys(found)).toEqual(["r", ...names]);
    for (const [at, { type, values }] of TYPE_CASES.entries()) {
      // A decimal that became a number is compared as one.
      const isNumber = reader === "hyparquet" && /^(DECIMAL|HUGEINT)/.test(type);
      const comparable = (value: unknown) => (isNumber ? asNumbers(value) : value);
      const expected = column(values, ({ raw, arrow = raw }) => (format === "arrow" ? arrow : raw));
      const actual = inOrder(found, names[at]!);
      expect({ type, values: actual.map(comparable) }).toEqual({ type, values: expected.map(comparable) });
    }
  });
});

test.each(["pyarrow", "polars", "arrow-rs", "hyparquet"])(
  "a part of numbers and days that span widely read by %s has every value",
  async (reader) => {
    await using connection = await database.connect();
    const columns = ["r", "n", "u", "d - DATE '1970-01-01'", "b", "t", "f"];
    const expected = await connection.rows<{ row: readonly string[] }>(
      `SELECT [${columns.map((name) => `(${name})::VARCHAR`).join(", ")}] AS row FROM (${WIDE}) ORDER BY r`,
    );
    const found = await read(reader, "wide part");
    const order = found["r"]!.map(Number);
    const actual: unknown[][] = [];
    for (const [at, row] of order.entries())
      actual[row] = ["r", "n", "u", "d", "b", "t", "f"].map((name) => found[name]![at]);
    const floats = (row: readonly unknown[]) => [...row.slice(0, 6), Number(row[6])];
    expect(actual.map(floats)).toEqual(expected.map(({ row }) => floats(row)));
  },
);

/** The values of a column by the rows' numbers. */
function inOrder(found: Read, name: string): readonly unknown[] {
  return Array.from({ length: rows }, (_, row) => found[name]![found["r"]!.indexOf(String(row))]);
}

const asNumbers = (value: unknown): unknown =>
  Array.isArray(value) ? value.map(asNumbers) : value === null ? null : Number(value).toPrecision(12);

test.each(["json", "ndjson"] as const)(
  "%s read by Python's json has every value of every type",
  async (format) => {
    const found = await read("python", format);
    for (const [at, { type, values }] of TYPE_CASES.entries()) {
      const expected = column(values, ({ json }) => json).map(texts);
      expect({ type, values: found[names[at]!]!.map(texts) }).toEqual({ type, values: expected });
    }
  },
);

test.each(["json", "ndjson"] as const)(
  "%s read by JSON.parse has every value of every type",
  async (format) => {
    const text = await Bun.file(written.get(format)!).text();
    const lines = format === "ndjson" ? text.trimEnd().split("\n") : null;
    const found = (lines?.map((line) => JSON.parse(line)) ?? JSON.parse(text)) as Readonly<
      Record<string, unknown>
    >[];
    for (const [at, { type, values }] of TYPE_CASES.entries()) {
      const actual = found.map((row) => numbers(row[names[at]!]));
      expect({ type, values: actual }).toEqual({
        type,
        values: [...column(values, ({ json }) => numbers(json))],
      });
    }
  },
);

test.each(["pyarrow", "polars", "python"])("csv read by %s has every value of every type", async (reader) => {
  const found = await read(reader, "csv");
  for (const [at, { type, values }] of TYPE_CASES.entries()) {
    const isNested = values.some(({ json }) => typeof json === "object");
    const comparable = (value: unknown) => {
      // Python's csv module does not distinguish null from an empty text.
      if (value === null || value === undefined) return reader === "python" ? "" : null;
      return isNested && value !== ""
        ? numbers(typeof value === "string" ? JSON.parse(value) : value)
        : scalarText(value);
    };
    const expected = column(values, ({ json }) => json).map(comparable);
    expect({ type, values: found[names[at]!]!.map(comparable) }).toEqual({ type, values: expected });
  }
});

/** Every scalar as its text. */
function texts(value: unknown): unknown {
  if (value === null) return null;
  if (Array.isArray(value)) return value.map(texts);
  if (typeof value !== "object") return scalarText(value);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, texts(item)]));
}

/** Every scalar that reads as a number as one, since `JSON.parse` has forgotten how it was written. */
function numbers(value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (Array.isArray(value)) return value.map(numbers);
  if (typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, numbers(item)]));
  }
  const text = scalarText(value);
  return /^-?\d+(\.\d+)?(e[-+]\d+)?$/.test(text) ? Number(text) : text;
}

const scalarText = (value: unknown): string =>
  typeof value === "string" ? value : Object.is(value, -0) ? "-0" : JSON.stringify(value);
