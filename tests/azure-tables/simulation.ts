import { AgnesError } from "agnes/kit";
import { azureTablesStorage } from "agnes/plugins/azure-tables";

import { seededRandom } from "../../lib/testing/fakes/fake-host.ts";
import { simulateStorage, type SimulationReport } from "../../lib/testing/storage-simulation.ts";
import { azureStore } from "../../plugins/azure-tables/storage.ts";
import type { Azurite } from "../fakes/azurite.ts";
import { memoryGateway, type MemoryTable, type TableFaults } from "../fakes/memory-tables.ts";
import { expectEverythingCameAbout } from "../fakes/simulation-totals.ts";

/** Simulates the store on tables with failing requests; throws with the seed of the first violated guarantee. */
export async function expectStoreKept(seeds: readonly number[]): Promise<void> {
  const reports: SimulationReport[] = [];
  for (const seed of seeds) {
    const tables: readonly [MemoryTable, MemoryTable] = [new Map(), new Map()];
    let calm = false;
    const faults = requestFaults(seed, () => calm);
    const report = await simulateStorage({
      seed,
      faultRate: 0.06,
      onCalm: () => {
        calm = true;
      },
      open: () => ({
        open: async (catalog, schema) => {
          const [table, log] = tables.map((entities) => memoryGateway(entities, faults)) as [never, never];
          // Half of the seeds use a recheck interval, like a store on the real service.
          return azureStore({ catalog, schema, table, log, recheckMs: seed % 2 === 0 ? 0 : 40 });
        },
      }),
    });
    reports.push(report);
  }
  expectEverythingCameAbout(reports, seeds.length);
}

/** Simulates the storage on a table service, where requests fail or get no response. */
export async function expectServiceKept(azurite: Azurite, seeds: readonly number[]): Promise<void> {
  const run = Date.now();
  const open = () => azureTablesStorage({ connectionString: azurite.connectionString, recheckMs: 0 });
  const waiting = [...seeds];
  const reports: SimulationReport[] = [];
  // Several simulations run concurrently, because most of the time is spent waiting for timeouts.
  const work = Array.from({ length: 6 }, async () => {
    for (let seed = waiting.shift(); seed !== undefined; seed = waiting.shift()) {
      const shape = { realTime: true, processes: 3, steps: 5, faultRate: 0.06 };
      const catalog = `simulated ${run} ${seed}`;
      reports.push(await simulateStorage({ ...shape, seed, open, catalog }));
    }
  });
  await Promise.all(work);
  expectEverythingCameAbout(reports, Math.floor(seeds.length / 3));
}

/** One request in fourteen fails, half of those after taking effect. */
function requestFaults(seed: number, isCalm: () => boolean): TableFaults {
  const random = seededRandom(seed + 1_000_000);
  const maybe = async (operation: string) => {
    if (isCalm() || random() > 0.035) return;
    throw new AgnesError("catalog_unavailable", { catalog: "x", operation, reason: "an injected 503" });
  };
  return { before: maybe, after: maybe };
}
