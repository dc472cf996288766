import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { status } from "@grpc/grpc-js";

import { createAgnes } from "agnes";
import { arrow, type Batch, type Filter, type ReadOptions } from "agnes/kit";

import plugin from "../../plugins/bigquery/plugin.ts";
import { fakeBigQuery, type FakeCell, type FakeField, type FakeTable } from "../fakes/bigquery/mod.ts";
import { fakeStorage } from "../fakes/bigquery/storage.ts";
import { temporaryFolder } from "../sync/workspace.ts";
import { connectBoth, type Both } from "./storage-support.ts";
import { rejection } from "./support.ts";

setDefaultTimeout(60_000);

const MICROS = 1_767_225_600_000_000n;
const LARGE = 20_000_000;
const FIELDS: readonly FakeField[] = [
  { name: "id", type: "INTEGER", mode: "REQUIRED" },
  { name: "day", type: "DATE" },
  { name: "amount", type: "NUMERIC", precision: "12", scale: "2" },
];

/** A day of a partitioned table: its version and its bytes. */
type Days = Readonly<Record<string, readonly [version: number, sizeBytes: number]>>;

/** A table by day, with 30 rows for each. */
function daily(days: Days, resource: Readonly<Record<string, unknown>> = {}): FakeTable {
  const entries = Object.entries(days);
  return {
    dataset: "shop",
    id: "events",
    fields: FIELDS,
    rows: entries.flatMap(([day, [version]], at): FakeCell[][] =>
      Array.from({ length: 30 }, (_, row) => [
        String(at * 100 + row),
        day === "" ? null : day,
        `${version}.25`,
      ]),
    ),
    partitions: entries.map(([day, [version, bytes]]) => ({
      id: day === "" ? "__NULL__" : day.replaceAll("-", ""),
      modified: String(MICROS + BigInt(version)),
      bytes,
    })),
    resource: {
      timePartitioning: { type: "DAY", field: "day" },
      lastModifiedTime: String(1_767_225_600_000 + Math.max(...entries.map(([, [version]]) => version))),
      numBytes: String(LARGE),
      ...resource,
    },
  };
}

function shard(day: string, sizeBytes: number, overrides: Partial<FakeTable> = {}): FakeTable {
  return {
    dataset: "shop",
    id: `events_${day}`,
    fields: FIELDS,
    rows: Array.from({ length: 30 }, (_, row) => [`${day.slice(-2)}${row}`, null, `${row}.25`]),
    ...overrides,
    resource: { numBytes: String(sizeBytes), lastModifiedTime: "1", ...overrides.resource },
  };
}

const restrictions = ({ storage }: Both) =>
  storage.sessions.map(({ readSession }) => readSession!.readOptions!.rowRestriction);
const sessionTables = ({ storage }: Both) =>
  storage.sessions.map(({ readSession }) => readSession!.table!.split("/").at(-1));
const jobs = ({ server }: Both) =>
  server.inserted
    .filter(({ configuration }) => configuration.dryRun !== true)
    .map(({ configuration }) => configuration.query.query)
    .filter((sql) => !sql.includes("INFORMATION_SCHEMA"));
const denied = {
  code: status.PERMISSION_DENIED,
  message: "the user does not have 'bigquery.readsessions.create' permission",
};

/** The same tables, read by sessions and by jobs. */
async function connectTwice(tables: readonly FakeTable[]) {
  const [sessions, jobs] = [await connectBoth(tables), await connectBoth(tables, {}, { storageRead: false })];
  return {
    sessions,
    jobs,
    async [Symbol.asyncDispose]() {
      await sessions[Symbol.asyncDispose]();
      await jobs[Symbol.asyncDispose]();
    },
  };
}

