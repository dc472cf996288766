import { describe, expect, test } from "bun:test";

import { readExtract, type ExtractProgress, type TablePlan } from "../../lib/extract/mod.ts";
import { planWindows } from "../../lib/extract/job/load-windows.ts";
import {
  cursorDate,
  date,
  int64,
  table,
  timestamp,
  timestampWithZone,
  type Filter,
  type ReadResult,
  type ReadOptions,
  type Row,
  type TableInfo,
} from "../../lib/kit/mod.ts";
import { incremental, openBench, planOf, type Bench } from "./harness.ts";

const now = () => new Date("2026-03-10T15:00:00Z");
const day = (text: string) => new Date(`${text}T00:00:00Z`);

const columns = { id: int64({ nullable: false }), at: timestamp(), n: int64() };
const EVENTS = table("events", columns, { primaryKey: ["id"], cursor: "at" });

/** A row every five hours up to now, a much older one, and three without a time. */
const rows: readonly Row[] = [
  ...Array.from({ length: 60 }, (_, at) => ({
    id: at + 1,
    at: new Date(now().getTime() - (60 - at) * 5 * 3_600_000),
    n: at,
  })),
  { id: 100, at: new Date("1999-12-31T23:59:59Z"), n: 100 },
  ...[200, 201, 202].map((id) => ({ id, at: null, n: id })),
];

const timeOf = ({ at }: Row) => (at as Date | null)?.getTime() ?? null;

/** The rows that a read requests, for a source that applies all options. */
function wanted(all: readonly Row[], { cursor, filter = [] }: ReadOptions): readonly Row[] {
  const from = cursor === undefined ? null : cursorDate(cursor).getTime();
  return all.filter((row) => {
    const time = timeOf(row);
    const isNew = from === null || (time === null ? cursor!.inclusive : time >= from);
    return isNew && filter.every((one) => meets(time, one));
  });
}

function meets(time: number | null, { operator, values }: Filter): boolean {
  const value = (values[0] as Date).getTime();
  return time !== null && (operator === "ge" ? time >= value : time < value);
}

type RequestedRange = Pick<ReadOptions, "cursor" | "filter" | "window" | "state">;

/** A source that records its requests. */
function source(all: readonly Row[] = rows, end?: (requests: number) => ReadResult) {
  const requests: RequestedRange[] = [];
  const read = async function* (
    _: TableInfo,
    options: ReadOptions,
  ): AsyncGenerator<Row[], ReadResult | void> {
    const { cursor, filter, window, state } = options;
    requests.push({
      ...(cursor && { cursor }),
      ...(filter && { filter }),
      ...(window && { window }),
      ...(state !== undefined && { state }),
    });
    yield [...wanted(all, options)];
    return end?.(requests.length);
  };
  return { requests, connector: { read } };
}

const idsOf = async (bench: Bench) =>
  (await bench.rows<{ id: bigint }>("SELECT id FROM events ORDER BY id")).map(({ id }) => Number(id));

/** The ids that one full read publishes. */
async function fullRead(overrides: Partial<TablePlan> = {}): Promise<readonly number[]> {
  await using bench = await openBench({ now });
  await bench.run([incremental(EVENTS, overrides)], source().connector);
  return await idsOf(bench);
}

const windowsOf = (requests: readonly RequestedRange[]) =>
  requests.map(({ window }) => {
    const text = (moment: Date | undefined) => moment?.toISOString().slice(0, 10) ?? "";
    return window === undefined ? "none" : `${text(window.from)}/${text(window.to)}`;
  });

describe("planWindows()", () => {
  const formatted = (...args: Parameters<typeof planWindows>) =>
    windowsOf(planWindows(...args).map((window) => ({ window: { column: "at", ...window } })));

  test("plans from the start of the history to an open end", () => {
    expect(formatted({ chunkDays: 4, historyDays: 10 }, undefined, now())).toEqual([
      "2026-02-28/2026-03-04",
      "2026-03-04/2026-03-08",
      "2026-03-08/",
    ]);
    expect(formatted({ chunkDays: 30, historyDays: 10 }, undefined, now())).toEqual(["2026-02-28/"]);
    expect(formatted({ chunkDays: 5, historyDays: 10 }, undefined, now())).toEqual([
      "2026-02-28/2026-03-05",
      "2026-03-05/",
    ]);
  });

  test("plans one window for rows older than ten years without a history limit", () => {
    const windows = formatted({ chunkDays: 365 }, undefined, now());
    expect([windows.length, windows[0], windows[1], windows.at(-1)]).toEqual([
      11,
      "/2016-03-12",
      "2016-03-12/2017-03-12",
      "2025-03-10/",
    ]);
  });

  test("continues after an earlier run, and plans one window for the rest if chunkDays was removed", () => {
    const until = "2026-03-04T00:00:00.000Z";
    const rest = ["2026-03-04/2026-03-08", "2026-03-08/"];
    expect(formatted({ chunkDays: 4, historyDays: 10 }, until, now())).toEqual(rest);
    expect(formatted({ chunkDays: 4 }, until, now())).toEqual(rest);
    expect(formatted({}, until, now())).toEqual(["2026-03-04/"]);
    expect(formatted({ chunkDays: 4 }, "2026-03-12T00:00:00.000Z", now())).toEqual(["2026-03-12/"]);
  });
});

