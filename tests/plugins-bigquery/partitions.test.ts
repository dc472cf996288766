import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { createAgnes } from "agnes";

import plugin from "../../plugins/bigquery/plugin.ts";
import { partitionCondition, partitionOf, timePartitioningOf } from "../../plugins/bigquery/partitions.ts";
import { fakeBigQuery, type FakeCell, type FakeTable } from "../fakes/bigquery/mod.ts";
import { temporaryFolder } from "../sync/workspace.ts";
import { connect, rejection } from "./support.ts";

setDefaultTimeout(60_000);

const FIELDS = [
  { name: "id", type: "INTEGER", mode: "REQUIRED" },
  { name: "day", type: "DATE" },
  { name: "note", type: "STRING" },
];
const MICROS = 1_767_225_600_000_000n;
/** The fake's time of a job. */
const NOW_MS = Number(MICROS / 1000n) + 1_000_000;

/** A table by day; each day has a version, which is also its time of modification. */
function daily(days: Readonly<Record<string, number>>, resource: Readonly<Record<string, unknown>> = {}) {
  const rows = Object.entries(days).flatMap(([day, version]): FakeCell[][] =>
    [1, 2].map((at) => [
      `${(day === "" ? 99 : Number(day.slice(-2))) * 10 + at}`,
      day === "" ? null : day,
      `v${version}`,
    ]),
  );
  const partitions = Object.entries(days).map(([day, version]) => ({
    id: day === "" ? "__NULL__" : day.replaceAll("-", ""),
    modified: String(MICROS + BigInt(version)),
  }));
  return {
    dataset: "shop",
    id: "events",
    fields: FIELDS,
    rows,
    partitions,
    resource: {
      timePartitioning: { type: "DAY", field: "day" },
      lastModifiedTime: String(1_767_225_600_000 + Math.max(...Object.values(days))),
      ...resource,
    },
  } satisfies FakeTable;
}

/** Syncs one incremental table several times, each time from other data. */
async function syncs(versions: readonly FakeTable[], settings: Readonly<Record<string, unknown>> = {}) {
  using folder = temporaryFolder();
  const queries: (readonly string[])[] = [];
  const results: { rows: unknown; status: string; notes: readonly string[]; billed: number }[] = [];
  for (const [at, table] of versions.entries()) {
    await using server = fakeBigQuery({ tables: [table], script: { polls: 0, nowMs: NOW_MS, pageRows: 3 } });
    await using agnes = await createAgnes({
      workspace: folder.path,
      plugins: [plugin],
      host: { fetch: server.fetch, env: { BIGQUERY_SERVICE_ACCOUNT_JSON: server.signIn.serviceAccount } },
      config: {
        version: 1,
        sources: { bq: { plugin: "bigquery", options: { project: server.project, storageRead: false } } },
      },
    });
    if (at === 0) {
      const registered = { source: "bq", sourceTable: "shop.events", name: "events", ...settings };
      await (await agnes.tables()).register({ syncStrategy: "incremental", ...registered } as never);
    }
    const { sources } = await agnes.sync();
    const stats = sources[0]!.stats!.tables[0]!;
    const runs = server.inserted.filter(({ configuration }) => configuration.dryRun !== true);
    queries.push(runs.map(({ configuration }) => configuration.query.query));
    results.push({
      rows: await agnes.rows("SELECT * FROM events ORDER BY id, note"),
      status: stats.status,
      notes: stats.notes,
      billed: runs.length,
    });
  }
  return { queries, results };
}

const WHERE = /WHERE (.*?) ORDER/;

