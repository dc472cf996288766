import { describe, expect, test } from "bun:test";

import { readExtract, type TablePlan } from "../../lib/extract/mod.ts";
import { planChangeWindows } from "../../lib/extract/job/load-windows.ts";
import {
  int64,
  table,
  utf8,
  type AnyConnector,
  type ReadOptions,
  type ReadResult,
  type Row,
} from "../../lib/kit/mod.ts";
import { incremental, openBench, planOf, type Bench } from "./harness.ts";

const now = () => new Date("2026-03-10T15:00:00Z");
const day = (text: string) => new Date(`${text}T00:00:00Z`);
const columns = { id: int64({ nullable: false }), v: utf8() };
const EVENTS = table("events", columns, {
  primaryKey: ["id"],
  changesFrom: new Date("2026-02-20T09:30:00Z"),
});
const plan = incremental(EVENTS, { chunkDays: 5 });

interface Changed {
  readonly id: number;
  readonly v: string;
  readonly changedAt: Date;
}

/** A table whose rows can be read by the time of their last change. */
class ChangingTable {
  rows: Changed[];
  version = 1;
  requests: ReadOptions[] = [];
  /** Called before the nth read, from 1. */
  before: (read: number) => void = () => {};
  reads = 0;

  constructor(times: readonly string[]) {
    this.rows = times.map((time, id) => ({ id, v: "old", changedAt: new Date(time) }));
  }

  put(id: number, v: string, changedAt: Date): void {
    this.rows = [...this.rows.filter((row) => row.id !== id), { id, v, changedAt }];
    this.version += 1;
  }

  delete(id: number): void {
    this.rows = this.rows.filter((row) => row.id !== id);
    this.version += 1;
  }

  get connector(): AnyConnector {
    return { read: (_, options) => this.#read(options) };
  }

  async *#read(options: ReadOptions): AsyncGenerator<readonly Row[], ReadResult> {
    this.before(++this.reads);
    this.requests.push(options);
    const state = options.state as { version: number; since: string } | undefined;
    const { changes, isDelta } = options;
    const since =
      isDelta === true && changes === undefined && state !== undefined ? new Date(state.since) : null;
    const from = changes?.from ?? since;
    const found = this.rows.filter(
      ({ changedAt }) =>
        (from === null || changedAt >= from) && (changes?.to === undefined || changedAt < changes.to),
    );
    yield found.map(({ id, v }) => ({ id, v }));
    const isSame = state === undefined || state.version === this.version;
    return {
      state: { version: this.version, since: now().toISOString() },
      ...(changes?.to === undefined || isSame ? { tableRows: this.rows.length } : {}),
    };
  }

  /** The windows of the reads; `whole` and `delta` for others. */
  get windows(): readonly string[] {
    const text = (moment: Date | undefined) => moment?.toISOString().slice(0, 10) ?? "";
    return this.requests.map(({ changes, isDelta }) =>
      changes === undefined
        ? isDelta === true
          ? "delta"
          : "whole"
        : `${text(changes.from)}/${text(changes.to)}`,
    );
  }
}

const WINDOWS = ["/2026-02-25", "2026-02-25/2026-03-02", "2026-03-02/2026-03-07", "2026-03-07/"];
const times = ["2025-01-01", "2026-02-21", "2026-02-24", "2026-03-03", "2026-03-05", "2026-03-09"];

const valuesOf = async (bench: Bench) =>
  (await bench.rows<{ id: bigint; v: string }>("SELECT id, v FROM events ORDER BY id")).map(
    ({ id, v }) => `${id} ${v}`,
  );
const expected = (of: ChangingTable) =>
  of.rows.toSorted((a, b) => a.id - b.id).map(({ id, v }) => `${id} ${v}`);
const publishedOf = async (bench: Bench) =>
  (await readExtract(bench.services.host.files, bench.directory))!.tables[0]!;

test("planChangeWindows() plans from the day of the oldest rows, whose window has no start, to an open end", () => {
  expect(planChangeWindows({ chunkDays: 9 }, EVENTS.changesFrom!, undefined, now())).toEqual([
    { left: 2, byChanges: true, to: day("2026-03-01") },
    { left: 1, byChanges: true, from: day("2026-03-01") },
  ]);
  expect(planChangeWindows({}, EVENTS.changesFrom!, "2026-03-01T00:00:00.000Z", now())).toEqual([
    { left: 1, byChanges: true, from: day("2026-03-01") },
  ]);
});

