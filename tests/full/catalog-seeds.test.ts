import { test } from "bun:test";

import { expectServiceKept, expectStoreKept } from "../azure-tables/simulation.ts";
import { expectAcknowledgedKept } from "../catalog/killed-writers.ts";
import { expectMemoryCatalogKept } from "../catalog/memory-simulation.ts";
import { expectPowerFailuresSurvived } from "../catalog/power-failure.ts";
import { startAzurite } from "../fakes/azurite.ts";
import { seedsTo } from "../seeds.ts";

// What `npm test` runs under a few seeds, here under many.

test("fileStorage() keeps every acknowledged change when writers are killed, under 200 seeds", async () => {
  await expectAcknowledgedKept(seedsTo(200));
});

test("fileStorage() keeps what was acknowledged when the power fails anywhere, under 60 seeds", async () => {
  await expectPowerFailuresSurvived(seedsTo(60));
});

test("openCatalog() keeps its guarantees on memory under 2000 seeds of faults and crashes", async () => {
  await expectMemoryCatalogKept(seedsTo(2000));
});

test("the store keeps its guarantees when single requests fail, under hundreds of seeds", async () => {
  await expectStoreKept(seedsTo(300));
});

test("azureTablesStorage() keeps its guarantees on a real table service, under tens of seeds", async () => {
  await using azurite = await startAzurite();
  await expectServiceKept(azurite, seedsTo(24));
});