describe("bigquery: reads by partition", () => {
  test("only changed partitions are read, and removed ones are removed", async () => {
    const first = daily({ "2026-01-01": 1, "2026-01-02": 1, "2026-01-03": 1, "": 1 });
    const second = daily({ "2026-01-02": 1, "2026-01-03": 5, "2026-01-04": 5, "": 1 });
    const { queries, results } = await syncs([first, first, second]);
    expect(queries[0]).toHaveLength(2);
    expect(WHERE.exec(queries[0]![1]!)![1]).toBe(
      "((`day` >= DATE '2026-01-01' AND `day` < DATE '2026-01-04') OR `day` IS NULL)",
    );
    expect(queries[1]).toEqual([]);
    expect(results[1]!.status).toBe("unchanged");
    expect(WHERE.exec(queries[2]![1]!)![1]).toBe(
      "((`day` >= DATE '2026-01-03' AND `day` < DATE '2026-01-05'))",
    );
    expect(results[2]!.rows).toEqual([
      { id: 21, day: "2026-01-02", note: "v1" },
      { id: 22, day: "2026-01-02", note: "v1" },
      { id: 31, day: "2026-01-03", note: "v5" },
      { id: 32, day: "2026-01-03", note: "v5" },
      { id: 41, day: "2026-01-04", note: "v5" },
      { id: 42, day: "2026-01-04", note: "v5" },
      { id: 991, day: null, note: "v1" },
      { id: 992, day: null, note: "v1" },
    ] as never);
    expect(results.map(({ notes }) => notes)).toEqual([[], [], []]);
  });

  test("a partition by the time of loading is selected by its pseudo column", async () => {
    const table = (version: number): FakeTable => ({
      ...daily({ "2026-01-01": 1, "2026-01-02": version }),
      partitionTimes: ["2026-01-01", "2026-01-01", "2026-01-02", "2026-01-02"].map((day) =>
        String(Date.parse(day) * 1000),
      ),
      resource: { timePartitioning: { type: "DAY" }, lastModifiedTime: String(1_767_225_600_000 + version) },
    });
    const { queries, results } = await syncs([table(1), table(2)]);
    expect(WHERE.exec(queries[1]![1]!)![1]).toBe(
      "((`_PARTITIONTIME` >= TIMESTAMP '2026-01-02 00:00:00+00:00' AND `_PARTITIONTIME` < TIMESTAMP '2026-01-03 00:00:00+00:00'))",
    );
    expect((results[1]!.rows as { note: string }[]).map(({ note }) => note)).toEqual([
      "v1",
      "v1",
      "v2",
      "v2",
    ]);
  });

  test("a partition that changed after the time of the read is read again", async () => {
    const late = daily({ "2026-01-01": 1, "2026-01-02": 2_000_000_000 });
    const { queries } = await syncs([late, late]);
    expect(WHERE.exec(queries[1]![1]!)![1]).toContain("DATE '2026-01-02'");
    expect(WHERE.exec(queries[1]![1]!)![1]).not.toContain("DATE '2026-01-01'");
    expect(queries[1]![1]).toContain("FOR SYSTEM_TIME AS OF @agnes_snapshot");
  });

  test("rows in a streaming buffer are read, with all others", async () => {
    const first = daily({ "2026-01-01": 1 });
    const streaming = daily({ "2026-01-01": 1, "2026-01-02": 2 }, { streamingBuffer: {} });
    const { queries, results } = await syncs([first, streaming, first]);
    expect(queries[1]).toEqual(["SELECT `id`, `day`, `note` FROM `shop-1`.`shop`.`events`"]);
    expect(results[1]!.rows).toHaveLength(4);
    expect(results[2]!.rows).toHaveLength(2);
  });

  test("small partitions share a job, and large ones have their own", async () => {
    const days = daily({ "2026-01-01": 1, "2026-01-02": 1, "2026-01-03": 1 });
    const sizes = [1e9, 1e6, 1e6];
    const partitions = days.partitions.map((one, at) => ({ ...one, bytes: sizes[at]! }));
    const { queries, results } = await syncs([{ ...days, partitions }]);
    expect(queries[0]!.slice(1).map((sql) => WHERE.exec(sql)![1])).toEqual([
      "((`day` >= DATE '2026-01-01' AND `day` < DATE '2026-01-02'))",
      "((`day` >= DATE '2026-01-02' AND `day` < DATE '2026-01-04'))",
    ]);
    expect(results[0]!.rows).toHaveLength(6);
  });

  test("a table with full refreshes is read by one job, also if it requires a condition", async () => {
    const table = daily({ "2026-01-01": 1, "": 1 }, { requirePartitionFilter: true });
    const { queries, results } = await syncs([table], { syncStrategy: "full_refresh" });
    expect(queries).toEqual([
      [
        "SELECT `id`, `day`, `note` FROM `shop-1`.`shop`.`events` WHERE (`day` >= DATE '0001-01-01' OR `day` IS NULL)",
      ],
    ]);
    expect(results[0]!.rows).toHaveLength(4);
  });

  test("an empty list of partitions of a table with rows is an error", async () => {
    await using server = fakeBigQuery({ tables: [{ ...daily({ "2026-01-01": 1 }), partitions: [] }] });
    const { read } = await connect(server);
    expect(await rejection(read("shop.events", { byOrigin: true }))).toMatchObject({
      code: "bigquery/partitions_unknown",
    });
  });

  test("partitions whose bytes are hidden are read by one job, so that its limit is that of the read", async () => {
    const days = daily({ "2026-01-01": 1, "2026-01-02": 1 });
    const partitions = days.partitions.map((one) => ({ ...one, bytes: 1e9 }));
    await using server = fakeBigQuery({
      tables: [{ ...days, partitions, rowPolicy: "\"note\" = 'v1'" }],
      script: { nowMs: NOW_MS },
    });
    const { connector, tables } = await connect(server, { allowUnknownEstimates: true });
    const info = (await tables()).get("shop.events")!;
    const options = { byOrigin: true, batchRows: 100, signal: new AbortController().signal };
    let rows = 0;
    for await (const batch of connector.read!(info, options)) rows += (batch as { numRows: number }).numRows;
    expect(rows).toBe(4);
    // The list of partitions and the rows.
    expect(server.inserted.filter(({ configuration }) => configuration.dryRun !== true)).toHaveLength(2);
  });

  test("the partitions together must be within the limit of bytes", async () => {
    const table = daily({ "2026-01-01": 1, "2026-01-02": 1 }, { numBytes: "30000000" });
    await using server = fakeBigQuery({ tables: [table] });
    const { read } = await connect(server, { maxBytesPerQuery: 20_000_000 });
    expect(await rejection(read("shop.events", { byOrigin: true }))).toMatchObject({
      code: "bigquery/scan_too_large",
    });
    expect(server.inserted.filter(({ configuration }) => configuration.dryRun !== true)).toHaveLength(1);
  });
});

