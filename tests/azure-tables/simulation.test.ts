import { test } from "bun:test";

import { startAzurite } from "../fakes/azurite.ts";
import { seedsTo } from "../seeds.ts";
import { expectServiceKept, expectStoreKept } from "./simulation.ts";

test("the store keeps its guarantees when single requests fail, under tens of seeds", async () => {
  await expectStoreKept(seedsTo(30));
}, 180_000);

test("azureTablesStorage() keeps its guarantees on a real table service, under a few seeds", async () => {
  await using azurite = await startAzurite();
  await expectServiceKept(azurite, seedsTo(6));
}, 180_000);
