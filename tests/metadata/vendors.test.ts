import { expect, test } from "bun:test";

import { createAgnes } from "agnes";

import bigquery from "../../plugins/bigquery/plugin.ts";
import { fakeBigQuery, type FakeTable } from "../fakes/bigquery/mod.ts";
import { failure } from "../fakes/bigquery/responses.ts";
import { fakeKeboola } from "../fakes/keboola/mod.ts";
import { openWorkspace } from "../plugins-keboola/agnes.ts";
import { temporaryFolder } from "../sync/workspace.ts";
import { stateOf } from "./warehouse.ts";

const tableOf = (id: string): FakeTable => ({
  dataset: "web",
  id,
  fields: [
    { name: "id", type: "INTEGER", mode: "REQUIRED" },
    { name: "day", type: "DATE" },
  ],
  resource: { numRows: "20", numBytes: "320" },
});

test("a table of BigQuery without access fails alone, and without a job or a list", async () => {
  using folder = temporaryFolder();
  await using server = fakeBigQuery({ tables: ["pages", "visits", "secret"].map(tableOf), script: {} });
  const requests: string[] = [];
  const fetch = async (url: string, init: RequestInit) => {
    const { pathname } = new URL(url);
    if (pathname.includes("/bigquery/")) requests.push(pathname);
    if (pathname.endsWith("/tables/secret")) return failure(403, "accessDenied", "Access Denied: secret");
    return server.fetch(url, init);
  };
  await using agnes = await createAgnes({
    workspace: folder.path,
    plugins: [bigquery],
    config: {
      version: 1,
      sources: { bq: { plugin: "bigquery", options: { project: server.project } } },
    },
    host: {
      fetch: fetch as typeof globalThis.fetch,
      env: { BIGQUERY_SERVICE_ACCOUNT_JSON: server.signIn.serviceAccount },
    },
  });
  const tables = await agnes.tables();
  const register = (sourceTable: string, parts: object = {}) =>
    tables.register({ source: "bq", sourceTable, queryMode: "remote", ...parts });
  await register("pages", { bucket: "web" });
  await register("web.visits", { name: "visits" });
  await register("secret", { bucket: "web" });
  await register("gone", { bucket: "web" });
  expect(await agnes.metadata.refresh()).toMatchObject({
    total: 4,
    succeeded: 2,
    noData: 1,
    failed: 1,
    failures: [{ table: "bq.secret", code: "bigquery/access_denied" }],
  });
  expect(await stateOf(agnes, "bq.pages")).toMatchObject({
    freshness: "fresh",
    metadata: { entityType: "table", rows: 20, sizeBytes: 320, columns: ["id", "day"] },
  });
  expect((await stateOf(agnes, "bq.gone"))!.freshness).toBe("no_data");
  expect(server.inserted).toEqual([]);
  expect(requests.filter((path) => !/\/datasets\/web\/tables\/\w+$/.test(path))).toEqual([]);
});

test("tables of Keboola are requested one by one, as they are registered, with and without their bucket", async () => {
  const keboola = fakeKeboola();
  const rows = [{ id: "1" }, { id: "2" }];
  keboola.storage.createTable("in.c-crm.people", { columns: ["id"], rows, dataSizeBytes: 1024 });
  keboola.storage.createTable("in.c-crm.view", { columns: ["id"], tableType: "view", rows: [] });
  await using workspace = await openWorkspace(keboola);
  const { agnes } = workspace;
  const tables = await agnes.tables();
  const register = (sourceTable: string, name: string, parts: object = {}) =>
    tables.register({ source: "crm", sourceTable, name, queryMode: "remote", ...parts });
  await register("in.c-crm.people", "people");
  await register("view", "view", { bucket: "in.c-crm" });
  await register("in.c-crm.gone", "gone", { bucket: "in.c-crm" });
  expect(await agnes.metadata.refresh()).toMatchObject({ total: 3, succeeded: 2, noData: 1, failures: [] });
  expect(await stateOf(agnes, "crm.people")).toMatchObject({
    metadata: { entityType: "table", rows: 2, sizeBytes: 1024, columns: ["id"] },
  });
  // The figures of a view are unknown, not 0.
  expect(await stateOf(agnes, "crm.view")).toMatchObject({
    freshness: "fresh",
    metadata: { entityType: "view", rows: null, sizeBytes: null },
  });
  expect(keboola.jobs).toEqual([]);
});
