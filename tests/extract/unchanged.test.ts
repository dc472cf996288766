import { expect, setDefaultTimeout, test } from "bun:test";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { readExtract } from "../../lib/extract/mod.ts";
import {
  float64,
  int64,
  list,
  struct,
  table,
  timestamp,
  utf8,
  type Batch,
  type Row,
  type TableInfo,
} from "../../lib/kit/mod.ts";
import { incremental, openBench, planOf, type Bench, type ReadFunction } from "./harness.ts";

// Every case publishes several times, which is slow on a busy machine.
setDefaultTimeout(60_000);

const info = table("t", { id: int64(), v: utf8(), x: float64(), at: timestamp() });
const rows = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => ({
    id: from + i,
    v: i % 7 === 0 ? null : `value ${(from + i) % 50}`,
    x: (from + i) / 4,
    at: new Date(Date.UTC(2026, 0, 1) + (from + i) * 1000),
  }));

const partsOf = async (bench: Bench, name: string) =>
  (await readdir(join(bench.directory, "data", name))).sort();

interface Reread {
  readonly first: readonly Batch[];
  readonly second: readonly Batch[];
}

/**
 * Reads the first batches of each case, in a table each, then the second ones, and returns the statuses of the second
 * read: once read back, and once with hashes that were computed while the rows were written, which needs a read in
 * between that changed nothing.
 */
async function statusesOf(cases: readonly Reread[], of: TableInfo = info): Promise<readonly string[]> {
  const first = cases.map((one) => one.first);
  const second = cases.map((one) => one.second);
  const between = first.map((batches) =>
    batches.map((batch) => (Array.isArray(batch) ? batch.toReversed() : batch)).toReversed(),
  );
  const readBack = await statusesAfter([first], second, of);
  expect(await statusesAfter([first, between], second, of)).toEqual(readBack);
  return readBack;
}

async function statusesAfter(
  before: readonly (readonly (readonly Batch[])[])[],
  second: readonly (readonly Batch[])[],
  of: TableInfo,
): Promise<readonly string[]> {
  await using bench = await openBench();
  const names = second.map((_, at) => `t${at}`);
  const plans = names.map((name) => planOf({ ...of, name }));
  const run = (batches: readonly (readonly Batch[])[]) =>
    bench.run(plans, ({ name }) => batches[names.indexOf(name)]!);
  const parts = () => Promise.all(names.map((name) => partsOf(bench, name)));
  for (const batches of before) await run(batches);
  const published = await parts();
  const stats = await run(second);
  expect(stats.errors).toEqual([]);
  const statuses = names.map((name) => stats.tables.find((table) => table.name === name)!.status);
  const isUnchanged = (_: unknown, at: number) => statuses[at] === "unchanged";
  const skipped = names.filter(isUnchanged).length;
  expect(stats.tablesSkipped).toBe(skipped);
  if (skipped === names.length) expect(stats).toMatchObject({ published: false, generation: 1 });
  expect((await parts()).filter(isUnchanged)).toEqual(published.filter(isUnchanged));
  return statuses;
}

const times = (status: string, count: number) => Array.from({ length: count }, () => status);

test("extractSource() publishes nothing when a full refresh yields the same rows in any order", async () => {
  const all = rows(3_000);
  const cases = [
    { first: [all], second: [all] },
    { first: [all], second: [all.toReversed()] },
    { first: [all], second: [all.slice(2_000), all.slice(0, 2_000).toReversed()] },
    { first: [[]], second: [] },
  ];
  expect(await statusesOf(cases)).toEqual(times("unchanged", 4));
});

test("extractSource() publishes when one value or the number of equal rows differs", async () => {
  const all = rows(300);
  const with1 = (change: Row) => ({
    first: [all],
    second: [[...all.slice(0, 150), { ...all[150]!, ...change }, ...all.slice(151)]],
  });
  const [a, b] = [rows(1)[0]!, rows(1, 1)[0]!];
  const cases = [
    with1({ v: "value 20" }),
    with1({ x: 37.75 }),
    with1({ at: all[151]!.at }),
    { first: [[a, a, b]], second: [[a, b, b]] },
    // Two rows swap a value, and a null moves: counts, bounds and nulls are equal.
    { first: [pairs("p", "q")], second: [pairs("q", "p")] },
    { first: [[{ id: 1, v: "p" }, { id: 2 }]], second: [[{ id: 2, v: "p" }, { id: 1 }]] },
  ];
  expect(await statusesOf(cases)).toEqual(times("extracted", 6));
  expect(await statusesOf([{ first: [[a, a, b]], second: [[a, b, a]] }])).toEqual(["unchanged"]);
});

