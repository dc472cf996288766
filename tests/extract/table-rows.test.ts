import { expect, test } from "bun:test";
import { join } from "node:path";

import { int64, table, timestamp, utf8, type Batch, type ReadResult, type Row } from "../../lib/kit/mod.ts";
import { incremental, openBench, planOf, type Bench, type ReadFunction } from "./harness.ts";
import type { TablePlan } from "../../lib/extract/mod.ts";

const info = table("t", { id: int64(), v: utf8() }, { primaryKey: ["id"] });
const keyless = table("t", { id: int64(), v: utf8() });
const plan = incremental(info);
const rows = (...ids: readonly number[]) => ids.map((id) => ({ id, v: `v${id}` }));

/** What one read yields and returns. */
interface Answer extends Partial<ReadResult> {
  readonly yields: readonly (Batch | { kind: "deletions"; keys: readonly Row[] })[];
}

/** A source without a cursor column: the answers to its reads, in order, and whether each was a delta with a state. */
function scripted(...answers: readonly Answer[]) {
  const asked: string[] = [];
  const read = async function* (_: unknown, { isDelta, state }: { isDelta?: boolean; state?: unknown }) {
    asked.push(`${isDelta === true ? "delta" : "all"} ${JSON.stringify(state ?? null)}`);
    const { yields, ...end } = answers[asked.length - 1]!;
    for (const batch of yields) yield batch as Batch;
    return { state: asked.length, ...end };
  } as unknown as ReadFunction;
  return { asked, read };
}

const idsOf = async (bench: Bench) =>
  (await bench.rows<{ id: bigint }>("SELECT id FROM t ORDER BY id")).map(({ id }) => Number(id));

/** Runs a plan once for each group of answers; the figures of the last run. */
async function runs(
  bench: Bench,
  of: TablePlan | readonly TablePlan[],
  source: ReturnType<typeof scripted>,
  count = 2,
) {
  let last;
  for (let run = 0; run < count; run++) {
    const one = Array.isArray(of) ? (of as readonly TablePlan[])[run]! : (of as TablePlan);
    [last] = (await bench.run([one], source.read)).tables;
    if (last!.error !== undefined) throw last!.error;
  }
  return last!;
}

test("extractSource() tells a connector without a cursor whether its rows are merged", async () => {
  await using bench = await openBench();
  const source = scripted({ yields: [rows(1, 2)] }, { yields: [rows(3)] }, { yields: [rows(1)] });
  expect(await runs(bench, plan, source)).toMatchObject({ full: false, rowsRead: 1, rows: 3 });
  const full = await bench.run([planOf(info)], source.read);
  expect(full.tables[0]).toMatchObject({ full: true, rows: 1 });
  expect(source.asked).toEqual(["all null", "delta 1", "all null"]);
  await using other = await openBench();
  const refreshed = scripted({ yields: [rows(1, 2)] }, { yields: [rows(3)] });
  await runs(other, planOf(info), refreshed);
  expect(refreshed.asked).toEqual(["all null", "all 1"]);
});

test("extractSource() replaces the table by a delta that has all of its rows", async () => {
  await using bench = await openBench();
  const source = scripted(
    { yields: [rows(1, 2, 3)], tableRows: 3 },
    { yields: [rows(7), rows(8)], tableRows: 2 },
    { yields: [], tableRows: 0 },
  );
  const stats = await runs(bench, plan, source);
  expect(stats).toMatchObject({ full: true, rowsRead: 2, rows: 2, notes: [] });
  expect(await idsOf(bench)).toEqual([7, 8]);
  // An empty table has as many rows as an empty delta.
  await bench.run([plan], source.read);
  expect(await idsOf(bench)).toEqual([]);
  expect(source.asked).toEqual(["all null", "delta 1", "delta 2"]);
});

test("extractSource() replaces the table by a delta that its source calls whole", async () => {
  await using bench = await openBench();
  const source = scripted(
    { yields: [rows(1, 2, 3)] },
    { yields: [rows(3, 4)], isWhole: true },
    { yields: [rows(5)], isWhole: true, tableRows: 2 },
  );
  expect(await runs(bench, plan, source)).toMatchObject({ full: true, rows: 2, notes: [] });
  expect(await idsOf(bench)).toEqual([3, 4]);
  const last = await runs(bench, plan, source, 1);
  expect(last.notes).toEqual(["its source reports 2 rows, but it has 1 after the read"]);
  expect(await idsOf(bench)).toEqual([5]);
  expect(source.asked).toEqual(["all null", "delta 1", "delta 2"]);
  // Rows before the cursor were not kept, so they are read again.
  await using other = await openBench();
  const dated = incremental(table("t", { id: int64(), v: utf8() }, { primaryKey: ["id"], cursor: "id" }));
  const late = scripted(
    { yields: [rows(1, 2, 3)] },
    { yields: [rows(1, 4)], isWhole: true },
    { yields: [rows(1, 4)] },
  );
  expect(await runs(other, dated, late)).toMatchObject({ full: true, rows: 2 });
  expect(await idsOf(other)).toEqual([1, 4]);
});