/** The fields of all batches and the origins in their order. */
async function layoutOf({ connected }: Both, name: string, options: Partial<ReadOptions>) {
  const info = (await connected.tables()).get(name)!;
  const { signal } = new AbortController();
  const [fields, origins] = [new Set<string>(), new Set<string | undefined>()];
  for await (const batch of connected.connector.read!(info, {
    batchRows: 100,
    signal,
    ...options,
  }) as AsyncIterable<Batch>) {
    expect(batch).toBeInstanceOf(arrow.RecordBatch);
    const { schema } = batch as arrow.RecordBatch;
    fields.add(schema.fields.map(String).join(", "));
    origins.add(schema.metadata.get("agnes.origin"));
  }
  return { fields: [...fields], origins: [...origins] };
}

describe("bigquery: sessions of partitions", () => {
  const DAYS: Days = {
    "2026-01-01": [1, LARGE],
    "2026-01-02": [1, 1000],
    "2026-01-03": [1, 1000],
    "2026-01-04": [1, LARGE],
    "": [1, LARGE],
  };

  test("read the large ones, as they were at the time of the list, and jobs the others", async () => {
    await using both = await connectTwice([daily(DAYS)]);
    const expected = await both.jobs.read("shop.events", { byOrigin: true });
    expect(expected).toHaveLength(150);
    expect(await both.sessions.read("shop.events", { byOrigin: true })).toEqual(expected);
    expect(restrictions(both.sessions)).toEqual([
      "((`day` >= DATE '2026-01-01' AND `day` < DATE '2026-01-02'))",
      "((`day` >= DATE '2026-01-04' AND `day` < DATE '2026-01-05'))",
      "(`day` IS NULL)",
    ]);
    expect(jobs(both.sessions).map((sql) => /WHERE (.*?) ORDER/.exec(sql)![1])).toEqual([
      "((`day` >= DATE '2026-01-02' AND `day` < DATE '2026-01-04'))",
    ]);
    const snapshots = both.sessions.storage.sessions.map(({ readSession }) => {
      const { seconds, nanos } = readSession!.tableModifiers!.snapshotTime!;
      return Number(seconds) * 1000 + nanos! / 1e6;
    });
    expect(Math.abs(snapshots[0]! - Date.now())).toBeLessThan(60_000);
    expect(new Set(snapshots).size).toBe(1);
  });

  test("have the types and the order of origins that jobs have", async () => {
    await using both = await connectTwice([daily(DAYS)]);
    const options = { byOrigin: true, columns: ["amount", "id"] };
    const layout = await layoutOf(both.sessions, "shop.events", options);
    expect(layout).toEqual(await layoutOf(both.jobs, "shop.events", options));
    expect(layout.origins).toEqual(["20260101", "20260102", "20260103", "20260104", "__NULL__"]);
  });

  test("select partitions by the time of loading by their pseudo column", async () => {
    const days: Days = { "2026-01-01": [1, 1000], "2026-01-02": [1, LARGE] };
    const table = daily(days, { timePartitioning: { type: "DAY" } });
    const partitionTimes = table.rows!.map(([, day]) => String(Date.parse(day as string) * 1000));
    await using both = await connectTwice([{ ...table, partitionTimes }]);
    const filter: readonly Filter[] = [{ column: "id", operator: "lt", values: [105] }];
    const rows = await both.sessions.read("shop.events", { byOrigin: true, filter });
    expect(rows).toEqual(await both.jobs.read("shop.events", { byOrigin: true, filter }));
    expect(rows).toHaveLength(35);
    expect(restrictions(both.sessions)).toEqual([
      "(`id` < 105) AND ((`_PARTITIONTIME` >= TIMESTAMP '2026-01-02 00:00:00+00:00' AND `_PARTITIONTIME` < TIMESTAMP '2026-01-03 00:00:00+00:00'))",
    ]);
  });

  test("are not attempted again without the permission, and small partitions share jobs as before", async () => {
    const days = Object.fromEntries(
      Array.from({ length: 9 }, (_, at) => [`2026-01-0${at + 1}`, [1, LARGE]] as const),
    );
    await using both = await connectBoth([daily(days)], { sessionErrors: [denied] });
    expect(await both.read("shop.events", { byOrigin: true })).toHaveLength(270);
    expect([both.storage.sessions.length, jobs(both).length]).toEqual([1, 2]);
  });

  test("stop when more bytes arrive than the limit leaves", async () => {
    const days: Days = { "2026-01-01": [1, LARGE] };
    const script = { estimatedBytes: 1, batchRows: 1 };
    const table = daily(days, { numBytes: "1000" });
    await using both = await connectBoth([table], script, { maxBytesPerQuery: 10_000 });
    expect(await rejection(both.read("shop.events", { byOrigin: true }))).toMatchObject({
      code: "bigquery/scan_too_large",
      details: { limitBytes: 10_000 },
    });
  });

  test("read only changed partitions in a workspace, also after cuts", async () => {
    using folder = temporaryFolder();
    const versions = [
      daily({ "2026-01-01": [1, LARGE], "2026-01-02": [1, LARGE], "2026-01-03": [1, LARGE] }),
      daily({ "2026-01-02": [1, LARGE], "2026-01-03": [5, LARGE], "2026-01-04": [5, 1000] }),
    ];
    const found: unknown[] = [];
    for (const [at, table] of versions.entries()) {
      await using server = fakeBigQuery({ tables: [table], script: { polls: 0 } });
      const unavailable = { code: status.UNAVAILABLE, message: "Connection reset" };
      await using storage = await fakeStorage({
        tables: [table],
        script: {
          batchRows: 3,
          cut: ({ attempt }, response) => (attempt === 1 && response === 2 ? unavailable : null),
        },
      });
      const options = { project: server.project, storageEndpoint: storage.url };
      await using agnes = await createAgnes({
        workspace: folder.path,
        plugins: [plugin],
        host: { fetch: server.fetch, env: { BIGQUERY_SERVICE_ACCOUNT_JSON: server.signIn.serviceAccount } },
        config: { version: 1, sources: { bq: { plugin: "bigquery", options } } },
      });
      if (at === 0)
        await (
          await agnes.tables()
        ).register({ source: "bq", sourceTable: "shop.events", name: "events", syncStrategy: "incremental" });
      const { sources } = await agnes.sync();
      expect(sources[0]!.stats!.errors).toEqual([]);
      const sql =
        "SELECT day::VARCHAR AS day, count(DISTINCT id)::INT AS n, max(amount)::VARCHAR AS top FROM events GROUP BY day ORDER BY day";
      found.push([storage.sessions.length, storage.reads.length, await agnes.rows(sql)]);
    }
    const row = (day: string, top: string) => ({ day, n: 30, top });
    expect(found).toEqual([
      [3, 18, ["2026-01-01", "2026-01-02", "2026-01-03"].map((day) => row(day, "1.25"))],
      [1, 6, [row("2026-01-02", "1.25"), row("2026-01-03", "5.25"), row("2026-01-04", "5.25")]],
    ]);
  });
});

