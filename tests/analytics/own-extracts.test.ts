import { expect, test } from "bun:test";
import { join } from "node:path";

import { createHost, silentLog } from "../../lib/base/mod.ts";
import { rebuildAnalytics } from "../../lib/analytics/rebuild.ts";
import { extractSource, type TablePlan } from "../../lib/extract/mod.ts";
import { int64, table, utf8, type AnyConnector, type Row } from "../../lib/kit/mod.ts";
import { openQuerySession } from "../../lib/query/mod.ts";
import type { QuerySession } from "../../lib/query/session.ts";
import { readAlone, temporaryData } from "./extract-files.ts";

const services = { host: createHost(), log: silentLog, limits: { memoryMb: 512, threads: 2 } };

function plan(name: string, mode: TablePlan["mode"], columns: Parameters<typeof table>[1]): TablePlan {
  return {
    id: `shop.${name}`,
    name,
    info: table(name, columns, { primaryKey: ["id"] }),
    mode,
    strategy: "full_refresh",
    primaryKey: ["id"],
    schemaPolicy: "evolve",
    quarantine: false,
    description: `all ${name}`,
  };
}

async function extract(data: string, tables: readonly TablePlan[], rows: readonly Row[]) {
  const connector: AnyConnector = {
    async *read() {
      yield rows;
    },
  };
  return extractSource(services, {
    directory: join(data, "extracts", "shop"),
    source: { name: "shop", plugin: { name: "fake", version: "1.0.0" }, connector },
    tables,
  });
}

async function firstRow(session: QuerySession, sql: string) {
  const result = await session.runQuery({ sql });
  let first: unknown;
  for await (const batch of result.batches) first ??= batch.get(0)?.toJSON();
  return { first, receipt: result.receipt() };
}

const columns = { id: int64({ nullable: false }), label: utf8({ description: "what it is called" }) };

test("rebuildAnalytics() publishes each generation of extractSource()", async () => {
  await using place = await temporaryData();
  const { data } = place;
  await extract(data, [plan("items", "local", columns)], [{ id: 1, label: "one" }]);
  const report = await rebuildAnalytics(services, { dataDirectory: data, owners: null });
  expect(report).toMatchObject({
    published: [{ id: "shop.items", viewName: "items", accessMode: "file" }],
    errors: [],
    skipped: [],
  });
  expect(await readAlone<object>(data, "FROM items")).toEqual([{ id: 1n, label: "one" }]);
  await using session = openQuerySession(services, { dataDirectory: data });
  const before = await firstRow(session, "SELECT count(*) AS n FROM items");
  expect(before.receipt.extracts).toMatchObject([{ source: "shop", generation: 1 }]);
  expect(await session.describeTable("items")).toMatchObject({
    description: "all items",
    rows: 1,
    schema: [
      { name: "id", type: "BIGINT", nullable: false },
      { name: "label", type: "VARCHAR", description: "what it is called" },
    ],
  });
  const wider = { ...columns, more: utf8() };
  await extract(
    data,
    [plan("items", "local", wider)],
    [
      { id: 1, label: "one", more: "x" },
      { id: 2, label: "two", more: "y" },
    ],
  );
  await rebuildAnalytics(services, { dataDirectory: data, owners: null });
  const after = await firstRow(session, "SELECT max(more) AS more, count(*) AS n FROM shop.items");
  expect(after.first).toEqual({ more: "y", n: 2n });
  expect(after.receipt.extracts).toMatchObject([{ source: "shop", generation: 2 }]);
});

test("an empty table has no rows, and a remote table without a database is read through its connector", async () => {
  await using place = await temporaryData();
  const { data } = place;
  await extract(data, [plan("nothing", "local", columns), plan("far", "remote", columns)], []);
  const report = await rebuildAnalytics(services, { dataDirectory: data, owners: null });
  expect(report.skipped).toEqual([]);
  expect(report.remotes).toMatchObject([{ id: "shop.far", accessMode: "live" }]);
  await using session = openQuerySession(services, { dataDirectory: data });
  expect((await firstRow(session, "SELECT count(*) AS n FROM nothing")).first).toEqual({ n: 0n });
  expect(
    (await session.catalog()).map(({ name, mode, rows, columns }) => `${name} ${mode} ${rows} ${columns}`),
  ).toEqual(["far remote null 2", "nothing local 0 2"]);
});
