import { describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { createRowBuilder, int64, table, utf8, type Batch, type Deletions } from "../../lib/kit/mod.ts";
import type { TablePlan } from "../../lib/extract/mod.ts";
import { openBench, planOf, type Bench, type ReadFunction } from "./harness.ts";

const info = table("t", { id: int64(), v: utf8() }, { primaryKey: ["id"] });
const limited = (limit: number, overrides: Partial<TablePlan> = {}) =>
  planOf(info, { mode: "materialized", sourceQuery: {}, limit, ...overrides });
const rows = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, at) => ({
    id: from + at,
    v: (from + at) % 2 === 0 ? "even" : "odd",
  }));
const even = [{ column: "v", operator: "eq", values: ["even"] }] as const;

const countOf = async (bench: Bench) => {
  const [row] = await bench.rows<{ n: bigint; m: bigint }>(
    "SELECT count(*) AS n, count(*) FILTER (v = 'even') AS m FROM t",
  );
  return [Number(row!.n), Number(row!.m)];
};

async function extracted(bench: Bench, plan: TablePlan, read: ReadFunction) {
  const [stats] = (await bench.run([plan], read, { partRows: 10 })).tables;
  if (stats!.error !== undefined) throw stats!.error;
  return stats!;
}

/** The same 100 rows, in batches of several kinds. */
const kinds: readonly (readonly [string, (bench: Bench) => Promise<readonly Batch[]>])[] = [
  ["row objects", async () => [0, 25, 50, 75].map((from) => rows(from, from + 25))],
  [
    "Arrow batches",
    async () => {
      const builder = createRowBuilder(info, { batchRows: 9 });
      return [...builder.append(rows(0, 100)), ...builder.finish()];
    },
  ],
  [
    "files",
    async ({ root }) =>
      Promise.all(
        [0, 50].map(async (from) => {
          const path = join(root, `from-${from}.csv`);
          const lines = rows(from, from + 50).map(({ id, v }) => `${id},${v}\n`);
          await writeFile(path, `id,v\n${lines.join("")}`);
          return { kind: "file", format: "csv", data: path } as const;
        }),
      ),
  ],
];

describe.each(kinds)("a limit over %s", (_kind, make) => {
  test.each([1, 33, 50, 60, 1000])(
    "extractSource() publishes %d rows, or all if there are fewer",
    async (limit) => {
      await using bench = await openBench();
      const batches = await make(bench);
      const stats = await extracted(bench, limited(limit), () => batches);
      expect(stats.rows).toBe(Math.min(limit, 100));
      expect((await countOf(bench))[0]).toBe(Math.min(limit, 100));
      // The condition comes first: half of the rows meet it.
      const filtered = await extracted(bench, limited(limit, { filter: even }), () => batches);
      expect(filtered.rows).toBe(Math.min(limit, 50));
      expect(await countOf(bench)).toEqual([Math.min(limit, 50), Math.min(limit, 50)]);
    },
  );
});

test("extractSource() passes the limit and the fields of the query, and keeps the state of a limited read", async () => {
  await using bench = await openBench();
  const asked: unknown[] = [];
  let isRead = false;
  const read: ReadFunction = async function* (_info, { limit, sourceQuery, filter, state, isDelta }) {
    asked.push({ limit, sourceQuery, filter, state, isDelta });
    if (state === "read") return { unchanged: true };
    yield rows(0, 50);
    yield rows(50, 100);
    isRead = true;
    return { state: "read" };
  };
  const plan = limited(5, { filter: even, sourceQuery: { kind: "all" } });
  await extracted(bench, plan, read);
  expect(isRead).toBe(true);
  const again = await extracted(bench, plan, read);
  expect([again.rows, again.status]).toEqual([5, "unchanged"]);
  // Another query is another table, so the connector does not get the state of the earlier one.
  for (const changed of [{ limit: 6 }, { sourceQuery: { kind: "new" } }]) {
    await extracted(bench, { ...plan, ...changed }, read);
  }
  const first = {
    limit: 5,
    sourceQuery: { kind: "all" },
    filter: even,
    state: undefined,
    isDelta: undefined,
  };
  expect(asked).toEqual([
    first,
    { ...first, state: "read" },
    { ...first, limit: 6 },
    { ...first, sourceQuery: { kind: "new" } },
  ]);
});

test("extractSource() counts only valid rows of a table with a quarantine towards the limit", async () => {
  await using bench = await openBench();
  const bad = rows(0, 20).map((row) => (row.id < 5 ? { ...row, id: "x" } : row));
  const plan = limited(10, { quarantine: true, quarantineMaxPercent: 50 });
  const stats = await extracted(bench, plan, () => [bad]);
  expect([stats.rows, stats.rowsQuarantined]).toEqual([10, 5]);
});

test("extractSource() fails a limited table whose read yields deletions or keeps origins", async () => {
  const deletions: Deletions = { kind: "deletions", keys: [{ id: 1 }] };
  const reads: readonly (readonly [ReadFunction, string])[] = [
    [() => [deletions as never, rows(0, 9)], "it yielded deletions"],
    [() => [rows(0, 9), deletions as never], "it yielded deletions"],
    [
      async function* () {
        yield rows(0, 9);
        return { kept: ["a"] };
      },
      "it kept origins",
    ],
  ];
  for (const [read, reason] of reads) {
    await using bench = await openBench();
    const [stats] = (await bench.run([limited(5, { primaryKey: ["id"] })], read)).tables;
    expect(stats!.error?.code).toBe("table_read_failed");
    expect(stats!.error?.message).toContain(`${reason}, which a table with a limit does not support`);
  }
});

test("extractSource() reads all rows of a materialized table without a query", async () => {
  await using bench = await openBench();
  const { limit: _, ...plan } = limited(1, { columns: ["id"] });
  const stats = await extracted(bench, plan, async function* (_info, { sourceQuery, limit, columns }) {
    expect([sourceQuery, limit, columns]).toEqual([undefined, undefined, ["id"]]);
    yield rows(0, 20).map(({ id }) => ({ id }));
  });
  expect([stats.rows, stats.full]).toEqual([20, true]);
  expect(await bench.rows("SELECT query_mode FROM _meta")).toEqual([{ query_mode: "materialized" }]);
});
