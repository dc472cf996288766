import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { createAgnes, type AgnesError } from "agnes";
import { table, type Row } from "agnes/kit";

import { withTableCommand } from "../../lib/sources/mod.ts";
import plugin from "../../plugins/bigquery/plugin.ts";
import { fakeBigQuery } from "../fakes/bigquery/mod.ts";
import { temporaryFolder } from "../sync/workspace.ts";
import { EMPTY, ordersTable, smallTable } from "./sample.ts";
import { connect, rejection } from "./support.ts";

setDefaultTimeout(60_000);

const { signal } = new AbortController();

describe("bigquery: discover", () => {
  test("lists the tables of the selected datasets, over all pages", async () => {
    const datasets = ["raw_a", "raw_b", "raw_tmp", "sales"];
    const tables = datasets.flatMap((dataset) =>
      Array.from({ length: 5 }, (_, at) => smallTable(dataset, `t-${at}`)),
    );
    await using server = fakeBigQuery({ tables, script: { listRows: 2 } });
    const { tables: list } = await connect(server, { datasets: { include: ["raw_*"], exclude: ["*_tmp"] } });
    const names = [...(await list()).keys()];
    expect(names).toEqual(
      ["raw_a", "raw_b"].flatMap((dataset) => Array.from({ length: 5 }, (_, at) => `${dataset}.t-${at}`)),
    );
    expect(server.inserted).toEqual([]);
  });

  test("describes columns, key, partitions and location", async () => {
    await using server = fakeBigQuery({ tables: [ordersTable(3)] });
    const info = (await (await connect(server)).tables()).get("shop.orders")!;
    expect(info).toMatchObject({
      primaryKey: ["id"],
      description: "All orders",
      identity: "shop-1",
      remotePath: ["shop-1", "shop", "orders"],
      sourceMetadata: {
        kind: "table",
        dataset: "shop",
        location: "europe-west3",
        partitionedBy: "day",
        clusteredBy: ["customer"],
      },
    });
    const [id] = info.schema.fields;
    expect([id!.nullable, id!.metadata.get("description")]).toEqual([false, "The number of the order"]);
  });

  test("a table with an unknown type, and one without access, do not hide the others", async () => {
    const odd = { dataset: "shop", id: "odd", fields: [{ name: "cube", type: "HYPERCUBE" }] };
    const denied = {
      status: 403,
      reason: "accessDenied",
      message: "Access Denied: Table shop-1:shop.private",
    };
    await using server = fakeBigQuery({
      tables: [odd, smallTable("shop", "private"), smallTable("shop", "open")],
      script: { rejections: [{ path: "/tables/private", error: denied }] },
    });
    const tables = await (await connect(server)).tables();
    expect([...tables].map(([name, { problem }]) => [name, problem?.code])).toEqual([
      ["shop.odd", "bigquery/type_unsupported"],
      ["shop.private", "bigquery/access_denied"],
      ["shop.open", undefined],
    ]);
  });

  test("a dataset without access is named, and does not hide the others", async () => {
    const denied = { status: 403, reason: "accessDenied", message: "Access Denied: Dataset shop-1:hidden" };
    await using server = fakeBigQuery({
      tables: [smallTable("hidden", "a"), smallTable("shop", "open")],
      script: { rejections: [{ path: "/datasets/hidden/tables", error: denied }] },
    });
    const tables = await (await connect(server)).tables();
    expect([...tables].map(([name, { problem }]) => [name, problem?.code])).toEqual([
      ["hidden.*", "bigquery/access_denied"],
      ["shop.open", undefined],
    ]);
    expect(tables.get("hidden.*")!.problem!.message).toBe(
      "BigQuery denies access to dataset hidden: Access Denied: Dataset shop-1:hidden",
    );
  });

  test("policy tags are noted in the description of a column", async () => {
    const policyTags = { names: ["projects/shop-1/locations/eu/taxonomies/1/policyTags/2"] };
    const fields = [
      { name: "mail", type: "STRING", description: "Where to write to", policyTags },
      { name: "phone", type: "STRING", policyTags },
    ];
    await using server = fakeBigQuery({ tables: [{ dataset: "shop", id: "people", fields }] });
    const { tables, connector } = await connect(server);
    const info = (await tables()).get("shop.people")!;
    const note = `Policy tags: ${policyTags.names[0]}`;
    const described = [`Where to write to\n${note}`, note];
    expect(info.schema.fields.map(({ metadata }) => metadata.get("description"))).toEqual(described);
    const [found] = await connector.metadata!([info], { signal });
    expect(found!.columns!.map(({ description }) => description)).toEqual(described);
  });

  test("tables of other projects are listed if the options name them", async () => {
    const other = { ...smallTable("lent", "orders", { numRows: "7" }), project: "other-1" };
    const shard = { ...smallTable("lent", "days_20260101"), project: "other-1" };
    await using server = fakeBigQuery({
      tables: [smallTable("shop", "a"), smallTable("hidden", "b"), other, shard],
      script: {
        rejections: [
          {
            path: "projects/gone-1",
            error: { status: 404, reason: "notFound", message: "Not found: Project gone-1" },
          },
        ],
      },
    });
    const tables = [
      "other-1.lent.orders",
      "other-1.lent.days_YYYYMMDD",
      "other-1.lent.none",
      "gone-1.lent.orders",
      "shop-1.hidden.b",
      "shop-1.shop.a",
    ];
    const {
      tables: list,
      read,
      connector,
    } = await connect(server, { tables, datasets: { exclude: ["hidden"] } });
    const found = await list();
    expect([...found].map(([name, { problem }]) => [name, problem?.code])).toEqual([
      ["shop.a", undefined],
      ["other-1.lent.orders", undefined],
      ["other-1.lent.days_YYYYMMDD", undefined],
      ["other-1.lent.none", "bigquery/table_missing"],
      ["gone-1.lent.orders", "bigquery/not_found"],
      ["hidden.b", undefined],
    ]);
    expect(server.requests.filter(({ url }) => new URL(url).pathname.endsWith("/tables/a"))).toHaveLength(1);
    const info = found.get("other-1.lent.orders")!;
    expect(info.remotePath).toEqual(["other-1", "lent", "orders"]);
    expect(await connector.metadata!([info], { signal })).toMatchObject([{ name: info.name, rows: 7 }]);
    expect(await read(info.name)).toHaveLength(2);
    const { query } = server.inserted.at(-1)!.configuration.query;
    expect(query).toContain("FROM `other-1`.`lent`.`orders`");
    expect(server.inserted.at(-1)!.jobReference.projectId).toBe("shop-1");
    await rejection(read("other-1.lent.none"));
  });

  test("locations that cannot be reached are an error and not missing tables", async () => {
    await using server = fakeBigQuery({
      tables: [smallTable("shop", "a")],
      script: { unreachable: ["europe-west5"] },
    });
    const { tables } = await connect(server);
    expect(await rejection(tables())).toMatchObject({
      code: "bigquery/locations_unreachable",
      details: { locations: ["europe-west5"] },
    });
  });

  test("a project that does not exist is an error and not an empty one", async () => {
    await using server = fakeBigQuery({ tables: [] });
    const { tables } = await connect(server, { project: "other-1" });
    expect(await rejection(tables())).toMatchObject({ code: "bigquery/not_found" });
  });
});

