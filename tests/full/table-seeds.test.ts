import { test } from "bun:test";

import { expectJsonAsParsed } from "../duckdb/files-json-property.ts";
import { changingSources, expectSameAsFull } from "../extract/same-as-full.ts";
import { seedsTo } from "../seeds.ts";

// What `npm test` runs under a few seeds, here under many.

test("inspectJson() and openJson() give what JSON.parse gives, for any columns, files and orders", async () => {
  await expectJsonAsParsed(seedsTo(100));
});

for (const source of changingSources) {
  const { kind, hasKey } = source;
  test(`extractSource() publishes what a full read publishes, after any changes: ${kind}, ${hasKey ? "with" : "without"} a key`, async () => {
    await expectSameAsFull(source, seedsTo(4));
  });
}
