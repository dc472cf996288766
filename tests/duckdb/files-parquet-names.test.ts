import { expect, test } from "bun:test";

import { readParquet } from "./files-parquet-support.ts";
import { rejection } from "./support.ts";

test("inspectParquet() generates no name for a repeated column that another file has", async () => {
  // The second column of each file is also named `v`.
  const change = (bytes: Buffer) =>
    Buffer.from(bytes.toString("latin1").replaceAll("\x01w", "\x01v"), "latin1");
  const selects = ["SELECT 1 AS id, 2 AS v, 3 AS w", "SELECT 4 AS id, 5 AS v, 6 AS v_1"];
  const read = await readParquet(selects, { change });
  expect(read.types).toEqual({ id: "INTEGER", v: "INTEGER", v_2: "INTEGER", v_1: "INTEGER" });
  expect(read.rows).toEqual(['{"id":1,"v":2,"v_2":3}', '{"id":4,"v":5,"v_1":6}']);
  const alone = await readParquet([selects[0]!], { change });
  expect(alone.rows).toEqual(['{"id":1,"v":2,"v_1":3}']);
  const columns = ["id", "v"].map((name) => ({ name, type: "INTEGER" }));
  const outdated = { change, columns: [...columns, { name: "v_1", type: "INTEGER", key: "v" }] };
  expect((await rejection(readParquet([selects[1]!], outdated))).code).toBe("file_reading_outdated");
});
