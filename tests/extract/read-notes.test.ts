import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { int64, table, type Batch } from "../../lib/kit/mod.ts";
import { incremental, openBench, planOf, type ReadFunction } from "./harness.ts";

const info = table("t", { id: int64(), at: int64() }, { cursor: "at" });
const appended = "it has no primary key, so new rows are appended";

test("extractSource() notes that rows without a key are appended if there are any", async () => {
  await using bench = await openBench();
  const plan = incremental(info);
  let rows: Batch = [{ id: 1, at: 1 }];
  const notes = async () => (await bench.run([plan], () => [rows])).tables[0]!.notes;
  expect(await notes()).toEqual([]);
  rows = [{ id: 2, at: 2 }];
  expect(await notes()).toEqual([appended]);
  rows = [];
  expect(await notes()).toEqual([]);
});

test("extractSource() does not note appended rows for files, whose rows replace earlier ones", async () => {
  for (const strategy of [{}, { strategy: "partitioned", partitionBy: "at" }] as const) {
    await using bench = await openBench();
    const plan = incremental(info, strategy);
    const path = join(bench.root, "t.csv");
    const read = async function* () {
      yield { kind: "file", format: "csv", data: path, origin: "t.csv" };
      return { state: "seen" };
    } as unknown as ReadFunction;
    await writeFile(path, "id,at\n1,1\n");
    await bench.run([plan], read);
    await writeFile(path, "id,at\n1,1\n2,2\n");
    const stats = await bench.run([plan], read);
    expect(stats.tables[0]).toMatchObject({ status: "extracted", rows: 2 });
    expect(stats.tables[0]!.notes).not.toContain(appended);
  }
});

test("extractSource() notes that an incremental table without a cursor column is read in full", async () => {
  await using bench = await openBench();
  const plain = table("t", { id: int64() });
  const notes = async (plan: ReturnType<typeof planOf>, read: ReadFunction) =>
    (await bench.run([plan], read)).tables[0]!.notes;
  const whole =
    "it has no cursor column, so each sync reads the whole table; set one with `agnes table update crm.t --incremental-column COLUMN`";
  const keyed = planOf(plain, { strategy: "incremental", primaryKey: ["id"] });
  const read: ReadFunction = () => [[{ id: 1 }]];
  expect(await notes(keyed, read)).toEqual([whole]);
  expect(await notes(keyed, read)).toEqual([whole]);
  expect((await notes(planOf(plain), read)).join()).not.toContain("cursor");
  // The connector keeps its own state.
  const stated = async function* () {
    yield [{ id: 1 }];
    return { state: "7" };
  } as unknown as ReadFunction;
  expect((await notes(keyed, stated)).join()).not.toContain("cursor column");
});
