import { expect, setDefaultTimeout, test } from "bun:test";
import { readFile } from "node:fs/promises";

import { AgnesError } from "../../lib/base/mod.ts";
import {
  int64,
  permanent,
  table,
  timestamp,
  transient,
  type ReadOptions,
  type Row,
  type SourceJob,
  type SourceQueryOptions,
  type SourceResult,
} from "../../lib/kit/mod.ts";
import { incremental, openBench, planOf } from "./harness.ts";

setDefaultTimeout(60_000);

const INFO = table("totals", { n: int64() });
const PLAN = planOf(INFO, { mode: "materialized", query: "SELECT 1" });

const bench = async () => {
  const pauses: number[] = [];
  const opened = await openBench({ sleep: async (durationMs) => void pauses.push(durationMs) });
  return Object.assign(opened, { pauses });
};

/** A source that behaves at each attempt as stated. */
function source(...attempts: readonly (() => AsyncGenerator<readonly Row[]>)[]) {
  const signals: AbortSignal[] = [];
  const query = async (_sql: string, { signal }: { readonly signal: AbortSignal }): Promise<SourceResult> => {
    signals.push(signal);
    return { schema: INFO.schema, batches: attempts[signals.length - 1]!() };
  };
  return { query, signals };
}

async function* rows(...list: readonly number[]) {
  yield list.map((n) => ({ n }));
}

const failing = (error: Error) =>
  async function* () {
    yield* rows(7, 8);
    throw error;
  };

test("a query is run once more after a transient failure, and its first rows are discarded", async () => {
  await using own = await bench();
  const connector = source(failing(transient("the stream was reset")), () => rows(1, 2));
  const stats = await own.run([PLAN], connector);
  expect(stats).toMatchObject({ tablesExtracted: 1, totalRows: 2 });
  expect(await own.rows("SELECT n::INT AS n FROM totals ORDER BY n")).toEqual([{ n: 1 }, { n: 2 }]);
  expect(own.pauses).toEqual([2_000]);
  expect(own.log.filter(({ level }) => level === "warn")).toHaveLength(1);
});

test("a second failure fails the table, and its published rows stay", async () => {
  await using own = await bench();
  await own.run(
    [PLAN],
    source(() => rows(1)),
  );
  const lost = failing(transient("the stream was reset"));
  const connector = source(lost, lost, () => rows(2));
  const stats = await own.run([PLAN], connector);
  expect(stats.errors[0]!.error).toMatchObject({ code: "source_unavailable" });
  expect(connector.signals).toHaveLength(2);
  expect(await own.rows("SELECT n::INT AS n FROM totals")).toEqual([{ n: 1 }]);
});

test.each([
  ["a permanent failure", permanent("the SQL is invalid")],
  ["a full disk", new AgnesError("disk_full", { path: "/" })],
  ["a timeout", new AgnesError("timed_out", { what: "the query", timeoutMs: 1 })],
])("the query is not run again after %s", async (_, error) => {
  await using own = await bench();
  const connector = source(failing(error), () => rows(1));
  expect((await own.run([PLAN], connector)).errors[0]!.error.code).toBe(error.code);
  expect(connector.signals).toHaveLength(1);
  expect(own.pauses).toEqual([]);
});

test("other tables are read once", async () => {
  await using own = await bench();
  let reads = 0;
  const stats = await own.run([planOf(INFO)], () => {
    reads += 1;
    throw transient("the source is busy");
  });
  expect(stats.tablesFailed).toBe(1);
  expect(reads).toBe(1);
});

const expired = () =>
  new AgnesError("read_expired", { what: "table totals", rows: 2, reason: "the session expired" });

test("a table whose read the source ended is read once more, and its first rows are discarded", async () => {
  await using own = await bench();
  const states: unknown[] = [];
  let reads = 0;
  const read = async function* (_table: unknown, { state }: ReadOptions) {
    states.push(state);
    reads += 1;
    yield* reads === 2 ? rows(7, 1) : rows(1, 2);
    if (reads === 2) throw expired();
    return { state: reads };
  };
  await own.run([planOf(INFO)], read);
  const stats = await own.run([planOf(INFO)], read);
  expect(stats).toMatchObject({ tablesFailed: 0, tables: [{ rowsRead: 2, status: "unchanged" }] });
  expect(states).toEqual([undefined, 1, 1]);
  expect(await own.rows("SELECT n::INT AS n FROM totals ORDER BY n")).toEqual([{ n: 1 }, { n: 2 }]);
  expect(own.pauses).toEqual([2_000]);
});