test("extractSource() reads in full after a delta if the source has another number of rows", async () => {
  await using bench = await openBench();
  const source = scripted(
    { yields: [rows(1, 2, 3)], tableRows: 3 },
    { yields: [rows(4)], tableRows: 3 },
    { yields: [rows(2, 3, 4)], tableRows: 3 },
    { yields: [], tableRows: 2 },
    { yields: [rows(3, 4)], tableRows: 2 },
    { yields: [rows(5)], tableRows: 3 },
  );
  const stats = await runs(bench, plan, source);
  expect(stats.notes).toContain(
    "its source reports 3 rows, but it has 4 after the read, so the table was read in full",
  );
  expect(stats).toMatchObject({ full: true, rows: 3 });
  // A delta without rows, because rows were deleted in the source.
  const [empty] = (await bench.run([plan], source.read)).tables;
  expect(empty).toMatchObject({ full: true, rows: 2 });
  const [grown] = (await bench.run([plan], source.read)).tables;
  expect(grown).toMatchObject({ full: false, rows: 3, notes: [] });
  expect(await idsOf(bench)).toEqual([3, 4, 5]);
  expect(source.asked).toEqual(["all null", "delta 1", "all null", "delta 3", "all null", "delta 5"]);
});

test("extractSource() reads at most once more, and notes a full read with another number of rows", async () => {
  await using bench = await openBench();
  const source = scripted(
    { yields: [rows(1, 2)], tableRows: 9 },
    { yields: [rows(3)], tableRows: 9 },
    { yields: [rows(1, 2, 3)], tableRows: 9 },
  );
  const first = await runs(bench, plan, source, 1);
  const note = (count: number) => `its source reports 9 rows, but it has ${count} after the read`;
  expect(first.notes).toContain(note(2));
  const second = await runs(bench, plan, source, 1);
  expect(second.notes).toContain(note(3));
  expect(second).toMatchObject({ status: "extracted", rows: 3 });
  expect(source.asked).toEqual(["all null", "delta 1", "all null"]);
});

test("extractSource() does not replace the table by a delta that has a key twice", async () => {
  await using bench = await openBench();
  const source = scripted(
    { yields: [rows(1, 2, 3)], tableRows: 3 },
    { yields: [rows(1, 1, 2)], tableRows: 3 },
    { yields: [rows(1, 2, 3)], tableRows: 3 },
  );
  expect(await runs(bench, plan, source)).toMatchObject({ full: true, rows: 3 });
  expect(await idsOf(bench)).toEqual([1, 2, 3]);
  expect(source.asked.length).toBe(3);
});

test("extractSource() compares the rows of a delta with deletions after both are merged", async () => {
  await using bench = await openBench();
  const deletions = { kind: "deletions", keys: [{ id: 1 }] } as const;
  const source = scripted(
    { yields: [rows(1, 2)], tableRows: 2 },
    { yields: [rows(3), deletions], tableRows: 2 },
    // As many rows as the table has, one of which is deleted again.
    { yields: [rows(2, 1), deletions], tableRows: 2 },
    { yields: [deletions, rows(4)], tableRows: 2 },
    { yields: [rows(2, 4)], tableRows: 2 },
  );
  expect(await runs(bench, plan, source, 3)).toMatchObject({ full: false, rows: 2 });
  expect(await idsOf(bench)).toEqual([2, 3]);
  expect(await runs(bench, plan, source, 1)).toMatchObject({ full: true, rows: 2 });
  expect(await idsOf(bench)).toEqual([2, 4]);
  expect(source.asked.map((one) => one.split(" ")[0])).toEqual(["all", "delta", "delta", "delta", "all"]);
});

test("extractSource() counts quarantined rows as rows of the source", async () => {
  await using bench = await openBench();
  const quarantined = { ...plan, quarantine: true, quarantineMaxPercent: 100 };
  const bad = [{ id: "x", v: "bad" }];
  const source = scripted(
    { yields: [rows(1, 2), bad], tableRows: 3 },
    // Rows that were rejected before are still missing.
    { yields: [rows(3)], tableRows: 4 },
    // All rows, one of them rejected.
    { yields: [rows(5, 6), bad], tableRows: 3 },
    { yields: [bad, rows(7)], tableRows: 5 },
    { yields: [rows(8)], tableRows: 3 },
    { yields: [rows(5, 8), bad], tableRows: 3 },
  );
  expect(await runs(bench, quarantined, source, 1)).toMatchObject({ rows: 2, rowsQuarantined: 1 });
  expect(await runs(bench, quarantined, source, 1)).toMatchObject({ full: false, rows: 3 });
  expect(await runs(bench, quarantined, source, 1)).toMatchObject({
    full: true,
    rows: 2,
    rowsQuarantined: 1,
  });
  expect(await idsOf(bench)).toEqual([5, 6]);
  expect(await runs(bench, quarantined, source, 1)).toMatchObject({ full: false, rows: 3 });
  const last = await runs(bench, quarantined, source, 1);
  expect(last).toMatchObject({ full: true, rows: 2 });
  expect(last.notes).toContain(
    "its source reports 3 rows, but it has 4 and 2 rejected rows after the read, so the table was read in full",
  );
  expect(source.asked.length).toBe(6);
});