const pairs = (one: string, two: string): readonly Row[] => [
  { id: 1, v: one },
  { id: 2, v: two },
];

test("extractSource() distinguishes -0.0 from 0.0, also in lists and records, and treats NaN as equal", async () => {
  const deep = table("t", {
    x: float64(),
    l: list(float64()),
    s: struct({ a: float64(), b: list(utf8()) }),
  });
  // A second row, to change the order.
  const other = { x: 7, l: [7], s: { a: 7, b: ["7"] } };
  const one = (x: number, l: readonly number[], s: object): readonly Batch[] => [[{ x, l, s }, other]];
  const base = one(0, [0, 1], { a: Number.NaN, b: ["p, q"] });
  const same = [
    { first: base, second: base },
    { first: one(Number.NaN, [], {}), second: one(Number.NaN, [], {}) },
  ];
  expect(await statusesOf(same, deep)).toEqual(times("unchanged", 2));
  const others = [
    one(-0, [0, 1], { a: Number.NaN, b: ["p, q"] }),
    one(0, [-0, 1], { a: Number.NaN, b: ["p, q"] }),
    one(0, [0, 1], { a: Number.NaN, b: ["p", "q"] }),
    one(0, [1, 0], { a: Number.NaN, b: ["p, q"] }),
  ];
  const cases = others.map((second) => ({ first: base, second }));
  expect(await statusesOf(cases, deep)).toEqual(times("extracted", 4));
});

test("extractSource() publishes the same rows when the layout, description or definition of the table changed", async () => {
  const all = rows(20);
  const after = async (change: (plan: ReturnType<typeof planOf>) => ReturnType<typeof planOf>) => {
    await using bench = await openBench();
    await bench.run([planOf(info)], () => [all]);
    return (await bench.run([change(planOf(info))], () => [all])).tables[0]!.status;
  };
  expect(await after((plan) => plan)).toBe("unchanged");
  expect(await after((plan) => ({ ...plan, description: "new description" }))).toBe("extracted");
  expect(await after((plan) => ({ ...plan, columns: ["id", "v", "x", "at"] }))).toBe("extracted");
  const described = table("t", {
    id: int64({ description: "the id" }),
    v: utf8(),
    x: float64(),
    at: timestamp(),
  });
  expect(await after((plan) => ({ ...plan, info: described }))).toBe("extracted");
  const wider = table("t", { id: int64(), v: utf8(), x: float64(), at: timestamp(), more: utf8() });
  expect(await after((plan) => ({ ...plan, info: wider }))).toBe("extracted");
});

test("extractSource() detects unchanged full reads of other strategies, also on request", async () => {
  const keyed = table("t", { id: int64(), at: int64(), v: utf8() }, { primaryKey: ["id"], cursor: "at" });
  const all = Array.from({ length: 40 }, (_, i) => ({ id: i % 30, at: i, v: `v${i}` }));
  for (const plan of [
    incremental(keyed),
    incremental(keyed, { strategy: "partitioned", partitionBy: "v" }),
    incremental(keyed, { primaryKey: [] }),
  ]) {
    await using bench = await openBench();
    await bench.run([plan], () => [all], { full: true });
    const stats = await bench.run([plan], () => [all], { full: true });
    expect(stats.tables[0]).toMatchObject({ status: "unchanged", full: true });
    expect(stats.generation).toBe(1);
  }
});