describe("bigquery: read", () => {
  test("reads from the cursor on, exact to the microsecond", async () => {
    await using server = fakeBigQuery({ tables: [ordersTable(10)] });
    const { read } = await connect(server);
    const cursor = { column: "changed_at", value: "2026-01-01 00:00:05.000005+00" };
    const ids = async (inclusive: boolean) =>
      (await read("shop.orders", { cursor: { ...cursor, inclusive } })).map(({ id }) => Number(id));
    expect(await ids(false)).toEqual([6, 7, 8, 9]);
    expect(await ids(true)).toEqual([5, 6, 7, 8, 9]);
    const { query, queryParameters } = server.inserted.at(-1)!.configuration.query;
    expect(query).toEndWith("WHERE (`changed_at` >= @agnes_cursor OR `changed_at` IS NULL)");
    expect(queryParameters).toEqual([
      {
        name: "agnes_cursor",
        parameterType: { type: "TIMESTAMP" },
        parameterValue: { value: "2026-01-01 00:00:05.000005+00:00" },
      },
    ]);
  });

  test.each(["ratio", "is_open", "lines"])("the column %s cannot be a cursor", async (column) => {
    await using server = fakeBigQuery({ tables: [ordersTable(3)] });
    const { read } = await connect(server);
    const cursor = { column, value: "1", inclusive: true };
    const error = (await rejection(read("shop.orders", { cursor }))) as AgnesError;
    expect(error).toMatchObject({ code: "bigquery/cursor_refused" });
    const record = { id: "bq.orders", quarantine: false, invalidValues: "fail", queryMode: "local" } as const;
    expect(withTableCommand(error, record, plugin).hint).toBe(
      "Set another cursor column with `agnes table update bq.orders --incremental-column COLUMN`.",
    );
  });

  test("pushes down only conditions that BigQuery evaluates as DuckDB does", async () => {
    const fields = [
      { name: "text", type: "STRING" },
      { name: "folded", type: "STRING", collation: "und:ci" },
      { name: "big", type: "BIGNUMERIC" },
      { name: "ratio", type: "FLOAT" },
    ];
    await using server = fakeBigQuery({ tables: [{ dataset: "shop", id: "t", fields }] });
    const { read } = await connect(server);
    const filter = fields.map(({ name }) => ({ column: name, operator: "eq", values: ["1"] }) as const);
    await read("shop.t", { filter, columns: ["ratio"], limit: 5 });
    expect(server.inserted.at(-1)!.configuration.query.query).toBe(
      "SELECT `ratio` FROM `shop-1`.`shop`.`t` WHERE `text` IN ('1')",
    );
  });

  test("conditions that are too long for a query are not pushed down, and the others are", async () => {
    await using server = fakeBigQuery({ tables: [ordersTable(5)] });
    const { read } = await connect(server);
    const keys = Array.from({ length: 9000 }, (_, at) => `${at} ${"č".repeat(50)}`);
    const filter = [
      { column: "customer", operator: "eq", values: keys },
      { column: "id", operator: "ge", values: [3] },
    ] as const;
    expect(await read("shop.orders", { columns: ["id"], filter, limit: 1 })).toHaveLength(2);
    const { query } = server.inserted.at(-1)!.configuration;
    expect(query.query).toBe("SELECT `id` FROM `shop-1`.`shop`.`orders` WHERE (`id` >= 3)");
  });

  test("a table that requires a condition on its time partitions gets one that all rows match", async () => {
    const table = {
      ...ordersTable(5),
      resource: { ...ordersTable(0).resource, requirePartitionFilter: true },
    };
    await using server = fakeBigQuery({ tables: [table] });
    const { read } = await connect(server);
    expect(await read("shop.orders")).toHaveLength(5);
    const filter = [{ column: "day", operator: "ge", values: ["2026-01-03"] }] as const;
    expect(await read("shop.orders", { filter })).toHaveLength(3);
    expect(server.inserted.at(-1)!.configuration.query.query).toEndWith("WHERE (`day` >= DATE '2026-01-03')");
  });

  test("a table that requires a condition on other partitions is rejected with the name of the column", async () => {
    const rangePartitioning = { field: "id" };
    const table = smallTable("shop", "ranges", { rangePartitioning, requirePartitionFilter: true });
    await using server = fakeBigQuery({ tables: [table] });
    const { read } = await connect(server);
    expect(await rejection(read("shop.ranges"))).toMatchObject({
      code: "bigquery/partition_filter_required",
      details: { table: "shop.ranges", column: "id" },
    });
    expect(server.inserted).toEqual([]);
  });

  test("reports progress while the job runs, so that a long one is not stalled", async () => {
    await using server = fakeBigQuery({ tables: [smallTable("shop", "a")], script: { polls: 3 } });
    const { read } = await connect(server);
    const phases: (string | undefined)[] = [];
    await read("shop.a", { onProgress: ({ phase }) => phases.push(phase) });
    expect(phases).toEqual(["querying", "querying", "querying", "querying", "reading"]);
  });

  test("runs in the location of the table, whatever the option is", async () => {
    await using server = fakeBigQuery({
      tables: [smallTable("shop", "a")],
      locations: { shop: "asia-south1" },
    });
    const { read } = await connect(server, { location: "EU" });
    expect(await read("shop.a")).toHaveLength(2);
    expect(server.inserted.map(({ jobReference }) => jobReference.location)).toEqual([
      "asia-south1",
      "asia-south1",
    ]);
  });

  test("runs in the location of the dataset, requested once, if the table reports none", async () => {
    await using server = fakeBigQuery({
      tables: [smallTable("shop", "a", { location: undefined })],
      locations: { shop: "asia-south1" },
    });
    const { connector } = await connect(server);
    const read = () =>
      connector.read!(table("shop.a", {}), { batchRows: 100, signal }) as AsyncIterable<readonly Row[]>;
    expect(await Array.fromAsync(read())).toEqual(await Array.fromAsync(read()));
    expect(new Set(server.inserted.map(({ jobReference }) => jobReference.location))).toEqual(
      new Set(["asia-south1"]),
    );
    const datasets = server.requests.filter(({ url }) => url.endsWith("/datasets/shop"));
    expect(datasets.map(({ method }) => method)).toEqual(["GET"]);
  });

  test("reads a table that is registered by its dataset, and names that need quotes", async () => {
    await using server = fakeBigQuery({ tables: [smallTable("shop", "a-b č 1"), EMPTY] });
    const { read } = await connect(server);
    expect(await read("a-b č 1", { bucket: "shop" })).toHaveLength(2);
    expect(await read("archive.old-orders 2020")).toEqual([]);
  });

  test("a table that does not exist is an error", async () => {
    await using server = fakeBigQuery({ tables: [] });
    const { read } = await connect(server);
    for (const name of ["shop.gone", "gone"])
      expect(await rejection(read(name))).toMatchObject({
        code: "bigquery/table_missing",
        details: { table: name },
      });
  });

  test("a read above the limit of bytes does not start", async () => {
    await using server = fakeBigQuery({ tables: [smallTable("shop", "a", { numBytes: "5000000001" })] });
    const { read } = await connect(server, { maxBytesPerQuery: 5e9 });
    expect(await rejection(read("shop.a"))).toMatchObject({ code: "bigquery/scan_too_large" });
    expect(server.inserted).toHaveLength(1);
  });
});

