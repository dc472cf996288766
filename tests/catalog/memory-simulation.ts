import { memoryStorage } from "agnes/catalog";

import { simulateStorage, type SimulationReport } from "../../lib/testing/storage-simulation.ts";
import { expectEverythingCameAbout } from "../fakes/simulation-totals.ts";

/** Simulates faults and crashes of a catalog in memory; throws with the seed of the first violated guarantee. */
export async function expectMemoryCatalogKept(seeds: readonly number[]): Promise<void> {
  const reports: SimulationReport[] = [];
  for (const seed of seeds) {
    const storage = memoryStorage();
    reports.push(await simulateStorage({ seed, steps: 7, open: () => storage }));
  }
  expectEverythingCameAbout(reports, seeds.length);
}
