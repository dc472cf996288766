import { join } from "node:path";

import { expect, test } from "bun:test";

import { createHost, nodeFiles, silentLog } from "../../lib/base/mod.ts";
import { openDatabase } from "../../lib/duckdb/mod.ts";
import { extractSource, readExtract } from "../../lib/extract/mod.ts";
import { discoverTables } from "../../lib/sources/mod.ts";
import { planOf } from "../extract/harness.ts";
import { makeFolder, type Folder } from "../plugins-files/support.ts";

/** Syncs the files of a folder and gives a way to ask the extract. */
async function sync(folder: Folder) {
  const { handle } = await folder.connect({ path: "data" });
  const directory = join(folder.path, "extract");
  const stats = await extractSource(
    { host: createHost(), log: silentLog, limits: { threads: 2 } },
    {
      directory,
      source: { name: "exports", plugin: handle.plugin, connector: handle.connector },
      tables: (await discoverTables(handle)).map((info) => planOf(info)),
    },
  );
  const rows = async (sql: string) => {
    await using database = await openDatabase({ path: join(directory, "extract.duckdb"), readOnly: true });
    await using connection = await database.connect();
    return await connection.rows(sql);
  };
  return { stats, rows, extract: await readExtract(nodeFiles(), directory) };
}

test("a file of geometries and variants becomes WKB and JSON, as its schema states", async () => {
  await using folder = await makeFolder();
  await folder.write("data/keep", "");
  await folder.sql(
    `COPY (SELECT i, g::GEOMETRY AS g, CASE WHEN i < 3 THEN v::VARIANT END AS v, {'g': g::GEOMETRY} AS s
       FROM (VALUES (1, 'POINT(1 2)', {'a': 1.50, 'b': [1, NULL]}), (2, NULL, {'a': 2, 'b': []}), (3, 'POINT EMPTY', NULL)) t(i, g, v))
     TO '@/data/places.parquet' (FORMAT parquet)`,
  );
  const { stats, rows, extract } = await sync(folder);
  expect(stats.errors).toEqual([]);
  expect(
    await rows(
      "SELECT i, ST_GeomFromWKB(g)::VARCHAR AS g, v, ST_GeomFromWKB(s.g)::VARCHAR AS s FROM places ORDER BY i",
    ),
  ).toEqual([
    { i: 1, g: "POINT (1 2)", v: '{"a":1.50,"b":[1,null]}', s: "POINT (1 2)" },
    { i: 2, g: null, v: '{"a":2.00,"b":[]}', s: null },
    { i: 3, g: "POINT EMPTY", v: null, s: "POINT EMPTY" },
  ]);
  const columns = extract!.tables[0]!.columns.map(({ name, type, description }) => ({
    name,
    type,
    description,
  }));
  expect(columns.slice(1, 3)).toEqual([
    { name: "g", type: "BLOB", description: "GEOMETRY as well-known binary (WKB)" },
    { name: "v", type: "VARCHAR", description: "VARIANT as JSON" },
  ]);
});

test("the rows of a Parquet file keep their order, its zeros their sign and its columns their places", async () => {
  await using folder = await makeFolder();
  await folder.write("data/keep", "");
  await folder.sql(
    `COPY (SELECT i, CASE WHEN i % 2 = 0 THEN '-0.0' ELSE '0.0' END::DOUBLE AS z, 'row ' || i AS t FROM range(300000) r(i) ORDER BY i)
     TO '@/data/ordered.parquet' (FORMAT parquet, ROW_GROUP_SIZE 20000, DICTIONARY_SIZE_LIMIT 0, PRESERVE_ORDER true)`,
  );
  const names = Array.from({ length: 2100 }, (_, at) => `c${at}`);
  const list = names.map((name) => `1::TINYINT AS ${name}`).join(", ");
  await folder.sql(`COPY (SELECT ${list}) TO '@/data/wide.parquet' (FORMAT parquet)`);
  const { stats, rows, extract } = await sync(folder);
  expect(stats.errors).toEqual([]);
  const [part] = extract!.tables.find(({ name }) => name === "ordered")!.parts;
  const file = join(folder.path, "extract", part!.path);
  expect(
    await rows(
      `SELECT count(*) FILTER (i = file_row_number) AS ordered, count(*) FILTER (z::VARCHAR = '-0.0') AS negative
       FROM read_parquet('${file}')`,
    ),
  ).toEqual([{ ordered: 300_000n, negative: 150_000n }]);
  const wide = extract!.tables.find(({ name }) => name === "wide")!;
  expect(wide.columns.map(({ name }) => name)).toEqual(names);
});
