import { expect, test } from "bun:test";

import { table, utf8 } from "../../lib/kit/mod.ts";
import { incremental, openBench, planOf } from "./harness.ts";

test("extractSource() keeps keys, cursors and descriptions that contain NUL, and continues from the cursor", async () => {
  await using bench = await openBench();
  const info = table("t", { id: utf8(), c: utf8() }, { primaryKey: ["id"], cursor: "c" });
  const plan = incremental(info, { description: "a\0'b" });
  const good = planOf(table("good", { v: utf8() }));
  const rows = [{ id: "1\0", c: "'a\0b" }];
  const requests: unknown[] = [];
  const run = async () =>
    (
      await bench.run([plan, good], ({ name }, { cursor }) => {
        if (name === "t") requests.push(cursor?.value);
        return [name === "t" ? rows : [{ v: "x" }]];
      })
    ).tables.map(({ status }) => status);
  expect(await run()).toEqual(["extracted", "extracted"]);
  rows.push({ id: "2", c: "'a\0a" }, { id: "3", c: "'a\0c" });
  expect(await run()).toEqual(["extracted", "unchanged"]);
  expect(requests).toEqual([undefined, "'a\0b"]);
  expect(await bench.rows("SELECT id, c FROM t ORDER BY id")).toEqual([
    { id: "1\0", c: "'a\0b" },
    { id: "3", c: "'a\0c" },
  ]);
  expect(await bench.rows("SELECT description FROM _meta WHERE table_name = 't'")).toEqual([
    { description: "a\0'b" },
  ]);
});
