import { expect, test } from "bun:test";
import { join } from "node:path";

import { openDatabase } from "../../lib/duckdb/mod.ts";
import { int64, table, utf8, type Batch } from "../../lib/kit/mod.ts";
import { incremental, openBench, planOf } from "./harness.ts";

const info = table("t", { id: int64(), v: utf8() }, { primaryKey: ["id"] });

test.each([
  ["full refresh", planOf(info)],
  ["incremental without a key", incremental(info, { primaryKey: [] })],
  ["incremental with a key", incremental(info)],
])("extractSource() keeps the order of files when one changed: %s", async (_name, plan) => {
  await using bench = await openBench();
  const names = ["a.csv", "b.csv", "c.csv"];
  let written = 0;
  const run = async (contents: Readonly<Record<string, string>>) => {
    const chunks: Batch[] = [];
    for (const [origin, text] of Object.entries(contents)) {
      const data = join(bench.root, `${(written += 1)}.csv`);
      await bench.services.host.files.write(data, `id,v\n${text}`);
      chunks.push({ kind: "file", format: "csv", data, origin });
    }
    const kept = names.filter((name) => !(name in contents));
    const stats = await bench.run([plan], function* () {
      yield* chunks;
      return { kept, state: { written } };
    });
    expect(stats.errors).toEqual([]);
    // The order that queries of a workspace see.
    const path = join(bench.directory, "extract.duckdb");
    const settings = { preserve_insertion_order: "true" };
    await using database = await openDatabase({ path, readOnly: true, settings });
    await using connection = await database.connect();
    const found = await connection.rows<{ v: string }>("SELECT v FROM t LIMIT 6");
    return found.map(({ v }) => v).join(" ");
  };
  expect(await run({ "a.csv": "1,a1\n2,a2\n", "b.csv": "3,b1\n", "c.csv": "4,c1\n5,c2\n" })).toBe(
    "a1 a2 b1 c1 c2",
  );
  expect(await run({ "a.csv": "2,A2\n1,A1\n6,A3\n" })).toBe("A2 A1 A3 b1 c1 c2");
  expect(await run({ "b.csv": "3,B1\n" })).toBe("A2 A1 A3 B1 c1 c2");
});