test("rows that do not fit are quarantined once if the read is repeated", async () => {
  await using own = await bench();
  let reads = 0;
  const stats = await own.run([planOf(INFO, { quarantine: true })], async function* () {
    reads += 1;
    // More than the runtime builds at once, so that the first read also rejects the row.
    yield Array.from({ length: 10_000 }, (_, n) => ({ n: n === 1 ? "x" : n }));
    if (reads === 1) throw expired();
  });
  expect(stats.tables[0]).toMatchObject({ rows: 9_999, rowsQuarantined: 1 });
});

test("rows that earlier windows rejected stay in the quarantine if the read of a window is repeated", async () => {
  const now = () => new Date("2026-03-10T15:00:00Z");
  await using own = await openBench({ now, sleep: async () => {} });
  const columns = { id: int64({ nullable: false }), at: timestamp(), n: int64() };
  const events = table("events", columns, { primaryKey: ["id"], cursor: "at" });
  let reads = 0;
  const stats = await own.run(
    [incremental(events, { chunkDays: 4, historyDays: 12, quarantine: true, quarantineMaxPercent: 50 })],
    async function* (_table, { window }) {
      reads += 1;
      const id = window!.from?.getTime() ?? 0;
      const at = window!.to === undefined ? now() : new Date(window!.to.getTime() - 1);
      yield ["x", 1, 2].map((n, row) => ({ id: id + row, at, n }));
      if (reads === 3) throw expired();
    },
  );
  const { rowsQuarantined, quarantinePath } = stats.tables[0]!;
  expect([reads, stats.tablesFailed, rowsQuarantined]).toEqual([4, 0, 3]);
  const lines = (await readFile(quarantinePath!, "utf8")).trim().split("\n");
  expect(new Set(lines.map((line) => (JSON.parse(line) as { record: Row }).record["id"])).size).toBe(3);
  expect(lines).toHaveLength(3);
});

test("a table whose read the source ends twice fails, and its published rows stay", async () => {
  await using own = await bench();
  await own.run([planOf(INFO)], () => [[{ n: 1 }]]);
  let reads = 0;
  const stats = await own.run([planOf(INFO)], async function* () {
    reads += 1;
    yield* rows(7, 8);
    throw expired();
  });
  expect(stats.errors[0]!.error).toMatchObject({ code: "read_expired", retry: "transient" });
  expect(reads).toBe(2);
  expect(await own.rows("SELECT n::INT AS n FROM totals")).toEqual([{ n: 1 }]);
});

test.each([
  ["before its result", async () => new Promise<SourceResult>(() => {})],
  [
    "between its rows",
    async (): Promise<SourceResult> => ({
      schema: INFO.schema,
      batches: (async function* () {
        yield* rows(1);
        await new Promise(() => {});
      })(),
    }),
  ],
])("a query that hangs %s ends at its deadline and is not run again", async (_, hang) => {
  await using own = await bench();
  const signals: AbortSignal[] = [];
  const connector = {
    query: (_sql: string, { signal }: { readonly signal: AbortSignal }) => {
      signals.push(signal);
      return hang();
    },
  };
  const stats = await own.run([PLAN], connector, { materializeTimeoutMs: 200 });
  expect(stats.errors[0]!.error).toMatchObject({
    code: "timed_out",
    details: { what: "the query of table totals", timeoutMs: 200 },
  });
  expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
});

test("the result has the jobs of all attempts, and an error names those that were stopped", async () => {
  await using own = await bench();
  const report = (id: string, status: SourceJob["status"], end?: () => Promise<unknown>) => {
    const query = async (_sql: string, { onJob }: SourceQueryOptions): Promise<SourceResult> => {
      onJob?.({ id, status: "running" });
      await end?.();
      const batches = (async function* () {
        yield* rows(1);
        onJob?.({ id, status, billedBytes: 5 });
        if (status === "failed") throw transient("the stream was reset");
      })();
      return { schema: INFO.schema, batches };
    };
    return query;
  };
  const [first, second] = [report("a", "failed"), report("b", "done")];
  let calls = 0;
  const twice: typeof first = (...request) => (calls++ === 0 ? first : second)(...request);
  const { tables } = await own.run([PLAN], { query: twice });
  expect(tables[0]!.jobs).toEqual([
    { id: "a", status: "failed", billedBytes: 5 },
    { id: "b", status: "done", billedBytes: 5 },
  ]);
  const hanging = { query: report("c", "done", () => new Promise(() => {})) };
  const stopped = await own.run([PLAN], hanging, { materializeTimeoutMs: 200 });
  expect(stopped.tables[0]).toMatchObject({ status: "failed", jobs: [{ id: "c", status: "running" }] });
  expect(stopped.errors[0]!.error).toMatchObject({
    code: "timed_out",
    hint: expect.stringContaining("Jobs that were stopped may still be billed: c."),
    details: { stoppedJobs: ["c"] },
  });
});
