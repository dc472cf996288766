import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { createAgnes } from "agnes";

import plugin from "../../plugins/bigquery/plugin.ts";
import { fakeBigQuery, type FakeCell, type FakeField, type FakeTable } from "../fakes/bigquery/mod.ts";
import { temporaryFolder } from "../sync/workspace.ts";
import { connect, rejection } from "./support.ts";

setDefaultTimeout(60_000);

const FIELDS: readonly FakeField[] = [
  { name: "id", type: "INTEGER", mode: "REQUIRED" },
  { name: "note", type: "STRING" },
];

/** A shard with one row. */
function shard(day: string, overrides: Partial<FakeTable> = {}, prefix = "events_"): FakeTable {
  const { fields = FIELDS } = overrides;
  const row = fields.map(({ name }): FakeCell =>
    name.toLowerCase() === "id" ? String(Number(day.slice(-2))) : `on ${day}`,
  );
  return { dataset: "shop", id: `${prefix}${day}`, fields, rows: [row], ...overrides };
}

const { signal } = new AbortController();

describe("bigquery: date shards", () => {
  test("are one table each; intraday, views and names without a date are apart", async () => {
    const tables = [
      shard("20240101"),
      shard("20240102"),
      shard("20240103", {}, "events_intraday_"),
      shard("20240230"),
      shard("20240101", { resource: { type: "VIEW" } }, "summary_"),
      { ...shard("20240101"), id: "events20240101" },
    ];
    await using server = fakeBigQuery({ tables });
    const { tables: list } = await connect(server);
    expect([...(await list()).keys()].toSorted()).toEqual([
      "shop.events20240101",
      "shop.events_20240230",
      "shop.events_YYYYMMDD",
      "shop.events_intraday_YYYYMMDD",
      "shop.summary_20240101",
    ]);
  });

  test("have the columns of the shard created last and the date", async () => {
    const older = shard("20240102", {
      fields: [
        { name: "ID", type: "INTEGER" },
        { name: "gone", type: "STRING" },
      ],
      resource: { creationTime: "1" },
    });
    await using server = fakeBigQuery({
      tables: [shard("20240101", { resource: { creationTime: "2", numRows: "5" } }), older],
    });
    const info = (await (await connect(server)).tables()).get("shop.events_YYYYMMDD")!;
    expect(info.schema.fields.map((field) => [field.name, String(field.type), field.nullable])).toEqual([
      ["id", "Int64", true],
      ["note", "Utf8", true],
      ["shard_date", "Date32<DAY>", false],
    ]);
    expect(info).toMatchObject({
      estimatedRows: 6,
      remotePath: ["shop-1", "shop", "events_YYYYMMDD"],
      notes: ["columns that only older shards have are not read: gone"],
    });
  });

  test.each([
    ["another type", "INTEGER", "FLOAT"],
    ["a list", "STRING", "ARRAY<STRING>"],
  ])("a column with %s is a problem of that table only", async (_, one, other) => {
    const [type, mode] = other.startsWith("ARRAY") ? [one, "REPEATED"] : [other, "NULLABLE"];
    const fields = (field: FakeField) => ({ fields: [field], rows: [], resource: {} });
    await using server = fakeBigQuery({
      tables: [
        shard("20240101", fields({ name: "a", type, mode })),
        shard("20240102", fields({ name: "a", type: one })),
        shard("20240101", {}, "other_"),
      ],
    });
    const tables = await (await connect(server)).tables();
    expect(tables.get("shop.other_YYYYMMDD")!.problem).toBeUndefined();
    expect(tables.get("shop.events_YYYYMMDD")!.problem).toMatchObject({
      code: "bigquery/shards_differ",
      details: {
        column: "a",
        shard: "events_20240102",
        type: one === "INTEGER" ? "INT64" : one,
        otherShard: "events_20240101",
      },
    });
  });

  test("records may have fewer fields in older shards", async () => {
    const record = (...names: readonly string[]) => ({
      fields: [{ name: "r", type: "RECORD", fields: names.map((name) => ({ name, type: "STRING" })) }],
      rows: [],
    });
    await using server = fakeBigQuery({
      tables: [shard("20240101", record("a")), shard("20240102", record("a", "b"))],
    });
    const info = (await (await connect(server)).tables()).get("shop.events_YYYYMMDD")!;
    expect(info.problem).toBeUndefined();
  });

  test("are read by one query, with the date of each row", async () => {
    const tables = ["20240101", "20240102", "20231231"].map((day) => shard(day));
    const apart = shard("20240101", { fields: [{ name: "x", type: "DATE" }], rows: [] }, "events_intraday_");
    await using server = fakeBigQuery({ tables: [...tables, apart], script: { pageRows: 2 } });
    const { read } = await connect(server);
    expect(await read("shop.events_YYYYMMDD")).toEqual([
      { id: "1", note: "on 20240101", shard_date: "2024-01-01" },
      { id: "2", note: "on 20240102", shard_date: "2024-01-02" },
      { id: "31", note: "on 20231231", shard_date: "2023-12-31" },
    ]);
    const runs = server.inserted.filter(({ configuration }) => configuration.dryRun !== true);
    expect(runs.map(({ configuration }) => configuration.query.query)).toEqual([
      "SELECT `id`, `note`, `_TABLE_SUFFIX` AS `agnes_partition` FROM `shop-1`.`shop`.`events_2*` WHERE `_TABLE_SUFFIX` IN ('0231231', '0240101', '0240102')",
    ]);
  });

  test("conditions on the date select shards", async () => {
    const tables = ["20231231", "20240101", "20240102"].map((day) => shard(day));
    await using server = fakeBigQuery({ tables });
    const { read } = await connect(server);
    const idsOf = async (...options: Parameters<typeof read>[1][]) =>
      (await read("shop.events_YYYYMMDD", options[0])).map(({ id }) => Number(id));
    const filter = (operator: "ge" | "lt" | "eq" | "is_null", ...values: (string | Date)[]) => ({
      filter: [{ column: "shard_date", operator, values }],
    });
    expect(await idsOf(filter("ge", new Date("2024-01-01")))).toEqual([1, 2]);
    expect(await idsOf(filter("lt", "2024-01-01"))).toEqual([31, 1]);
    expect(await idsOf(filter("eq", "2024-01-02", "2024-01-03"))).toEqual([2]);
    expect(await idsOf(filter("is_null"))).toEqual([]);
    const cursor = { column: "shard_date", value: "2024-01-01" };
    expect(await idsOf({ cursor: { ...cursor, inclusive: true } })).toEqual([1, 2]);
    expect(await idsOf({ cursor: { ...cursor, inclusive: false } })).toEqual([2]);
  });

  test("one of them is also a table of its own if the options name it", async () => {
    await using server = fakeBigQuery({ tables: [shard("20240101"), shard("20240102")] });
    const { read, tables } = await connect(server, { tables: ["shop-1.shop.events_20240102"] });
    expect([...(await tables()).keys()]).toEqual(["shop.events_YYYYMMDD", "shop.events_20240102"]);
    expect(await read("shop.events_20240102")).toEqual([{ id: "2", note: "on 20240102" }]);
  });

  test("a group that does not exist is an error", async () => {
    await using server = fakeBigQuery({ tables: [shard("20240101")] });
    const { read } = await connect(server);
    expect(await rejection(read("shop.other_YYYYMMDD"))).toMatchObject({ code: "bigquery/table_missing" });
  });

  test("metadata adds up the shards", async () => {
    const tables = ["20240101", "20240102"].map((day, at) =>
      shard(day, { resource: { numRows: "5", numBytes: "100", lastModifiedTime: String(1000 + at) } }),
    );
    await using server = fakeBigQuery({ tables });
    const { connector, tables: list } = await connect(server);
    const [found] = await connector.metadata!([...(await list()).values()], { signal });
    expect(found).toMatchObject({
      name: "shop.events_YYYYMMDD",
      rows: 10,
      sizeBytes: 200,
      modifiedAt: new Date(1001),
      partitionedBy: ["shard_date"],
    });
    expect(found!.columns!.at(-1)).toEqual({ name: "shard_date", type: "DATE", nullable: false });
    expect(server.inserted).toEqual([]);
  });

  test("an incremental table reads only changed shards; a live one reads all", async () => {
    using folder = temporaryFolder();
    const queries: string[] = [];
    const rows: unknown[] = [];
    const at = (time: number) => ({ resource: { lastModifiedTime: String(time) } });
    const versions = [
      [shard("20240101", at(1)), shard("20240102", at(1))],
      [shard("20240102", { ...at(2), rows: [["20", "new"]] }), shard("20240103", at(1))],
    ];
    for (const [number, tables] of versions.entries()) {
      await using server = fakeBigQuery({ tables });
      await using agnes = await createAgnes({
        workspace: folder.path,
        plugins: [plugin],
        host: { fetch: server.fetch, env: { BIGQUERY_SERVICE_ACCOUNT_JSON: server.signIn.serviceAccount } },
        config: {
          version: 1,
          sources: { bq: { plugin: "bigquery", options: { project: server.project } } },
        },
      });
      const source = { source: "bq", sourceTable: "shop.events_YYYYMMDD" };
      if (number === 0) {
        const registry = await agnes.tables();
        await registry.register({ ...source, name: "events", syncStrategy: "incremental" });
        await registry.register({
          source: "bq",
          sourceTable: "events_YYYYMMDD",
          bucket: "shop",
          name: "live",
          queryMode: "remote",
        });
      }
      await agnes.sync();
      queries.push(server.inserted.at(-1)!.configuration.query.query);
      rows.push(await agnes.rows("SELECT id, note, shard_date FROM events ORDER BY id"));
      expect(await agnes.rows("SELECT id, note, shard_date FROM live ORDER BY id")).toEqual(
        rows.at(-1) as never,
      );
    }
    expect(queries[1]).toContain("IN ('0240102', '0240103')");
    expect(rows).toEqual([
      [
        { id: 1, note: "on 20240101", shard_date: "2024-01-01" },
        { id: 2, note: "on 20240102", shard_date: "2024-01-02" },
      ],
      [
        { id: 3, note: "on 20240103", shard_date: "2024-01-03" },
        { id: 20, note: "new", shard_date: "2024-01-02" },
      ],
    ]);
  });
});
