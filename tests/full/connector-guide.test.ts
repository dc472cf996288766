import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { runCases } from "agnes/testing";

import { suiteCases } from "../testing/guide.ts";

for (const page of ["write-a-connector", "helpdesk-connector"] as const) {
  test(`the test of docs/guide/${page}.md runs unchanged and every case passes`, async () => {
    const folder = await mkdtemp(join(tmpdir(), "agnes-guide-"));
    const results = await runCases(await suiteCases(folder, page));
    expect(results.length).toBeGreaterThan(20);
    expect(results.filter((result) => !result.ok)).toEqual([]);
    await rm(folder, { recursive: true });
  });
}
