import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { runCases } from "agnes/testing";

import { CRM_CONNECTOR, guideBlocks, loadGuideCode, suiteCases } from "./guide.ts";

// Opens many databases, which is slow on a busy machine.
setDefaultTimeout(60_000);

describe("docs/guide/write-a-connector.md", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "agnes-guide-"));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  test("its connector is the tested one and has at most 80 lines", async () => {
    const [connector] = await guideBlocks();
    expect(connector).toBe(await readFile(CRM_CONNECTOR, "utf8"));
    expect(connector!.split("\n").length).toBeLessThanOrEqual(80);
  });

  test("its test runs unchanged and every case passes, except fault cases, which tests/full runs", async () => {
    const cases = await suiteCases(folder);
    expect(cases.length).toBeGreaterThan(20);
    const results = await runCases(cases.filter(({ name }) => !name.startsWith("an extract survives ")));
    expect(results.filter((result) => !result.ok)).toEqual([]);
  });

  test("the case of its exception exists", async () => {
    const [, , exceptions] = await guideBlocks();
    await loadGuideCode(folder, "exceptions.ts", exceptions!);
  });
});
