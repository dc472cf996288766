import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { expect, test } from "bun:test";

import { createRowBuilder, int32, json, table, utf8, type Batch, type Row } from "../../lib/kit/mod.ts";
import { openBench, planOf } from "./harness.ts";

// A table without a description: its columns are taken from its first batch.
const plan = planOf(table("t", {}), { columnsFrom: "read" });

const typesOf =
  "SELECT column_name AS name, data_type AS type FROM information_schema.columns WHERE table_name = 't'";
const types = (found: readonly Record<string, unknown>[]) =>
  Object.fromEntries(found.map(({ name, type }) => [name, type]));

test("extractSource() infers columns from row objects of the first batches", async () => {
  await using bench = await openBench();
  const rows: Row[] = [
    { id: 1, size: 2, when: new Date(0), ok: true, tags: ["a"], mixed: 1, big: 2n ** 70n },
    { id: 2n, size: 2.5, when: null, ok: false, mixed: "x", none: null, bytes: new Uint8Array([1]) },
  ];
  // Batches of one row: from the first one alone, `size` would be an integer.
  const stats = await bench.run([plan], () => rows.map((row) => [row]));
  expect(stats.errors).toEqual([]);
  expect(types(await bench.rows(typesOf))).toEqual({
    id: "BIGINT",
    size: "DOUBLE",
    when: "TIMESTAMP",
    ok: "BOOLEAN",
    tags: "VARCHAR",
    mixed: "VARCHAR",
    big: "VARCHAR",
    none: "VARCHAR",
    bytes: "BLOB",
  });
  expect(await bench.rows("SELECT id, size, tags, mixed, big FROM t ORDER BY id")).toEqual([
    { id: 1n, size: 2, tags: '["a"]', mixed: "1", big: "1180591620717411303424" },
    { id: 2n, size: 2.5, tags: null, mixed: "x", big: null },
  ]);
});

test("extractSource() keeps the types of published columns that a later first batch does not determine", async () => {
  await using bench = await openBench();
  await bench.run([plan], () => [[{ id: 1, size: 1.5, name: "x" }]]);
  const stats = await bench.run([plan], () => [[{ id: null, size: 2, name: 7, more: true }]]);
  expect(stats.errors).toEqual([]);
  expect(stats.schemaChanges).toMatchObject([{ kind: "added", column: "more" }]);
  expect(await bench.rows("SELECT * FROM t")).toEqual([{ id: null, size: 2, name: "7", more: true }]);
});

test("extractSource() takes columns from an Arrow batch, a file and the bytes of a file", async () => {
  await using bench = await openBench();
  const path = join(bench.root, "rows.csv");
  await writeFile(path, "id,name\n1,Ada\n");
  const info = table("t", { id: int32({ nullable: false }), name: utf8() });
  const builder = createRowBuilder(info);
  const arrow = [...builder.append([{ id: 1, name: "Ada" }]), ...builder.finish()];
  async function* bytes() {
    yield new TextEncoder().encode("id,name\n1,Ada\n");
  }
  const batches: readonly (readonly Batch[])[] = [
    arrow,
    [{ kind: "file", format: "csv", data: path }],
    [{ kind: "file", format: "csv", data: bytes() }],
  ];
  for (const [at, yielded] of batches.entries()) {
    const named = { ...plan, name: `t${at}` };
    const stats = await bench.run([named], () => yielded);
    expect(stats.errors).toEqual([]);
    expect(await bench.rows(`SELECT CAST(id AS BIGINT) AS id, name FROM t${at}`)).toEqual([
      { id: 1n, name: "Ada" },
    ]);
  }
});

test("extractSource() fails a read without rows and known columns, and uses registered columns", async () => {
  await using bench = await openBench();
  const { errors } = await bench.run([plan], () => []);
  expect(errors[0]!.error.message).toContain(
    "its columns are taken from its first rows, and there were none",
  );
  const registered = { ...plan, columns: ["id", "name"] };
  expect((await bench.run([registered], () => [])).errors).toEqual([]);
  expect(types(await bench.rows(typesOf))).toEqual({ id: "VARCHAR", name: "VARCHAR" });
  // The columns were only a guess, so rows can have other types.
  const requests: unknown[] = [];
  const stats = await bench.run([registered], (_table, { columns }) => {
    requests.push(columns);
    return [[{ id: 1, name: "Ada", other: 2 }]];
  });
  expect(stats.errors).toEqual([]);
  expect(requests).toEqual([["id", "name"]]);
  expect(await bench.rows("SELECT * FROM t")).toEqual([{ id: 1n, name: "Ada" }]);
  // Without rows, the known columns are kept.
  await bench.run([registered], () => []);
  expect(types(await bench.rows(typesOf))).toEqual({ id: "BIGINT", name: "VARCHAR" });
});

test("extractSource() names a key that is missing in the first batch, and a value that is not a batch", async () => {
  await using bench = await openBench();
  const keyed = { ...plan, primaryKey: ["ident"] };
  const [failed] = (await bench.run([keyed], () => [[{ id: 1 }]])).errors;
  expect(failed!.error.message).toContain('the primary key column "ident" is not one of its columns');
  const wrong = (await bench.run([plan], () => [{ rows: [] } as never])).errors;
  expect(wrong[0]!.error.code).toBe("batch_invalid");
});

test.each(["read", "discover"] as const)(
  "extractSource() copies each batch before the connector continues, with columns from %s",
  async (columnsFrom) => {
    await using bench = await openBench();
    const described = planOf(table("t", { id: int32(), tags: json() }));
    const one = { id: 0, tags: [0] };
    const page: Row[] = [];
    const stats = await bench.run([columnsFrom === "read" ? plan : described], function* () {
      for (let n = 0; n < 3; n += 1) {
        one.id = n;
        one.tags[0] = n;
        page.length = 0;
        page.push(one);
        yield page;
      }
    });
    expect(stats.errors).toEqual([]);
    expect(await bench.rows("SELECT id::INTEGER AS id, tags FROM t ORDER BY id")).toEqual([
      { id: 0, tags: "[0]" },
      { id: 1, tags: "[1]" },
      { id: 2, tags: "[2]" },
    ]);
  },
);
