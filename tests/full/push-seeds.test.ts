import { test } from "bun:test";

import { checkInOrder } from "../push/in-order.ts";
import { seedsTo } from "../seeds.ts";

test("runStream() merges a batch of changes as if it had merged them one by one, for 100 seeds", async () => {
  for (const seed of seedsTo(100)) await checkInOrder(seed);
}, 600_000);