describe("bigquery: sessions of shards", () => {
  const TABLES = [shard("20240101", LARGE), shard("20240102", 1000), shard("20240103", LARGE)];
  const NAME = "shop.events_YYYYMMDD";

  test.each([
    ["all", {}],
    ["by origin", { byOrigin: true }],
    ["some columns", { columns: ["shard_date", "amount"] }],
    ["without the date", { columns: ["amount", "id"] }],
    ["some columns by origin", { columns: ["amount", "shard_date", "id"], byOrigin: true }],
    ["with conditions", { filter: [{ column: "id", operator: "ge", values: [129] }] }],
    [
      "with a condition on the date",
      { filter: [{ column: "shard_date", operator: "eq", values: ["2024-01-03"] }] },
    ],
    ["from a cursor", { cursor: { column: "amount", value: "20.25", inclusive: false } }],
    ["from a cursor on the date", { cursor: { column: "shard_date", value: "2024-01-02", inclusive: true } }],
  ] as readonly (readonly [string, Partial<ReadOptions>])[])(
    "read the rows that jobs read: %s",
    async (_, options) => {
      await using both = await connectTwice(TABLES);
      const expected = await both.jobs.read(NAME, options);
      expect(await both.sessions.read(NAME, options)).toEqual(expected);
      expect(expected.length).toBeGreaterThan(20);
      const large = sessionTables(both.sessions);
      expect(large.length).toBeGreaterThan(0);
      expect(large).not.toContain("events_20240102");
      expect(jobs(both.sessions).every((sql) => !sql.includes("0240101") && !sql.includes("0240103"))).toBe(
        true,
      );
      expect(both.jobs.storage.sessions).toEqual([]);
    },
  );

  test("have the types that jobs have", async () => {
    await using both = await connectTwice(TABLES);
    const options = { byOrigin: true, columns: ["shard_date", "id", "amount"] };
    const layout = await layoutOf(both.sessions, NAME, options);
    expect(layout).toEqual(await layoutOf(both.jobs, NAME, options));
    expect(layout.origins).toEqual(["20240101", "20240102", "20240103"]);
  });

  test("do not read a shard that lacks a column, has a streaming buffer or is rejected", async () => {
    const lacking = shard("20240101", LARGE, {
      fields: FIELDS.slice(0, 2),
      rows: [["1", null]],
      resource: { creationTime: "1" },
    });
    const tables = [
      lacking,
      shard("20240102", LARGE, { resource: { streamingBuffer: {}, creationTime: "2" } }),
      shard("20240103", LARGE, { resource: { creationTime: "3" } }),
    ];
    await using both = await connectTwice(tables);
    const expected = await both.jobs.read(NAME);
    expect(expected).toHaveLength(61);
    expect(await both.sessions.read(NAME)).toEqual(expected);
    expect(sessionTables(both.sessions)).toEqual(["events_20240103"]);
    expect(jobs(both.sessions)).toHaveLength(1);
    await using rejected = await connectBoth(tables, { rejects: /^$/ });
    expect(await rejected.read(NAME)).toEqual(expected);
    expect(jobs(rejected)).toHaveLength(1);
  });

  test.each([
    ["exceed", 1_000_001, 0, 2],
    ["are within", 500_000, 2, 0],
    ["are within, for one of them,", 1_000_000, 1, 1],
  ])("that %s what jobs for the rest leave of the limit", async (_, more, reads, count) => {
    const limit = { maxBytesPerQuery: 2 * LARGE + 1_000_000 };
    const tables = [shard("20240101", LARGE), shard("20240103", LARGE)];
    for (const options of [{ byOrigin: true }, {}]) {
      await using both = await connectBoth(tables, { estimatedBytes: LARGE + more, streams: 1 }, limit);
      expect(await both.read(NAME, options)).toHaveLength(60);
      expect([both.storage.sessions.length, both.storage.reads.length]).toEqual([2, reads]);
      expect(jobs(both)).toHaveLength("byOrigin" in options ? count : Math.min(count, 1));
    }
  });

  test("stop at the limit, which counts only rows that match the whole filter", async () => {
    await using both = await connectBoth(TABLES, { batchRows: 10, streams: 1 });
    expect(await both.read(NAME, { limit: 15 })).toHaveLength(20);
    expect([both.storage.sessions.length, jobs(both).length]).toEqual([1, 0]);
    const filter = [{ column: "shard_date", operator: "gt", values: ["2024-01-01"] }] as const;
    expect(await both.read(NAME, { limit: 15, filter })).toHaveLength(90);
    await using small = await connectBoth(TABLES, {}, { storageRead: false });
    expect(await small.read(NAME, { limit: 15, filter })).toHaveLength(90);
    expect(await small.read(NAME, { limit: 15 })).toHaveLength(15);
  });
});
