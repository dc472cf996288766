import { expect, test } from "bun:test";

import { readExtract, type TablePlan } from "../../lib/extract/mod.ts";
import { int64, table, utf8 } from "../../lib/kit/mod.ts";
import { incremental, openBench, type Bench } from "./harness.ts";

const info = table("t", { id: int64({ nullable: false }), v: utf8() }, { primaryKey: ["id"], cursor: "id" });
const PART_ROWS = 1000;

const rows = (from: number, count: number) =>
  Array.from({ length: count }, (_, at) => ({ id: from + at, v: `v${from + at}` }));

async function partsOf(bench: Bench) {
  return (await readExtract(bench.services.host.files, bench.directory))!.tables[0]!.parts;
}

/** Publishes batches of rows, one run each, and returns the row counts of the parts after each run. */
async function runs(
  bench: Bench,
  counts: readonly number[],
  plan: TablePlan = incremental(info),
): Promise<readonly (readonly number[])[]> {
  const found: (readonly number[])[] = [];
  let from = 0;
  for (const count of counts) {
    const stats = await bench.run([plan], () => [rows(from, count)], { partRows: PART_ROWS });
    expect(stats.errors).toEqual([]);
    from += count;
    found.push((await partsOf(bench)).map((part) => part.rows).toSorted((a, b) => a - b));
    const [sum] = await bench.rows(
      "SELECT count(*) AS n, count(DISTINCT id) AS d, max(id) AS last, bool_and(v = 'v' || id) AS same FROM t",
    );
    expect(sum).toEqual({ n: BigInt(from), d: BigInt(from), last: BigInt(from - 1), same: true });
  }
  return found;
}

test.each([
  ["with a key", incremental(info)],
  ["without one", incremental(info, { primaryKey: [] })],
])("a merge compacts eight small parts with the new rows, but not fewer: %s", async (_name, plan) => {
  await using bench = await openBench();
  const found = await runs(
    bench,
    Array.from({ length: 10 }, () => 3),
    plan,
  );
  expect(found.map((parts) => parts.length)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 1, 2]);
  expect(found[8]).toEqual([27]);
});

test("a merge does not compact parts with at least a quarter of the target rows", async () => {
  await using bench = await openBench();
  const quarter = PART_ROWS / 4;
  const found = await runs(bench, [quarter, quarter - 1, ...Array.from({ length: 8 }, () => 5)]);
  // The part of 249 rows and seven parts of 5 rows are compacted; the part of 250 rows is not.
  expect(found[8]).toEqual([...Array.from({ length: 7 }, () => 5), quarter - 1, quarter]);
  expect(found[9]).toEqual([quarter, quarter - 1 + 8 * 5]);
});

test("compaction writes parts of bounded size, clustered by the key", async () => {
  await using bench = await openBench();
  const counts = [...Array.from({ length: 8 }, () => 240), 1200];
  const found = await runs(bench, counts);
  expect(found[7]).toEqual(Array.from({ length: 8 }, () => 240));
  expect(found[8]).toEqual([1040, 1040, 1040]);
  const bounds = (await partsOf(bench)).map(
    ({ keyMin, keyMax }) => [Number(keyMin), Number(keyMax)] as const,
  );
  expect(bounds.toSorted(([a], [b]) => a - b)).toEqual([
    [0, 1039],
    [1040, 2079],
    [2080, 3119],
  ]);
});

test("a merge does not compact parts of different origins", async () => {
  await using bench = await openBench();
  const names = Array.from({ length: 12 }, (_, at) => `${String.fromCharCode(97 + at)}.csv`);
  let written = 0;
  const run = async (changed: readonly string[]) => {
    const chunks = await Promise.all(
      changed.map(async (origin) => {
        const data = `${bench.root}/${(written += 1)}.csv`;
        await bench.services.host.files.write(data, `id,v\n${names.indexOf(origin)},w${written}\n`);
        return { kind: "file", format: "csv", data, origin } as const;
      }),
    );
    const kept = names.filter((name) => !changed.includes(name));
    const stats = await bench.run([incremental(info)], function* () {
      yield* chunks;
      return { kept, state: { written } };
    });
    expect(stats.errors).toEqual([]);
    return (await partsOf(bench)).map(({ origin }) => String(origin)).toSorted();
  };
  expect(await run(names)).toEqual(names);
  expect(await run(["c.csv"])).toEqual(names);
  // Rows without an origin, such as those of a connector that reads an API and files.
  await bench.run([incremental(info)], () => [rows(100, 3)], { partRows: PART_ROWS });
  const origins = (await partsOf(bench)).map(({ origin }) => String(origin)).toSorted();
  expect(origins).toEqual([...names, "null"]);
});

test("a merge removes parts without rows", async () => {
  await using bench = await openBench();
  const plan = incremental(info);
  await bench.run([plan], function* () {
    yield* [];
    return { state: { page: 1 } };
  });
  expect((await partsOf(bench)).map((part) => part.rows)).toEqual([0]);
  const stats = await bench.run([plan], () => [rows(0, 3)], { partRows: PART_ROWS });
  expect([stats.errors, stats.tables[0]!.full]).toEqual([[], false]);
  expect((await partsOf(bench)).map((part) => part.rows)).toEqual([3]);
});

test("a merge does not compact parts of different partitions", async () => {
  await using bench = await openBench();
  const days = table(
    "t",
    { id: int64({ nullable: false }), v: utf8() },
    { primaryKey: ["id"], cursor: "id" },
  );
  const plan = incremental(days, { strategy: "partitioned", partitionBy: "v", partitionGranularity: "day" });
  const day = (id: number) => `2026-01-${String(id + 1).padStart(2, "0")}`;
  for (let id = 0; id < 12; id += 1) {
    await bench.run([plan], () => [[{ id, v: day(id) }]], { partRows: PART_ROWS });
  }
  const parts = await partsOf(bench);
  expect(parts.map(({ partition }) => String(partition)).toSorted()).toEqual(
    Array.from({ length: 12 }, (_, id) => day(id)),
  );
});
