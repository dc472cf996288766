import { afterEach, beforeEach, expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { join } from "node:path";

import { createAgnes, type Agnes } from "agnes";

import { openDatabase } from "../../lib/duckdb/mod.ts";
import files from "../../plugins/files/plugin.ts";
import { makeFolder, type Folder } from "./support.ts";

let folder: Folder;
let agnes: Agnes;
beforeEach(async () => {
  folder = await makeFolder();
  agnes = await createAgnes({
    workspace: folder.path,
    plugins: [files],
    config: { version: 1, sources: { exports: { plugin: "files", options: { path: "exports" } } } },
  });
});
afterEach(async () => {
  await agnes.close();
  await folder[Symbol.asyncDispose]();
});

const write = (name: string, content: string) => folder.write(`exports/${name}`, content);
const remove = (name: string) => rm(join(folder.path, "exports", name));

/** Syncs, and returns the errors and notes. */
async function sync(options: { readonly only?: readonly string[]; readonly full?: boolean } = {}) {
  const { only: tables, full } = options;
  const { sources } = await agnes.sync({
    ...(tables === undefined ? {} : { only: tables }),
    ...(full === undefined ? {} : { full }),
  });
  const stats = sources[0]!.stats!;
  return {
    errors: stats.errors.map(({ error }) => `${error.message} ${error.hint ?? ""}`),
    notes: stats.tables.flatMap(({ notes }) => notes),
    changes: stats.tables.flatMap(({ schemaChanges }) => schemaChanges),
  };
}

/** Rows of a query over the published tables. */
async function rows(sql: string): Promise<readonly Record<string, unknown>[]> {
  await using database = await openDatabase({
    path: join(folder.path, "data/extracts/exports/extract.duckdb"),
    readOnly: true,
  });
  await using connection = await database.connect();
  return await connection.rows(sql);
}

async function described(table: string): Promise<readonly string[]> {
  const columns = await rows(`SELECT column_name AS n, column_type AS t FROM (DESCRIBE ${table})`);
  return columns.map(({ n, t }) => `${String(n)} ${String(t)}`);
}

test("a full sync decides types and date orders from the current files, not from an earlier read", async () => {
  await write("t/a.csv", "id,v\n1,1.5\n");
  await write("e/a.csv", "id,v\n1,\n");
  await write("d/a.csv", "id,v\n1,01/02/2026\n");
  await write("j/a.ndjson", '{"id":1,"v":1}\n');
  expect((await sync()).notes.join()).toMatch(/dates in column v can be read as/);
  await write("t/b.csv", "id,v\n2,abc\n");
  await write("e/b.csv", "id,v\n2,5\n");
  await write("d/b.csv", "id,v\n2,31/01/2026\n");
  await write("j/b.ndjson", '{"id":1,"v":"x"}\n');
  const second = await sync();
  expect(second.errors).toEqual([]);
  // The ambiguous dates are now decided.
  expect(second.notes.join()).not.toMatch(/can be read as/);
  await remove("t/b.csv");
  await remove("j/b.ndjson");
  expect((await sync({ only: ["exports.t", "exports.e"], full: true })).errors).toEqual([]);
  expect(await described("t")).toEqual(["id BIGINT", "v DECIMAL(18,1)"]);
  expect(await described("e")).toEqual(["id BIGINT", "v BIGINT"]);
  expect(await described("d")).toEqual(["id BIGINT", "v VARCHAR"]);
  const full = await sync({ full: true });
  expect([full.errors, full.notes.filter((note) => note.includes("can be read as"))]).toEqual([[], []]);
  expect(await described("d")).toEqual(["id BIGINT", "v DATE"]);
  expect(await described("j")).toEqual(["id BIGINT", "v BIGINT"]);
  expect((await sync()).changes).toEqual([]);
});

test("a full sync reads a file with a changed dialect, as the error of a plain sync advises", async () => {
  await write("s.csv", "id,v\n1,2\n");
  await write("e.csv", "id,v\n1,2\n");
  await write("h.csv", "id,v\n1,2\n");
  await sync();
  await write("s.csv", "id;v\n1;3\n");
  await write("e.csv", 'id,v\n1,"say \\"hi\\", x"\n');
  await write("h.csv", "name,city\nann,Brno\n");
  const plain = await sync();
  expect(plain.errors).toHaveLength(3);
  expect(plain.errors.join("\n")).toMatch(
    /s\.csv.*its delimiter is ";".*is ","; if all files of the table use ";" now, run `agnes sync --full`/,
  );
  expect(plain.errors.join("\n")).toMatch(
    /h\.csv.*its header may be missing; if its columns changed, run `agnes sync --full`/,
  );
  expect((await sync({ full: true })).errors).toEqual([]);
  expect(await described("s")).toEqual(["id BIGINT", "v BIGINT"]);
  expect(await described("e")).toEqual(["id BIGINT", "v VARCHAR"]);
  expect(await described("h")).toEqual(["name VARCHAR", "city VARCHAR"]);
  expect((await sync()).errors).toEqual([]);
});

test("a header that differs from the published one only by case keeps the columns until a full sync", async () => {
  await write("t.csv", "id,v\n1,2\n");
  await write("one.csv", "id\n1\n");
  await write("many/a.csv", "id,v\n1,2\n");
  await write("many/b.csv", "id,v\n1,2\n");
  await folder.sql("COPY (SELECT 1 AS id, 'x' AS v) TO '@/exports/p.parquet'");
  await sync();
  await write("t.csv", "ID,V\n1,3\n");
  await write("one.csv", "ID\n5\n");
  await write("many/a.csv", "ID,V\n1,4\n");
  await write("many/b.csv", "ID,V\n1,4\n");
  await folder.sql("COPY (SELECT 7 AS ID, 'y' AS V) TO '@/exports/p.parquet'");
  const plain = await sync();
  expect([plain.errors, plain.changes]).toEqual([[], []]);
  expect(await described("t")).toEqual(["id BIGINT", "v BIGINT"]);
  const [row] = await rows(
    `SELECT concat_ws(' ', t.v, one.id, (SELECT sum(v) FROM many), p.id) AS found FROM t, one, p`,
  );
  expect(row!["found"]).toBe("3 5 8 7");
  expect((await sync({ full: true })).errors).toEqual([]);
  expect(await described("t")).toEqual(["ID BIGINT", "V BIGINT"]);
  expect(await described("p")).toEqual(["ID INTEGER", "V VARCHAR"]);
});

test("a file whose header differs from that of another file only by case is still rejected", async () => {
  await write("t/a.csv", "id,v\n1,2\n");
  await sync();
  await write("t/b.csv", "ID,V\n1,2\n");
  expect((await sync()).errors.join()).toMatch(/b\.csv.*"ID" differs from "id" in a\.csv only by case/);
});

test("a full sync of a table with a quarantine decides types from all of its files", async () => {
  const values = Array.from({ length: 100 }, (_, at) => `${at},${at}`);
  await write("t/a.csv", `id,v\n${values.join("\n")}\n`);
  await sync();
  await (await agnes.tables()).update("exports.t", { quarantine: true });
  await write("t/b.csv", `id,v\n${values.join("\n").replace("99,99", "99,99.5")}\n`);
  expect((await sync({ full: true })).errors).toEqual([]);
  expect(await rows("SELECT count(*)::INTEGER AS n, max(v)::VARCHAR AS v FROM t")).toEqual([
    { n: 200, v: "99.5" },
  ]);
});
