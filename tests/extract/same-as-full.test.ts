import { test } from "bun:test";

import { seedsTo } from "../seeds.ts";
import { changingSources, expectSameAsFull } from "./same-as-full.ts";

for (const source of changingSources) {
  const { kind, hasKey } = source;
  test(`extractSource() publishes the rows of a full read after random changes: ${kind}, ${hasKey ? "with" : "without"} a key`, async () => {
    await expectSameAsFull(source, seedsTo(1));
  }, 180_000);
}