describe("a first load in windows", () => {
  test("requests windows in order, publishes each, and results in the rows of one full read", async () => {
    await using bench = await openBench({ now });
    const { requests, connector } = source();
    const plan = incremental(EVENTS, { chunkDays: 4, historyDays: 10 });
    const seen: ExtractProgress[] = [];
    const stats = await bench.run([plan], connector, { onProgress: (one) => seen.push(one) });
    expect(stats.errors).toEqual([]);
    expect(windowsOf(requests)).toEqual(["2026-02-28/2026-03-04", "2026-03-04/2026-03-08", "2026-03-08/"]);
    expect(requests[0]).toEqual({
      filter: [
        { column: "at", operator: "ge", values: [day("2026-02-28")] },
        { column: "at", operator: "lt", values: [day("2026-03-04")] },
      ],
      window: { column: "at", from: day("2026-02-28"), to: day("2026-03-04") },
    });
    expect(requests[2]!.filter).toEqual([{ column: "at", operator: "ge", values: [day("2026-03-08")] }]);
    expect(await idsOf(bench)).toEqual([...(await fullRead({ historyDays: 10 }))]);
    expect(stats).toMatchObject({ generation: 3, published: true, tablesExtracted: 1 });
    expect(stats.tables).toMatchObject([{ full: true, rows: 51, rowsRead: 51, partsWritten: 3 }]);
    expect((await readExtract(bench.services.host.files, bench.directory))!.tables[0]).not.toHaveProperty(
      "loadedUntil",
    );
    const windows = new Set(seen.map(({ window }) => window && `${window.number} of ${window.total}`));
    expect([...windows]).toEqual(["1 of 3", "2 of 3", "3 of 3"]);
    expect(seen.filter(({ phase }) => phase === "done")).toHaveLength(1);
    expect(seen.at(-1)!.rows).toBe(51);
    // The next read is a normal incremental read.
    await bench.run([plan], connector);
    expect(requests[3]).toEqual({ cursor: { column: "at", value: "2026-03-10 10:00:00", inclusive: true } });
  });

  test("includes rows that are older than all windows or have no cursor value", async () => {
    await using bench = await openBench({ now });
    const { requests, connector } = source();
    const stats = await bench.run([incremental(EVENTS, { chunkDays: 3 })], connector);
    expect(windowsOf(requests).slice(0, 2)).toEqual(["/2016-03-12", "2016-03-12/2016-03-15"]);
    expect(requests.at(-1)!.cursor).toEqual({ column: "at", value: "2026-03-08 00:00:00", inclusive: true });
    expect(requests).toHaveLength(1 + Math.ceil(3650 / 3));
    const ids = await idsOf(bench);
    expect(ids).toEqual([...(await fullRead())]);
    expect(ids).toEqual(expect.arrayContaining([100, 200, 201, 202]));
    // The oldest row, then those of February and March. A window without rows is not published.
    expect(stats.generation).toBe(6);
  });

  test("continues after the last published window when a run was stopped", async () => {
    await using bench = await openBench({ now });
    const { requests, connector } = source();
    const plan = incremental(EVENTS, { chunkDays: 2, historyDays: 10 });
    const breaking = {
      async *read(info: TableInfo, options: ReadOptions) {
        if (requests.length === 3) throw new Error("the line is down");
        yield* connector.read(info, options);
      },
    };
    const failed = await bench.run([plan], breaking);
    expect(failed.tables).toMatchObject([{ status: "failed", full: true }]);
    expect(failed.generation).toBe(3);
    const loaded = (await readExtract(bench.services.host.files, bench.directory))!.tables[0]!;
    expect(loaded.loadedUntil).toBe("2026-03-06T00:00:00.000Z");
    expect((await idsOf(bench)).length).toBe(loaded.rows);
    expect(loaded.cursor!.value).toBe("2026-03-05 20:00:00");

    const stop = new AbortController();
    const stopping = {
      async *read(info: TableInfo, options: ReadOptions) {
        if (requests.length === 4) stop.abort();
        yield* connector.read(info, options);
      },
    };
    const run = bench.run([plan], stopping, { signal: stop.signal });
    expect(await run.catch((error: unknown) => error)).toMatchObject({ code: "aborted" });
    await bench.run([plan], connector);
    const expected = ["02-28/03-02", "03-02/03-04", "03-04/03-06", "03-06/03-08", "03-08/", "03-08/"];
    expect(windowsOf(requests).map((text) => text.replaceAll("2026-", ""))).toEqual(expected);
    expect(await idsOf(bench)).toEqual([...(await fullRead({ historyDays: 10 }))]);
  });

  test("appends without a key, unless the cursor column is nullable", async () => {
    const keyless = table("events", { ...columns, at: timestamp({ nullable: false }) }, { cursor: "at" });
    const timed = rows.filter((row) => row["at"] !== null);
    for (const [info, all, historyDays, count] of [
      [keyless, timed, undefined, 61],
      [EVENTS, rows, 10, 51],
    ] as const) {
      await using bench = await openBench({ now });
      const { requests, connector } = source(all);
      const plan = incremental(info, { chunkDays: 200, ...(historyDays && { historyDays }), primaryKey: [] });
      await bench.run([{ ...plan, chunkDays: historyDays === undefined ? 200 : 4 }], connector);
      expect(requests.length).toBeGreaterThan(2);
      expect(await bench.rows("SELECT count(*)::INT AS n FROM events")).toEqual([{ n: count }]);
    }
    await using bench = await openBench({ now });
    const { requests, connector } = source();
    const stats = await bench.run([incremental(EVENTS, { chunkDays: 200, primaryKey: [] })], connector);
    expect(windowsOf(requests)).toEqual(["none"]);
    expect(stats.tables[0]!.notes.join()).toContain(
      "its cursor column is nullable, so it was not loaded in windows",
    );
    expect(await idsOf(bench)).toHaveLength(rows.length);
  });

  test("publishes an empty table once, with its columns", async () => {
    await using bench = await openBench({ now });
    const { requests, connector } = source([]);
    const stats = await bench.run([incremental(EVENTS, { chunkDays: 4, historyDays: 10 })], connector);
    expect(requests).toHaveLength(3);
    expect(stats).toMatchObject({ generation: 1, totalRows: 0 });
    expect(await bench.rows('SELECT "at" FROM events')).toEqual([]);
  });

  test("ends after windows without rows, and after a full read without new rows", async () => {
    const early = rows.filter((row) => (row["id"] as number) < 10);
    for (const full of [false, true]) {
      await using bench = await openBench({ now });
      const { requests, connector } = source(early);
      const plan = incremental(EVENTS, { chunkDays: 4, historyDays: 18 });
      if (full) {
        const breaking = {
          async *read(info: TableInfo, options: ReadOptions) {
            if (requests.length === 3) throw new Error("the line is down");
            yield* connector.read(info, options);
          },
        };
        expect((await bench.run([plan], breaking)).tables[0]!.rows).toBe(9);
      }
      await bench.run([plan], connector, { full });
      expect((await readExtract(bench.services.host.files, bench.directory))!.tables[0]).not.toHaveProperty(
        "loadedUntil",
      );
      expect(await idsOf(bench)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
      await bench.run([plan], connector);
      expect(requests.at(-1)!.cursor?.value).toStartWith("2026-02-27");
    }
  });

  test("passes no state to windows and keeps the first one, so that later reads miss nothing", async () => {
    await using bench = await openBench({ now });
    const { requests, connector } = source(rows, (number) => ({ state: `token ${number}` }));
    // The first window has no rows.
    const plan = incremental(EVENTS, { chunkDays: 4, historyDays: 18 });
    await bench.run([plan], connector);
    expect(requests).toHaveLength(5);
    expect(requests.some(({ state }) => state !== undefined)).toBe(false);
    await bench.run([plan], connector);
    expect(requests[5]!.state).toBe("token 1");
  });

  test("ends when the table is read in full for another reason", async () => {
    for (const again of [
      { overrides: {}, options: { full: true } },
      { overrides: { historyDays: 300 }, options: {} },
    ]) {
      await using bench = await openBench({ now });
      const { requests, connector } = source();
      const plan = incremental(EVENTS, { chunkDays: 4, historyDays: 10 });
      const breaking = {
        async *read(info: TableInfo, options: ReadOptions) {
          if (requests.length === 1) throw new Error("the line is down");
          yield* connector.read(info, options);
        },
      };
      await bench.run([plan], breaking);
      const whole = { ...plan, ...again.overrides };
      await bench.run([whole], connector, again.options);
      expect(windowsOf(requests).at(-1)).toBe("none");
      expect((await readExtract(bench.services.host.files, bench.directory))!.tables[0]).not.toHaveProperty(
        "loadedUntil",
      );
      expect(await idsOf(bench)).toEqual([...(await fullRead({ historyDays: whole.historyDays! }))]);
    }
  });

  test("supports dates and timestamps with time zones, and notes why windows are not used", async () => {
    for (const [type, value] of [
      [date(), "2026-03-06"],
      [timestampWithZone(), "2026-03-06 00:00:00+00"],
    ] as const) {
      await using bench = await openBench({ now });
      const info = table("events", { ...columns, at: type }, { primaryKey: ["id"], cursor: "at" });
      const plan = incremental(info, { chunkDays: 3646 });
      const days = rows.map((row) => {
        const time = timeOf(row);
        return { ...row, at: time === null ? null : new Date(time - (time % 86_400_000)) };
      });
      const { requests, connector } = source(days);
      await bench.run([plan], connector);
      expect(requests.at(-1)!.cursor).toEqual({ column: "at", value, inclusive: true });
      expect(await idsOf(bench)).toHaveLength(rows.length);
    }
    await using bench = await openBench({ now });
    const notesOf = async (plan: TablePlan) => {
      const { requests, connector } = source(rows.map(({ id }) => ({ id, n: id })));
      const stats = await bench.run([plan], connector, { full: false });
      expect(windowsOf(requests)).toEqual(["none"]);
      return stats.tables[0]!.notes.join();
    };
    const numbered = table("numbered", columns, { primaryKey: ["id"], cursor: "n" });
    expect(await notesOf(incremental(numbered, { chunkDays: 4 }))).toContain(
      "its cursor column is not known to be a date or timestamp, so it was not loaded in windows",
    );
    const windowless = [
      ["full_refresh", {}, "it has no cursor column that its strategy uses"],
      ["incremental", {}, "it has no cursor column, and its source does not read it by the time of changes"],
      [
        "partitioned",
        { changesFrom: new Date("2026-01-01") },
        "it has neither a cursor column nor a primary key",
      ],
    ] as const;
    for (const [strategy, options, reason] of windowless) {
      const plan = planOf(table(`plain_${strategy}`, columns, options), {
        chunkDays: 4,
        strategy,
        partitionBy: "at",
      });
      expect(await notesOf(plan)).toContain(`${reason}, so it was not loaded in windows`);
    }
  });

  test("does not affect the other tables of the run", async () => {
    await using bench = await openBench({ now });
    const counts = new Map<string, number>();
    const { connector } = source();
    const counting = {
      async *read(info: TableInfo, options: ReadOptions) {
        counts.set(info.name, (counts.get(info.name) ?? 0) + 1);
        yield* connector.read(info, options);
      },
    };
    const other = table("other", columns);
    const plans = [planOf(other), incremental(EVENTS, { chunkDays: 4, historyDays: 10 })];
    const stats = await bench.run(plans, counting, { keep: ["other", "events"], full: true });
    expect(Object.fromEntries(counts)).toEqual({ other: 1, events: 3 });
    expect(stats.tables.map(({ name, status }) => `${name} ${status}`)).toEqual([
      "other extracted",
      "events extracted",
    ]);
    expect(await bench.rows("SELECT count(*)::INT AS n FROM other")).toEqual([{ n: rows.length }]);
  });
});

test("a connector receives the bucket of a table, and a new bucket causes a full read", async () => {
  await using bench = await openBench({ now });
  const requests: string[] = [];
  const read = (_: TableInfo, { bucket, cursor }: ReadOptions) => {
    requests.push(`${bucket}${cursor === undefined ? "" : " from"}`);
    return [[{ id: 1, at: now(), n: 1 }]];
  };
  const plan = incremental(EVENTS);
  for (const bucket of ["sales", "sales", "finance"]) await bench.run([{ ...plan, bucket }], read);
  const named = incremental(table("in.crm.events", columns, { primaryKey: ["id"], cursor: "at" }));
  for (const bucket of [undefined, "in.crm"]) {
    await bench.run([{ ...named, name: "named", ...(bucket && { bucket }) }], read);
  }
  expect(requests).toEqual(["sales", "sales from", "finance", "undefined", "in.crm from"]);
});
