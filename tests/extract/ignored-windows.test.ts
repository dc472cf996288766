import { describe, expect, test } from "bun:test";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";

import { openDatabase } from "../../lib/duckdb/mod.ts";
import { readExtract, type TablePlan } from "../../lib/extract/mod.ts";
import {
  int64,
  table,
  timestamp,
  type FileChunk,
  type ReadOptions,
  type Row,
  type TableInfo,
} from "../../lib/kit/mod.ts";
import { incremental, openBench } from "./harness.ts";

const now = () => new Date("2026-03-10T15:00:00Z");
const HOUR_MS = 3_600_000;
const columns = { id: int64({ nullable: false }), at: timestamp(), n: int64() };
const EVENTS = table("events", columns, { primaryKey: ["id"], cursor: "at" });

async function copyTo(path: string, sql: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await using database = await openDatabase();
  await using connection = await database.connect();
  await connection.run(`COPY (${sql}) TO '${path}' (FORMAT parquet)`);
}

describe("a first load in windows", () => {
  test("reads at once if the source ignores windows, for any number of rows", async () => {
    // The rows are in the last 200 hours: in the first window, or only in the last ones.
    for (const [count, historyDays] of [
      [10, 20],
      [100, 20],
      [300, 20],
      [300, 8],
      [3000, 20],
    ] as const) {
      await using bench = await openBench({ now });
      const all = Array.from({ length: count }, (_, id) => ({
        id,
        at: new Date(now().getTime() - (id % 200) * 3_600_000),
        n: id,
      }));
      const requests: (ReadOptions["window"] | null)[] = [];
      const read = (_: TableInfo, { window }: ReadOptions) => {
        requests.push(window ?? null);
        return [all];
      };
      const plan = incremental(EVENTS, { chunkDays: 2, historyDays });
      const stats = await bench.run([plan], read);
      const kept = all.filter(
        ({ at }) => at.getTime() >= now().getTime() - 15 * 3_600_000 - historyDays * 86_400_000,
      );
      expect(await bench.rows("SELECT count(*)::INT AS n FROM events")).toEqual([{ n: kept.length }]);
      expect(requests.length).toBeLessThanOrEqual(3);
      expect(requests.at(-1)).toBeNull();
      const note = "its source ignores load windows, so the table was read in full";
      expect(stats.tables[0]!.notes).toContain(note);
      expect((await readExtract(bench.services.host.files, bench.directory))!.tables[0]).not.toHaveProperty(
        "loadedUntil",
      );
    }
  });

  test("reads at once if the source yields whole Parquet files without an origin", async () => {
    await using bench = await openBench({ now });
    const data = join(bench.directory, "events.parquet");
    const from = "TIMESTAMP '2026-03-10 15:00:00'";
    await copyTo(
      data,
      `SELECT id, ${from} - INTERVAL 1 HOUR * (id % 200) AS at, id AS n FROM range(300) r(id)`,
    );
    const windows: unknown[] = [];
    const read = (_: TableInfo, { window }: ReadOptions): readonly FileChunk[] => {
      windows.push(window ?? null);
      return [{ kind: "file", format: "parquet", data }];
    };
    const stats = await bench.run([incremental(EVENTS, { chunkDays: 2, historyDays: 20 })], read);
    expect(stats.errors).toEqual([]);
    expect(windows.length).toBeLessThanOrEqual(3);
    expect(windows.at(-1)).toBeNull();
    expect(stats.tables[0]).toMatchObject({ rows: 300 });
    expect(stats.tables[0]!.notes).toContain(
      "its source ignores load windows, so the table was read in full",
    );
  });

  test("stays in windows if the source honours them but not a filter that keeps few of very many rows", async () => {
    await using bench = await openBench({ now });
    const data = join(bench.directory, "events.parquet");
    const windows: unknown[] = [];
    const read = async function* (
      _: TableInfo,
      { window }: ReadOptions,
    ): AsyncGenerator<readonly FileChunk[] | FileChunk> {
      windows.push(window ?? null);
      const [from, to] = [window?.from, window?.to].map((date) => date?.toISOString().slice(0, 19));
      const condition = [from && `"at" >= TIMESTAMP '${from}'`, to && `"at" < TIMESTAMP '${to}'`].filter(
        Boolean,
      );
      await copyTo(
        data,
        `SELECT * FROM (SELECT id, TIMESTAMP '2026-03-10 15:00:00' - INTERVAL 1 MINUTE * id AS "at", id AS n
           FROM range(20000) r(id)) WHERE ${condition.join(" AND ") || "true"}`,
      );
      yield { kind: "file", format: "parquet", data };
    };
    const filter = [{ column: "n", operator: "ge", values: [19_900] }] as const;
    const plan = incremental(EVENTS, { chunkDays: 7, historyDays: 21, filter });
    const stats = await bench.run([plan], read as never);
    expect(stats.errors).toEqual([]);
    expect(stats.tables[0]).toMatchObject({ rows: 100 });
    expect(windows).not.toContain(null);
    expect(stats.tables[0]!.notes.join()).not.toContain("ignores load windows");
  });

  test("stays in windows if the source yields some rows at their edges, or ignores a filter", async () => {
    // A row every five hours up to now; those of the last ten days are loaded.
    const rows = Array.from({ length: 60 }, (_, at) => ({
      id: at + 1,
      at: new Date(now().getTime() - (60 - at) * 5 * HOUR_MS),
      n: at,
    }));
    const recent = rows.filter(({ at }) => at >= new Date("2026-02-28T00:00:00Z"));
    const source = (slackHours: number) =>
      async function* (_: TableInfo, { window }: ReadOptions): AsyncGenerator<Row[]> {
        const from = (window?.from?.getTime() ?? 0) - slackHours * HOUR_MS;
        const to = (window?.to?.getTime() ?? Number.POSITIVE_INFINITY) + slackHours * HOUR_MS;
        yield rows.filter(({ at }) => at.getTime() >= from && at.getTime() < to);
      };
    const filter = [{ column: "n", operator: "ge", values: [50] }] as const;
    const cases: readonly [Partial<TablePlan>, number, readonly number[]][] = [
      [{}, 12, recent.map(({ id }) => id)],
      [{ filter }, 0, rows.filter(({ n }) => n >= 50).map(({ id }) => id)],
    ];
    for (const [overrides, slackHours, ids] of cases) {
      await using bench = await openBench({ now });
      const plan = incremental(EVENTS, { chunkDays: 2, historyDays: 10, ...overrides });
      const stats = await bench.run([plan], { read: source(slackHours) });
      expect(stats.tables[0]!.notes.join()).not.toContain("ignores load windows");
      const found = await bench.rows<{ id: bigint }>("SELECT id FROM events ORDER BY id");
      expect(found.map(({ id }) => Number(id))).toEqual([...ids]);
    }
  });
});
