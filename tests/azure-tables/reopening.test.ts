import { beforeEach, expect, test } from "bun:test";

import { openCatalog, type Catalog } from "agnes/catalog";

import { azureStore } from "../../plugins/azure-tables/storage.ts";
import { memoryGateway, type MemoryTable } from "../fakes/memory-tables.ts";

interface Item {
  readonly id: string;
  readonly source: string;
  readonly bucket: string;
  readonly mode: string;
}

/** Two tables that count requests by process. A killed process makes no more requests. */
class Service {
  readonly #tables: readonly [MemoryTable, MemoryTable] = [new Map(), new Map()];

  loseCheckpoints(): void {
    for (const table of this.#tables) {
      for (const id of ["things-meta\ncheckpoint", "things-meta\napplied"]) table.delete(id);
    }
  }

  loseRows(): void {
    this.#tables[0].clear();
  }

  async open(): Promise<Process> {
    const process = { requests: 0, operations: new Map<string, number>(), alive: true };
    const faults = {
      before: async (operation: string) => {
        if (!process.alive) return new Promise<void>(() => {});
        process.requests += 1;
        process.operations.set(operation, (process.operations.get(operation) ?? 0) + 1);
      },
      after: async () => {},
    };
    const [table, log] = this.#tables.map((entities) => memoryGateway(entities, faults)) as [never, never];
    const catalog = await openCatalog<Item>({
      storage: {
        open: async (name, schema) => azureStore({ catalog: name, schema, table, log, recheckMs: 1000 }),
      },
      name: "things",
      rowKey: "id",
      indexKeys: ["source", "bucket", "mode"],
    });
    return Object.assign(process, { catalog });
  }
}

interface Process {
  readonly catalog: Catalog<Item>;
  requests: number;
  readonly operations: ReadonlyMap<string, number>;
  alive: boolean;
}

const RECORDS = 3000;

const item = (at: number): Item => ({
  id: `table_${String((at * 7919) % 100_003).padStart(8, "0")}`,
  source: `source_${at % 10}`,
  bucket: `bucket_${at}`,
  mode: ["local", "remote", "materialized"][at % 3]!,
});
const items = (count: number, from = 0) => Array.from({ length: count }, (_, at) => item(from + at));

let service: Service;
beforeEach(() => void (service = new Service()));

async function fill(writer: Process, count = RECORDS): Promise<void> {
  for (let from = 0; from < count; from += 1000) await writer.catalog.insertMany(items(1000, from));
}

async function expectAll(reader: Process, count: number): Promise<void> {
  await reader.catalog.recover();
  // The requests to read all rows are not counted.
  expect(await reader.catalog.query({})).toHaveLength(count);
  expect(await reader.catalog.query({ mode: "local", bucket: "bucket_3" })).toHaveLength(1);
}

test("openCatalog() after a kill takes few requests, for the first open and the second", async () => {
  const writer = await service.open();
  await fill(writer);
  writer.alive = false;
  for (const who of ["first", "second", "third"]) {
    const reader = await service.open();
    await expectAll(reader, RECORDS);
    expect([who, reader.requests]).toEqual([who, expect.any(Number)]);
    // Entry by entry and row by row, 10,000 records took 15,855 requests.
    expect(reader.requests).toBeLessThan(who === "first" ? 150 : 40);
    reader.alive = false;
  }
});

test("openCatalog() after a kill without a checkpoint scans the written rows, and writes none again", async () => {
  const writer = await service.open();
  await fill(writer);
  await writer.catalog.close();
  service.loseCheckpoints();
  const reader = await service.open();
  await expectAll(reader, RECORDS);
  expect(reader.operations.get("changeAll") ?? 0).toBe(0);
  expect(reader.requests).toBeLessThan(50);
});

test("openCatalog() after a kill before anything was indexed writes the rows in transactions", async () => {
  const writer = await service.open();
  await fill(writer);
  await writer.catalog.close();
  service.loseRows();
  const reader = await service.open();
  await expectAll(reader, RECORDS);
  expect(reader.requests).toBeLessThan(475);
});

test("the checkpoint moves by the number of changes, not of entries", async () => {
  const writer = await service.open();
  await writer.catalog.insertMany(items(1000));
  await writer.catalog.query({});
  const waited = Promise.withResolvers<void>();
  setImmediate(() => waited.resolve());
  await waited.promise;
  writer.alive = false;
  const reader = await service.open();
  expect(await reader.catalog.recover()).toEqual({ sequence: 1, replayed: 0 });
  expect(reader.requests).toBeLessThan(12);
});

test("query() by several keys reads the rows of the key with the fewest, in any order of keys", async () => {
  const writer = await service.open();
  await fill(writer);
  const count = async (filter: Partial<Item>) => {
    const before = writer.requests;
    const found = await writer.catalog.query(filter);
    return [found.length, writer.requests - before];
  };
  await writer.catalog.recover();
  expect(await count({ mode: "local", bucket: "bucket_3" })).toEqual([1, 2]);
  // Later queries start with the keys known to have few rows.
  expect(await count({ mode: "local", bucket: "bucket_6" })).toEqual([1, 1]);
  expect(await count({ mode: "remote", bucket: "bucket_1" })).toEqual([1, 1]);
  expect(await count({ bucket: "bucket_1", mode: "local" })).toEqual([0, 1]);
  expect(await count({ mode: "local", source: "source_3" })).toEqual([100, 1]);
  await writer.catalog.close();
});
