import { test } from "bun:test";

import { seedsTo } from "../seeds.ts";
import { checkInOrder } from "./in-order.ts";

test("runStream() merges a batch of changes as if it had merged them one by one", async () => {
  for (const seed of seedsTo(3)) await checkInOrder(seed);
}, 30_000);