test("extractSource() reads in full if rejected rows do not explain the number of rows exactly", async () => {
  await using bench = await openBench();
  const quarantined = { ...plan, quarantine: true, quarantineMaxPercent: 100 };
  const bad = [
    { id: "x", v: "bad" },
    { id: "y", v: "bad" },
  ];
  const source = scripted(
    { yields: [rows(1, 2, 3), bad], tableRows: 5 },
    // Two of the published rows were deleted, which as many rejected rows would hide.
    { yields: [rows(4)], tableRows: 4 },
    { yields: [rows(3, 4), bad], tableRows: 4 },
    // A rejected row was repaired.
    { yields: [rows(5)], tableRows: 4 },
    { yields: [rows(3, 4, 5), bad.slice(1)], tableRows: 4 },
    { yields: [], tableRows: 4 },
  );
  expect(await runs(bench, quarantined, source)).toMatchObject({ full: true, rows: 2 });
  expect(await idsOf(bench)).toEqual([3, 4]);
  expect(await runs(bench, quarantined, source, 1)).toMatchObject({ full: true, rows: 3 });
  expect(await runs(bench, quarantined, source, 1)).toMatchObject({ status: "unchanged", notes: [] });
  expect(source.asked.length).toBe(6);
});

test("extractSource() ignores the number of rows of the source if the table has other rows by design", async () => {
  const dated = table("t", { id: int64(), v: utf8(), at: timestamp() }, { primaryKey: ["id"], cursor: "at" });
  for (const other of [
    planOf(info, {
      strategy: "incremental",
      primaryKey: ["id"],
      filter: [{ column: "id", operator: "lt", values: [9] }],
    }),
    incremental(dated, { historyDays: 3650 }),
  ]) {
    await using bench = await openBench();
    const at = new Date();
    const dateds = (...ids: readonly number[]) => rows(...ids).map((row) => ({ ...row, at }));
    const of = other.info === dated ? dateds : rows;
    const source = scripted({ yields: [of(1, 2)], tableRows: 9 }, { yields: [of(3)], tableRows: 1 });
    expect(await runs(bench, other, source)).toMatchObject({ full: false, rows: 3, notes: [] });
    expect(source.asked.length).toBe(2);
  }
});

test("extractSource() compares the number of rows if a limit of the history was ignored, and else notes it", async () => {
  await using bench = await openBench();
  const ignored = scripted(
    { yields: [rows(1, 2, 3)], tableRows: 3 },
    { yields: [rows(4)], tableRows: 2 },
    { yields: [rows(3, 4)], tableRows: 2 },
  );
  expect(await runs(bench, incremental(info, { historyDays: 3650 }), ignored)).toMatchObject({ rows: 2 });
  expect(await idsOf(bench)).toEqual([3, 4]);
  const dated = table("t", { id: int64(), at: timestamp() }, { primaryKey: ["id"], cursor: "at" });
  await using other = await openBench();
  const at = new Date();
  const limited = scripted({ yields: [[{ id: 1, at }]], tableRows: 9 });
  const first = await runs(other, incremental(dated, { historyDays: 3650 }), limited, 1);
  expect(first.notes).toEqual([
    "its history is limited, so syncs do not find rows that are deleted in the source, except with --full",
  ]);
});

test("extractSource() compares tables without a key and partitioned tables with their source", async () => {
  const dated = table("t", { id: int64(), v: utf8() }, { primaryKey: ["id"] });
  for (const one of [
    incremental(keyless),
    incremental(dated, { strategy: "partitioned", partitionBy: "v", partitionGranularity: "day" }),
  ]) {
    await using bench = await openBench();
    const of = (...ids: readonly number[]) => ids.map((id) => ({ id, v: `2026-01-0${id}` }));
    const source = scripted(
      { yields: [of(1, 2)], tableRows: 2 },
      { yields: [of(3)], tableRows: 3 },
      { yields: [of(5, 6)], tableRows: 2 },
      { yields: [of(7)], tableRows: 2 },
      { yields: [of(6, 7)], tableRows: 2 },
    );
    expect(await runs(bench, one, source)).toMatchObject({ full: false, rows: 3 });
    expect(await runs(bench, one, source, 1)).toMatchObject({ full: true, rows: 2 });
    expect(await idsOf(bench)).toEqual([5, 6]);
    expect(await runs(bench, one, source, 1)).toMatchObject({ full: true, rows: 2 });
    expect(await idsOf(bench)).toEqual([6, 7]);
  }
});

