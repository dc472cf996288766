import { expect, test } from "bun:test";

import { fakeKeboola } from "../fakes/keboola/mod.ts";
import { openWorkspace } from "./agnes.ts";
import { native, sampleProject } from "./project.ts";

test("a workspace syncs only registered tables, by their id or by bucket and name, and queries them", async () => {
  const keboola = sampleProject({ jobPolls: 0 });
  await using workspace = await openWorkspace(keboola, { variable: "CRM_TOKEN" });
  const { agnes } = workspace;
  const tables = await agnes.tables();
  await tables.register({ source: "crm", name: "orders", sourceTable: "in.c-crm.orders" });
  await tables.register({ source: "crm", name: "payments", bucket: "in.c-crm", sourceTable: "payments" });
  const { sources } = await agnes.sync();
  expect(sources[0]).toMatchObject({ status: "complete" });
  const sql =
    "SELECT count(*)::INT AS rows, sum(p.amount)::VARCHAR AS total FROM orders o JOIN payments p USING (id)";
  expect(await agnes.rows(sql)).toEqual([{ rows: 50, total: "1050.00" }]);
  expect(keboola.jobs).toHaveLength(2);
});

test("errors name the variable that holds the token", async () => {
  const keboola = fakeKeboola();
  keboola.storage.createTable("in.c-crm.t", { columns: ["id"], columnMetadata: { id: native("DATE") } });
  const options = { variable: "CRM_TOKEN", token: "8625-1-wrong" };
  await using workspace = await openWorkspace(keboola, options);
  const { agnes } = workspace;
  await (await agnes.tables()).register({ source: "crm", name: "t", sourceTable: "in.c-crm.t" });
  const { sources } = await agnes.sync();
  expect(sources[0]).toMatchObject({ status: "skipped", error: { code: "keboola/token_rejected" } });
  expect(JSON.stringify(sources[0])).toContain("CRM_TOKEN");
  expect(JSON.stringify(sources[0])).not.toContain("8625-1-wrong");
});

test("an error of a sync names the command for its table", async () => {
  const keboola = fakeKeboola({ jobPolls: 0 });
  const table = keboola.storage.createTable("in.c-crm.people", {
    columns: ["id"],
    primaryKey: ["id"],
    rows: [{ id: "1" }],
  });
  await using workspace = await openWorkspace(keboola);
  const { agnes } = workspace;
  const settings = { syncStrategy: "incremental", incrementalColumn: "id" } as const;
  const tables = await agnes.tables();
  await tables.register({ source: "crm", name: "people", sourceTable: "in.c-crm.people", ...settings });
  await agnes.sync();
  table.load([{ id: "2" }], { mode: "incremental" });
  const { sources } = await agnes.sync();
  const { code, hint } = sources[0]!.stats!.errors[0]!.error;
  expect([code, hint]).toEqual([
    "keboola/cursor_refused",
    "Remove its cursor column with `agnes table update crm.people --clear incremental-column`.",
  ]);
});
