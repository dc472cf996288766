import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { runCases } from "agnes/testing";

import { assertGuideConnector, loadGuideCode, suiteBlocks, suiteCases } from "./guide.ts";

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

  test("the case of its exception exists", async () => {
    const [, exceptions] = await suiteBlocks("write-a-connector");
    await loadGuideCode(folder, "exceptions.ts", exceptions!);
  });
});