describe("bigquery: workspace", () => {
  test("a table is synced and queried, also live", async () => {
    await using server = fakeBigQuery({ tables: [ordersTable(30)] });
    using folder = temporaryFolder();
    const source = { plugin: "bigquery", options: { project: server.project } };
    await using agnes = await createAgnes({
      workspace: folder.path,
      plugins: [plugin],
      host: { fetch: server.fetch, env: { BIGQUERY_SERVICE_ACCOUNT_JSON: server.signIn.serviceAccount } },
      config: { version: 1, sources: { bq: source } },
    });
    const tables = await agnes.tables();
    await tables.register({ source: "bq", sourceTable: "shop.orders", name: "orders" });
    await tables.register({
      source: "bq",
      sourceTable: "orders",
      bucket: "shop",
      name: "live_orders",
      queryMode: "remote",
    });
    await agnes.sync();
    const sql = (table: string) =>
      `SELECT count(*)::INT AS n, sum(amount)::VARCHAR AS total, max(changed_at)::VARCHAR AS last FROM ${table} WHERE id >= 28`;
    const rows = await agnes.rows(sql("orders"));
    expect(rows).toEqual([{ n: 2, total: "57.50", last: "2026-01-01 00:00:29.000029+00" }]);
    expect(await agnes.rows(sql("live_orders"))).toEqual(rows as never);
    expect(server.inserted.at(-1)!.configuration.query.query).toContain("WHERE (`id` >= 28)");
  });
});
