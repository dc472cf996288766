import { expect, test } from "bun:test";

import { readExtract, type TablePlan } from "../../lib/extract/mod.ts";
import {
  date,
  int64,
  table,
  timestamp,
  timestampWithZone,
  type ReadOptions,
  type Row,
} from "../../lib/kit/mod.ts";
import { incremental, openBench } from "./harness.ts";

const now = () => new Date("2026-03-10T15:00:00Z");
const columns = { id: int64(), day: date(), at: timestamp(), zoned: timestampWithZone(), n: int64() };
const row = (id: number, moment: string): Row => ({
  id,
  day: moment.slice(0, 10),
  at: moment,
  zoned: moment,
  n: id,
});

/** Runs twice over a source that ignores all read options, and returns its requests. */
async function readTwice(
  cursor: string,
  overrides: Partial<TablePlan>,
  first: readonly Row[],
  then: readonly Row[],
) {
  await using bench = await openBench({ now });
  const info = table("t", columns, { primaryKey: ["id"], cursor });
  const plan = incremental(info, overrides);
  const requests: Pick<ReadOptions, "cursor" | "filter">[] = [];
  const read =
    (rows: readonly Row[]) =>
    (_: unknown, { cursor: from, filter }: ReadOptions) => {
      requests.push({ ...(from && { cursor: from }), ...(filter && { filter }) });
      return [rows];
    };
  const runs = [await bench.run([plan], read(first)), await bench.run([plan], read(then))];
  const ids = await bench.rows<{ id: bigint; n: bigint }>("SELECT id, n FROM t ORDER BY id");
  const published = (await readExtract(bench.services.host.files, bench.directory))!.tables[0]!.cursor?.value;
  return {
    requests,
    ids: ids.map(({ id, n }) => `${id}:${n}`),
    published,
    notes: runs.map((run) => run.tables[0]!.notes),
  };
}

const late = [row(1, "2026-03-09T12:00:00Z")];
const came = [
  { ...row(2, "2026-03-07T12:00:00Z"), n: 20 },
  { ...row(3, "2026-03-07T11:00:00Z"), n: 30 },
];

test("extractSource() reads the lookback window of windowDays again and keeps its cursor", async () => {
  const starts: Record<string, string> = {
    day: "2026-03-07",
    at: "2026-03-07 12:00:00",
    zoned: "2026-03-07 12:00:00+00",
  };
  for (const [cursor, value] of Object.entries(starts)) {
    const { requests, ids, published } = await readTwice(cursor, { windowDays: 2 }, late, came);
    expect(requests).toEqual([{}, { cursor: { column: cursor, value, inclusive: true } }]);
    // Dates have no hours, so the row of the eleventh hour is in the window too.
    expect(ids).toEqual(cursor === "day" ? ["1:1", "2:20", "3:30"] : ["1:1", "2:20"]);
    expect(published).toStartWith("2026-03-09");
  }
});

test("extractSource() limits a full read to historyDays", async () => {
  const rows = [row(1, "2026-03-08T00:00:00Z"), row(2, "2026-03-07T23:59:59Z"), { id: 3, n: 3 }];
  for (const cursor of ["day", "at", "zoned"]) {
    const { requests, ids } = await readTwice(cursor, { historyDays: 2 }, rows, [
      row(4, "2020-01-01T00:00:00Z"),
    ]);
    const since = new Date("2026-03-08T00:00:00Z");
    expect(requests[0]).toEqual({ filter: [{ column: cursor, operator: "ge", values: [since] }] });
    expect(requests[1]).toMatchObject({ cursor: { column: cursor } });
    expect(ids).toEqual(["1:1"]);
  }
});

test("extractSource() reads a table in full when historyDays changes", async () => {
  await using bench = await openBench({ now });
  const info = table("t", columns, { primaryKey: ["id"], cursor: "at" });
  const read = () => [[row(1, "2026-03-08T00:00:00Z"), row(2, "2026-03-01T00:00:00Z")]];
  for (const [historyDays, ids] of [
    [2, 1n],
    [20, 2n],
    [2, 1n],
  ] as const) {
    const stats = await bench.run([incremental(info, { historyDays })], read);
    expect(stats.tables[0]?.full).toBe(true);
    expect(await bench.rows("SELECT max(id) AS id FROM t")).toEqual([{ id: ids }]);
  }
});

test("extractSource() notes why it does not apply a lookback window", async () => {
  const numbers = await readTwice(
    "n",
    { windowDays: 2, historyDays: 2 },
    [row(1, "2026-03-09T12:00:00Z")],
    [],
  );
  expect(numbers.requests).toEqual([{}, { cursor: { column: "n", value: "1", inclusive: true } }]);
  expect(numbers.notes.map((notes) => notes.join())).toEqual([
    "its cursor column is not a date or timestamp, so its limits in days were ignored",
    "its cursor column is not a date or timestamp, so its limits in days were ignored",
  ]);
  const keyless = await readTwice("at", { windowDays: 2, primaryKey: [] }, late, came);
  expect(keyless.requests[1]).toEqual({
    cursor: { column: "at", value: "2026-03-09 12:00:00", inclusive: false },
  });
  expect(keyless.ids).toEqual(["1:1"]);
  expect(keyless.notes[1]!.join()).toContain("so no lookback window was applied");
});
