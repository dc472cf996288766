import { expect, test } from "bun:test";

import { createAgnes } from "agnes";

import plugin from "../../plugins/keboola/plugin.ts";
import { temporaryFolder } from "../sync/workspace.ts";
import { fakeKeboola } from "../fakes/keboola/mod.ts";
import { native, sampleProject } from "./project.ts";
import { optionsOf } from "./support.ts";

test("a workspace syncs only registered tables, by their id or by bucket and name, and queries them", async () => {
  const keboola = sampleProject({ jobPolls: 0 });
  using folder = temporaryFolder();
  await using agnes = await createAgnes({
    workspace: folder.path,
    plugins: [plugin],
    config: {
      version: 1,
      sources: {
        crm: {
          plugin: "keboola",
          options: optionsOf(keboola),
          secrets: { KEBOOLA_STORAGE_TOKEN: "CRM_TOKEN" },
        },
      },
    },
    host: { fetch: keboola.fetch, env: { CRM_TOKEN: keboola.token } },
  });
  const tables = await agnes.tables();
  await tables.register({ source: "crm", name: "orders", sourceTable: "in.c-crm.orders" });
  await tables.register({ source: "crm", name: "payments", bucket: "in.c-crm", sourceTable: "payments" });
  const { sources } = await agnes.sync();
  expect(sources[0]).toMatchObject({ status: "complete" });
  const { batches } = await agnes.query(
    "SELECT count(*)::INT AS rows, sum(p.amount)::VARCHAR AS total FROM orders o JOIN payments p USING (id)",
  );
  const rows = [];
  for await (const batch of batches) for (const row of batch) rows.push(row.toJSON());
  expect(rows).toEqual([{ rows: 50, total: "1050.00" }]);
  expect(keboola.jobs).toHaveLength(2);
});

test("errors name the variable that holds the token", async () => {
  const keboola = fakeKeboola();
  keboola.storage.createTable("in.c-crm.t", { columns: ["id"], columnMetadata: { id: native("DATE") } });
  using folder = temporaryFolder();
  await using agnes = await createAgnes({
    workspace: folder.path,
    plugins: [plugin],
    config: {
      version: 1,
      sources: {
        crm: {
          plugin: "keboola",
          options: optionsOf(keboola),
          secrets: { KEBOOLA_STORAGE_TOKEN: "CRM_TOKEN" },
        },
      },
    },
    host: { fetch: keboola.fetch, env: { CRM_TOKEN: "8625-1-wrong" } },
  });
  await (await agnes.tables()).register({ source: "crm", name: "t", sourceTable: "in.c-crm.t" });
  const { sources } = await agnes.sync();
  expect(sources[0]).toMatchObject({ status: "failed", error: { code: "keboola/token_rejected" } });
  expect(JSON.stringify(sources[0])).toContain("CRM_TOKEN");
  expect(JSON.stringify(sources[0])).not.toContain("8625-1-wrong");
});