test("extractSource() compares a table of files with its source, also with kept files", async () => {
  await using bench = await openBench();
  const file = async (origin: string, text: string): Promise<Batch> => {
    const path = join(bench.root, `${Math.random()}-${origin}`);
    await bench.services.host.files.write(path, `id,v\n${text}`);
    return { kind: "file", format: "csv", data: path, origin, types: { v: "VARCHAR" } };
  };
  const source = scripted(
    { yields: [await file("a", "1,x\n"), await file("b", "2,x\n3,x\n")], tableRows: 3 },
    { yields: [await file("b", "2,y\n4,y\n5,y\n")], kept: ["a"], tableRows: 4 },
    // As many rows as the table has, but not all of them.
    { yields: [await file("b", "6,y\n7,y\n")], kept: ["a"], tableRows: 2 },
    { yields: [await file("a", "8,y\n"), await file("b", "9,y\n")], tableRows: 2 },
    { yields: [await file("c", "5,y\n6,y\n7,y\n")], tableRows: 3 },
  );
  expect(await runs(bench, plan, source)).toMatchObject({ full: false, rows: 4 });
  expect(await runs(bench, plan, source, 1)).toMatchObject({ full: true, rows: 2 });
  expect(await idsOf(bench)).toEqual([8, 9]);
  expect(await runs(bench, plan, source, 1)).toMatchObject({ full: true, rows: 3 });
  expect(await idsOf(bench)).toEqual([5, 6, 7]);
  expect(source.asked.length).toBe(5);
});

test("extractSource() ignores the number of rows of an unchanged table", async () => {
  await using bench = await openBench();
  const source = scripted(
    { yields: [rows(1, 2)], tableRows: 2 },
    { yields: [], unchanged: true, tableRows: 9 },
  );
  expect(await runs(bench, plan, source)).toMatchObject({ status: "unchanged", rows: 2, notes: [] });
});

test("extractSource() compares a first load in windows only after its last window, without another read", async () => {
  const now = () => new Date("2026-03-10T15:00:00Z");
  const events = table("t", { id: int64(), at: timestamp() }, { primaryKey: ["id"], cursor: "at" });
  await using bench = await openBench({ now });
  const all = [1, 2, 3, 4].map((id) => ({ id, at: new Date(Date.UTC(2026, 1, 8 * id - 7)) }));
  const asked: unknown[] = [];
  const windowed = incremental(events, { chunkDays: 10, historyDays: undefined as never });
  const { historyDays: _, ...loading } = windowed;
  const read: ReadFunction = function* (_table, { window, cursor, isDelta, filter = [] }) {
    asked.push([window?.to !== undefined, isDelta === true]);
    const after = filter.find(({ operator }) => operator === "ge")?.values[0] ?? cursor?.value;
    const before = filter.find(({ operator }) => operator === "lt")?.values[0];
    yield all.filter(
      ({ at }) =>
        (after === undefined || at >= new Date(after as string)) &&
        (before === undefined || at < new Date(before as Date)),
    );
    return { tableRows: 5 };
  };
  const [stats] = (await bench.run([loading], read)).tables;
  expect(stats).toMatchObject({ rows: 4, status: "extracted" });
  expect(stats!.notes).toEqual(["its source reports 5 rows, but it has 4 after the read"]);
  const reads = asked.length;
  expect(asked.at(-1)).toEqual([false, true]);
  // The next delta finds the difference and reads in full.
  const [next] = (await bench.run([loading], read)).tables;
  expect(next).toMatchObject({ full: true, rows: 4 });
  expect(asked.length).toBe(reads + 2);
});

test("extractSource() names a key that the source distinguishes and the table does not, unless rows were yielded twice", async () => {
  await using bench = await openBench();
  const source = scripted(
    { yields: [rows(1, 1, 2)], tableRows: 3 },
    { yields: [rows(1, 1, 2)], isWhole: true, tableRows: 4 },
  );
  const distinct = await runs(bench, plan, source, 1);
  expect(distinct.notes).toEqual([
    'later rows of the same read replaced 1 row with the same primary key (id), for example "1"',
    "its source reports 3 rows, but it has 2 after the read, because several of its rows have the same key, compared as id BIGINT",
  ]);
  const twice = await runs(bench, plan, source, 1);
  expect(twice.notes.at(-1)).toBe("its source reports 4 rows, but it has 2 after the read");
});