describe("bigquery: conditions on partitions", () => {
  const of = (type: string, unit: string) =>
    timePartitioningOf({
      timePartitioning: { type: unit, field: "at", requirePartitionFilter: false },
      schema: { fields: [{ name: "at", type }] },
    } as never)!;

  test.each([
    [
      "DATETIME",
      "HOUR",
      "2026013123",
      "`at` >= DATETIME '2026-01-31 23:00:00' AND `at` < DATETIME '2026-02-01 00:00:00'",
    ],
    [
      "TIMESTAMP",
      "MONTH",
      "202602",
      "`at` >= TIMESTAMP '2026-02-01 00:00:00+00:00' AND `at` < TIMESTAMP '2026-03-01 00:00:00+00:00'",
    ],
    ["DATE", "YEAR", "0001", "`at` >= DATE '0001-01-01' AND `at` < DATE '0002-01-01'"],
    ["DATE", "DAY", "99991231", "`at` >= DATE '9999-12-31'"],
  ])("%s by %s: %s", (type, unit, id, condition) => {
    expect(partitionCondition([id], of(type, unit))).toBe(`((${condition}))`);
  });

  test("a value is in the partition of its unit", () => {
    const text = "2026-01-31T23:59:59.999999Z";
    expect(["HOUR", "DAY", "MONTH", "YEAR"].map((unit) => partitionOf(text, of("TIMESTAMP", unit)))).toEqual([
      "2026013123",
      "20260131",
      "202601",
      "2026",
    ]);
  });
});