test("extractSource() saves the cursor without a new generation, also across generations of other tables", async () => {
  await using bench = await openBench();
  const states: unknown[] = [];
  const other = table("other", { id: int64() });
  let count = 0;
  const read: ReadFunction = function* ({ name }, { state }) {
    if (name === "other") {
      yield [{ id: count }];
      return;
    }
    states.push(state);
    yield rows(10);
    return { state: { count } };
  };
  const run = async (names: readonly TableInfo[]) => {
    count += 1;
    return bench.run(
      names.map((one) => planOf(one)),
      read,
    );
  };
  await run([info]);
  expect(await run([info])).toMatchObject({ published: false, generation: 1 });
  expect(await run([info, other])).toMatchObject({ published: true, generation: 2 });
  expect(await run([info])).toMatchObject({ published: false, generation: 2 });
  await run([info]);
  expect(states).toEqual([undefined, { count: 1 }, { count: 2 }, { count: 3 }, { count: 4 }]);
  // The saved facts apply only to the rows they were saved for.
  await bench.services.host.files.remove(join(bench.directory, ".checked.json"));
  await run([info]);
  expect(states.at(-1)).toEqual({ count: 3 });
});

test("extractSource() compares each file separately: a renamed or swapped file is published", async () => {
  await using bench = await openBench();
  let written = 0;
  const chunks = async (contents: Readonly<Record<string, string>>): Promise<readonly Batch[]> =>
    Promise.all(
      Object.entries(contents).map(async ([origin, text]) => {
        const data = join(bench.root, `${(written += 1)}.csv`);
        await bench.services.host.files.write(data, `id,v\n${text}`);
        return { kind: "file", format: "csv", data, origin } as const;
      }),
    );
  const two = table("t", { id: int64(), v: utf8() });
  const run = async (contents: Readonly<Record<string, string>>) => {
    const batches = await chunks(contents);
    return (await bench.run([planOf(two)], () => batches)).tables[0]!.status;
  };
  const [p, q] = ["1,a\n2,b\n", "3,c\n4,d\n"];
  await run({ "a.csv": p, "b.csv": q });
  expect(await run({ "a.csv": p, "b.csv": "4,d\n3,c\n" })).toBe("unchanged");
  expect(await run({ "a.csv": q, "b.csv": p })).toBe("extracted");
  expect(await run({ "a.csv": q, "c.csv": p })).toBe("extracted");
  const origins = (await readExtract(bench.services.host.files, bench.directory))!.tables[0]!.parts.map(
    (part) => part.origin,
  );
  expect(new Set(origins)).toEqual(new Set(["a.csv", "c.csv"]));
});

test("extractSource() reads no published parts after a read that changed nothing", async () => {
  await using bench = await openBench();
  const all = rows(3_000);
  const run = async (yielded: readonly Row[]) =>
    (await bench.run([planOf(info)], () => [yielded])).tables[0]!.status;
  await run(all);
  expect(await run(all.toReversed())).toBe("unchanged");
  // A part of the same size that is unreadable.
  const [part] = (await readExtract(bench.services.host.files, bench.directory))!.tables[0]!.parts;
  await writeFile(join(bench.directory, part!.path), new Uint8Array(part!.sizeBytes));
  expect(await run([...all.slice(1_000), ...all.slice(0, 1_000)])).toBe("unchanged");
  expect(await run([...all.slice(1_000), ...all.slice(1, 1_000), all[1]!])).toBe("extracted");
  // Nor after one change. After two changes, rows are not hashed until a read changes nothing again.
  const damage = async () => {
    const { parts } = (await readExtract(bench.services.host.files, bench.directory))!.tables[0]!;
    for (const { path, sizeBytes } of parts)
      await writeFile(join(bench.directory, path), new Uint8Array(sizeBytes));
  };
  await damage();
  expect(await run([all[1]!, ...all.slice(1_000), ...all.slice(1, 1_000)])).toBe("unchanged");
  expect(await run(all)).toBe("extracted");
  expect(await run(rows(3_000, 1))).toBe("extracted");
  await damage();
  expect(await run(rows(3_000, 1).toReversed())).toBe("failed");
});

test("extractSource() compares a table of 1,600 columns by its footers, without quadratic cost", async () => {
  const wide = table("t", Object.fromEntries(Array.from({ length: 1600 }, (_, at) => [`c${at}`, int64()])));
  const row = (last: number) =>
    Object.fromEntries(wide.schema.fields.map(({ name }, at) => [name, at === 1599 ? last : at]));
  const published = [row(1), row(2)];
  const second = [[published.toReversed()], [[row(1), row(3)]]];
  expect(await statusesAfter([[[published], [published]]], second, wide)).toEqual(["unchanged", "extracted"]);
});