describe("a first load in windows of changes", () => {
  test("reads windows oldest first, publishes each, and continues with the state of the first", async () => {
    await using bench = await openBench({ now });
    const source = new ChangingTable(times);
    const stats = await bench.run([plan], source.connector);
    expect(stats.errors).toEqual([]);
    expect(source.windows).toEqual(WINDOWS);
    expect(await valuesOf(bench)).toEqual(expected(source));
    // The second window is empty.
    expect(stats).toMatchObject({ generation: 3 });
    expect(stats.tables[0]).toMatchObject({ full: true, rows: 6, notes: [] });
    const [first, ...others] = source.requests;
    expect(first!.state).toBeUndefined();
    expect(others.map(({ state }) => state)).toEqual(
      others.map(() => ({ version: 1, since: now().toISOString() })),
    );
    for (const { filter, window, cursor } of source.requests)
      expect([filter, window, cursor]).toEqual([undefined, undefined, undefined]);
    expect(await publishedOf(bench)).not.toHaveProperty("loadedUntil");
    await bench.run([plan], source.connector);
    expect(source.windows.at(-1)).toBe("delta");
  });

  test("ends once the table has all rows of the source", async () => {
    for (const [of, windows] of [
      [["2026-02-21", "2026-02-22"], 1],
      [["2026-02-21", "2026-02-26"], 2],
      [["2026-02-26", "2026-02-27"], 2],
      [[], 1],
    ] as const) {
      await using bench = await openBench({ now });
      const source = new ChangingTable(of);
      const stats = await bench.run([plan], source.connector);
      expect(stats.errors).toEqual([]);
      expect(source.windows).toEqual(WINDOWS.slice(0, windows));
      expect(await valuesOf(bench)).toEqual(expected(source));
      expect(await publishedOf(bench)).toMatchObject({ state: { version: 1 }, rows: of.length });
      expect(await publishedOf(bench)).not.toHaveProperty("loadedUntil");
    }
  });

  test("takes rows that changed meanwhile from a later window, and does not end by their number", async () => {
    await using bench = await openBench({ now });
    const source = new ChangingTable(times);
    source.before = (read) => {
      if (read !== 3) return;
      source.put(0, "again", now());
      source.put(3, "again", now());
      source.put(9, "added", now());
    };
    const stats = await bench.run([plan], source.connector);
    expect(source.windows).toEqual(WINDOWS);
    expect(await valuesOf(bench)).toEqual(expected(source));
    expect(stats.tables[0]!.notes).toEqual([]);
    // Changes since the first window are read again.
    expect((await publishedOf(bench)).state).toMatchObject({ version: 1 });
  });

  test("reads the table in full once if it has another number of rows at the end", async () => {
    await using bench = await openBench({ now });
    const source = new ChangingTable(times);
    source.before = (read) => {
      if (read === 3) source.delete(1);
    };
    const stats = await bench.run([plan], source.connector);
    expect(source.windows).toEqual([...WINDOWS, "whole"]);
    expect(await valuesOf(bench)).toEqual(expected(source));
    expect(stats.tables[0]!.notes.join()).toContain("its source reports 5 rows, but it has 6 after the read");
    expect(await publishedOf(bench)).toMatchObject({ state: { version: 2 } });
    await bench.run([plan], source.connector);
    expect(source.windows.at(-1)).toBe("delta");
  });

  test("continues after the last published window when a read fails", async () => {
    await using bench = await openBench({ now });
    const source = new ChangingTable(times);
    source.before = (read) => {
      if (read === 3) throw new Error("connection reset");
    };
    expect((await bench.run([plan], source.connector)).tablesFailed).toBe(1);
    expect(await valuesOf(bench)).toEqual(["0 old", "1 old", "2 old"]);
    source.put(1, "again", now());
    const stats = await bench.run([plan], source.connector);
    expect(stats.errors).toEqual([]);
    expect(source.windows).toEqual([...WINDOWS.slice(0, 2), ...WINDOWS.slice(1)]);
    expect(source.requests[2]!.state).toMatchObject({ version: 1 });
    expect(await valuesOf(bench)).toEqual(expected(source));
  });

  test("is read in full if its source can no longer read the rest by changes", async () => {
    await using bench = await openBench({ now });
    const source = new ChangingTable(times);
    source.before = (read) => {
      if (read === 3) throw new Error("connection reset");
    };
    await bench.run([plan], source.connector);
    const { changesFrom: _, ...info } = EVENTS;
    const stats = await bench.run([{ ...plan, info }], source.connector);
    expect(source.windows.at(-1)).toBe("whole");
    expect(stats.tables[0]!.notes.join()).toContain("cannot read the rest in windows");
    expect(await valuesOf(bench)).toEqual(expected(source));
  });

  test("is one read for a single window, and for tables that are not merged by a key alone", async () => {
    const withCursor = table("events", columns, {
      primaryKey: ["id"],
      cursor: "id",
      changesFrom: EVENTS.changesFrom!,
    });
    const plans: readonly TablePlan[] = [
      { ...plan, chunkDays: 60 },
      { ...plan, primaryKey: [] },
      planOf(EVENTS, { primaryKey: ["id"], chunkDays: 5 }),
      incremental(withCursor, { chunkDays: 5 }),
      incremental(EVENTS),
    ];
    for (const one of plans) {
      await using bench = await openBench({ now });
      const source = new ChangingTable(times);
      const stats = await bench.run([one], source.connector);
      expect(stats.errors).toEqual([]);
      expect(source.windows).toEqual(["whole"]);
    }
  });
});
