import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createAgnes } from "agnes";
import { runCases } from "agnes/testing";

import keboola from "../../plugins/keboola/plugin.ts";
import { fakeKeboola } from "../fakes/keboola/mod.ts";
import { optionsOf } from "../plugins-keboola/support.ts";

import {
  assertGuideConnector,
  guideBlocks,
  loadGuideCode,
  runExample,
  suiteBlocks,
  suiteCases,
} from "./guide.ts";

// Opens many databases, which is slow on a busy machine.
setDefaultTimeout(60_000);

describe("docs/guide", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "agnes-guide-"));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  test("the connectors of the guide are the tested ones and have at most 80 lines", async () => {
    await assertGuideConnector("write-a-connector", "crm.ts");
    await assertGuideConnector("export-connector", "warehouse.ts");
    await assertGuideConnector("helpdesk-connector", "helpdesk.ts");
    await assertGuideConnector("query-connector", "bigquery.ts");
  });

  for (const page of ["write-a-connector", "helpdesk-connector"] as const) {
    test(`the test of ${page}.md runs unchanged and every case passes, except fault cases, which tests/full runs`, async () => {
      const cases = await suiteCases(folder, page);
      expect(cases.length).toBeGreaterThan(20);
      const results = await runCases(cases.filter(({ name }) => !name.startsWith("an extract survives ")));
      expect(results.filter((result) => !result.ok)).toEqual([]);
    });
  }

  test("the examples of keboola.md write rows and descriptions", async () => {
    const project = fakeKeboola({ jobPolls: 0 });
    const { storage } = project;
    storage.createTable("in.c-main.predictions", {
      columns: ["id", "score"],
      rows: [{ id: "1", score: "0.5" }],
    });
    storage.createTable("out.c-main.scores", { columns: ["id", "score"], primaryKey: ["id"], rows: [] });
    storage.createTable("in.c-crm.orders", { columns: ["id", "amount"], rows: [] });
    const open = () =>
      createAgnes({
        workspace: folder,
        plugins: [keboola],
        config: {
          version: 1,
          sources: { crm: { plugin: "keboola", options: { ...optionsOf(project), write: true } } },
        },
        host: { fetch: project.fetch, env: { KEBOOLA_STORAGE_TOKEN: project.token } },
      });
    {
      await using agnes = await open();
      const registry = await agnes.tables();
      for (const sourceTable of ["in.c-main.predictions", "out.c-main.scores", "in.c-crm.orders"])
        await registry.register({ source: "crm", sourceTable });
      expect((await agnes.sync()).status).toBe("complete");
    }
    const [push, metadata] = await guideBlocks("keboola");
    expect(await runExample(folder, push!, open)).toEqual(["1 rows written to out.c-main.scores"]);
    expect(await runExample(folder, metadata!, open)).toEqual(["amount description written"]);
    await using agnes = await open();
    await agnes.sync();
    expect(await agnes.rows("SELECT id, score FROM scores")).toEqual([{ id: "1", score: "0.5" }]);
  });

  test("the case of its exception exists", async () => {
    const [, exceptions] = await suiteBlocks("write-a-connector");
    await loadGuideCode(folder, "exceptions.ts", exceptions!);
  });
});
