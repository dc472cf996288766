import { expect, setDefaultTimeout, test } from "bun:test";

import {
  createRowBuilder,
  int64,
  table,
  utf8,
  withOrigin,
  type Batch,
  type ReadOptions,
  type ReadResult,
} from "../../lib/kit/mod.ts";
import { incremental, openBench, planOf } from "./harness.ts";

setDefaultTimeout(60_000);

const INFO = table("t", { id: int64({ nullable: false }), day: utf8() }, { primaryKey: ["id"] });

/** A source of days that yields those of `changed` and keeps the others. */
function* days(changed: Readonly<Record<string, readonly number[]>>, kept: readonly string[]) {
  for (const [day, ids] of Object.entries(changed)) {
    const builder = createRowBuilder(INFO);
    const batches = [...builder.append(ids.map((id) => ({ id, day }))), ...builder.finish()];
    for (const batch of batches) yield withOrigin(batch, day) as Batch;
  }
  return { kept, state: "read" } as ReadResult;
}

test.each([["with a key", ["id"]] as const, ["without a key", []] as const])(
  "rows replace those of their origin, and the other origins are kept or removed, %s",
  async (_, primaryKey) => {
    await using bench = await openBench();
    const plan = incremental({ ...INFO, primaryKey });
    const options: ReadOptions[] = [];
    const run = (changed: Record<string, readonly number[]>, kept: readonly string[]) =>
      bench.run([plan], (_table, read) => {
        options.push(read);
        return days(changed, kept);
      });
    await run({ a: [1, 2], b: [3], c: [4] }, []);
    const stats = await run({ b: [5, 6] }, ["a"]);
    expect(stats.tables[0]).toMatchObject({ rowsRead: 2, full: false, notes: [] });
    expect(await bench.rows("SELECT id::INT AS id, day FROM t ORDER BY id")).toEqual([
      { id: 1, day: "a" },
      { id: 2, day: "a" },
      { id: 5, day: "b" },
      { id: 6, day: "b" },
    ]);
    expect(options.map(({ byOrigin, isDelta, state }) => [byOrigin, isDelta, state])).toEqual([
      [true, undefined, undefined],
      [true, true, "read"],
    ]);
  },
);

test("only incremental tables without a cursor are read by origin", async () => {
  await using bench = await openBench();
  const seen: (boolean | undefined)[] = [];
  const plans = [planOf(INFO), incremental(INFO, { cursor: "id" }), incremental(INFO)];
  for (const [at, plan] of plans.entries())
    await bench.run([{ ...plan, name: `t${at}` }], (_table, { byOrigin }) => {
      seen.push(byOrigin);
      return [];
    });
  expect(seen).toEqual([undefined, undefined, true]);
});
