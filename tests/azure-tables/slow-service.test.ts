import { expect, test } from "bun:test";

import { openCatalog, type Catalog } from "agnes/catalog";

import { azureStore } from "../../plugins/azure-tables/storage.ts";
import { memoryGateway, type MemoryTable } from "../fakes/memory-tables.ts";

interface Item {
  readonly id: string;
  readonly group: string;
  readonly n: number;
}

/** A service with a latency of 20 ms. */
class SlowService {
  readonly #tables: readonly [MemoryTable, MemoryTable] = [new Map(), new Map()];
  requests = 0;

  open(requestMs = 20): Promise<Catalog<Item>> {
    const faults = {
      before: async () => {
        this.requests += 1;
        if (requestMs > 0) await Bun.sleep(requestMs);
      },
      after: async () => {},
    };
    const [table, log] = this.#tables.map((entities) => memoryGateway(entities, faults)) as [never, never];
    return openCatalog<Item>({
      storage: {
        open: async (catalog, schema) => azureStore({ catalog, schema, table, log, recheckMs: 1000 }),
      },
      name: "things",
      rowKey: "id",
      indexKeys: ["group", "n"],
      callTimeoutMs: 5000,
    });
  }
}

const item = (at: number, n: number): Item => ({
  id: `i${String(at).padStart(6, "0")}`,
  group: `g${at % 7}`,
  n,
});

async function filled(records: number): Promise<SlowService> {
  const service = new SlowService();
  const catalog = await service.open(0);
  for (let from = 0; from < records; from += 1000) {
    await catalog.insertMany(Array.from({ length: 1000 }, (_, at) => item(from + at, 0)));
  }
  await catalog.close();
  service.requests = 0;
  return service;
}

test("insertMany() of 1,000 existing records reads them in pages and replaces them in transactions", async () => {
  const service = await filled(1000);
  const catalog = await service.open();
  await catalog.insertMany(Array.from({ length: 1000 }, (_, at) => item(at, 1)));
  expect(await catalog.query({ n: 1 })).toHaveLength(1000);
  expect(await catalog.query({ n: 0 })).toHaveLength(0);
  // 4,000 rows: one per index key and one for the record, plus rows that moved to another index value.
  expect(service.requests).toBeLessThan(200);
  await catalog.close();
});

test("insertMany() of 1,000 scattered records in a large catalog completes before the timeout", async () => {
  const service = await filled(8000);
  const catalog = await service.open();
  await catalog.insertMany(Array.from({ length: 1000 }, (_, at) => item(at * 8, 1)));
  expect(await catalog.query({ n: 1 })).toHaveLength(1000);
  await catalog.close();
});

test("insertMany() by two writers to the same 1,000 records ends with all records of one of them", async () => {
  const service = await filled(1000);
  const [one, two] = await Promise.all([service.open(), service.open()]);
  const write = (catalog: Catalog<Item>, n: number) =>
    catalog.insertMany(Array.from({ length: 1000 }, (_, at) => item(at, n)));
  const commits = await Promise.all([write(one, 1), write(two, 2)]);
  const winner = commits[0].sequence > commits[1].sequence ? 1 : 2;
  for (const catalog of [one, two]) await catalog.recover();
  for (const catalog of [one, two]) {
    expect(await catalog.query({ n: winner })).toHaveLength(1000);
    expect(await catalog.query({ group: "g3", n: winner })).toHaveLength(143);
    expect(await catalog.query({ n: 3 - winner })).toHaveLength(0);
    await catalog.close();
  }
  // Both writers index both entries. Row by row, this takes 32,000 requests.
  expect(service.requests).toBeLessThan(3000);
});
