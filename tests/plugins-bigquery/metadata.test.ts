import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { fakeBigQuery, type FakeTable } from "../fakes/bigquery/mod.ts";
import { ordersTable, smallTable } from "./sample.ts";
import { connect } from "./support.ts";

setDefaultTimeout(60_000);

const { signal } = new AbortController();

describe("bigquery: metadata", () => {
  const metadataOf = async (...tables: readonly FakeTable[]) => {
    await using server = fakeBigQuery({ tables });
    const { connector, tables: list } = await connect(server);
    const found = await connector.metadata!([...(await list()).values()], { signal });
    expect(server.inserted).toEqual([]);
    return found;
  };

  test("reports rows, bytes, partitions, clusters, columns and the last change", async () => {
    const [orders] = await metadataOf(ordersTable(3));
    expect(orders).toMatchObject({
      name: "shop.orders",
      entityType: "table",
      rows: 3,
      sizeBytes: 216,
      partitionedBy: ["day"],
      clusteredBy: ["customer"],
      modifiedAt: new Date(1_767_225_600_123),
    });
    expect(orders!.columns!.find(({ name }) => name === "lines")).toEqual({
      name: "lines",
      type: "ARRAY<STRUCT<item STRING, count INT64>>",
      nullable: true,
    });
    expect(orders!.columns![0]).toMatchObject({ type: "INT64", nullable: false });
  });

  test.each([
    ["view", { type: "VIEW" }],
    ["materialized_view", { type: "MATERIALIZED_VIEW" }],
    ["external", { type: "EXTERNAL", numRows: "0", numBytes: "0" }],
  ])("the rows, bytes and changes of a table of type %s are unknown", async (entityType, resource) => {
    const [found] = await metadataOf(smallTable("shop", "a", resource));
    expect(found).toMatchObject({ entityType, columns: [{ name: "id" }] });
    expect(Object.keys(found!)).not.toContain("rows");
    expect(Object.keys(found!)).not.toContain("sizeBytes");
    expect(Object.keys(found!)).not.toContain("modifiedAt");
  });

  test("1,000 tables need one free request each, at most 100 at once, and no query", async () => {
    const many = Array.from({ length: 1_000 }, (_, at) => ({ ...smallTable("shop", `t${at}`), rows: [] }));
    await using server = fakeBigQuery({ tables: many, script: { listRows: 1_000 } });
    let [running, most] = [0, 0];
    const fetch = async (url: string, init: RequestInit) => {
      most = Math.max(most, ++running);
      await Promise.resolve();
      const response = await server.fetch(url, init);
      running -= 1;
      return response;
    };
    const own = Object.defineProperties(
      {},
      { ...Object.getOwnPropertyDescriptors(server), fetch: { value: fetch } },
    ) as typeof server;
    const { connector, tables } = await connect(own);
    const infos = [...(await tables()).values()];
    const before = server.requests.length;
    expect(await connector.metadata!(infos, { signal })).toHaveLength(1_000);
    expect(server.requests.length - before).toBe(1_000);
    expect(server.inserted).toEqual([]);
    expect(most).toBeLessThanOrEqual(100);
  });

  test("rows in a streaming buffer make the numbers unknown", async () => {
    const [found] = await metadataOf(
      smallTable("shop", "a", { numRows: "0", streamingBuffer: { estimatedRows: "15000" } }),
    );
    expect(found!.rows).toBeUndefined();
    expect(found!.sizeBytes).toBeUndefined();
  });

  test("knows snapshots and clones, and partitions by the time of loading", async () => {
    const [snapshot, clone] = await metadataOf(
      smallTable("shop", "a", { type: "SNAPSHOT" }),
      smallTable("shop", "b", { cloneDefinition: {}, timePartitioning: { type: "DAY" } }),
    );
    expect(snapshot).toMatchObject({ entityType: "snapshot", rows: 2, partitionedBy: [] });
    expect(clone).toMatchObject({ entityType: "clone", rows: 2 });
    expect(clone!.partitionedBy).toBeUndefined();
  });
});
