// How fast catalogs are: `bun bench/catalog.ts [--max 1000000] [--azure 2000] [--only memory|file|azure]`.
import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { TableClient } from "@azure/data-tables";
import { fileStorage, memoryStorage, openCatalog, type Catalog, type CatalogStorage } from "agnes/catalog";
import { azureTablesStorage } from "agnes/plugins/azure-tables";

import { clientGateway } from "../plugins/azure-tables/gateway.ts";
import { SeedCatalog } from "../tests/azure-tables/seed-approach.ts";
import { startAzurite } from "../tests/fakes/azurite.ts";

const { values: options } = parseArgs({
  options: {
    max: { type: "string", default: "100000" },
    azure: { type: "string", default: "2000" },
    only: { type: "string" },
  },
});

type Item = Readonly<Record<"id" | "source" | "bucket" | "mode" | "description", string>>;

const LOOKUPS = 2000;
const INSERTS = 300;

const item = (at: number): Item => ({
  id: `table_${String(at).padStart(8, "0")}`,
  source: `source_${at % 10}`,
  bucket: `bucket_${at}`,
  mode: ["local", "remote", "materialized"][at % 3]!,
  description: `A table that holds what its name says, number ${at}, and some words more to be of a usual size.`,
});

function open(storage: CatalogStorage): Promise<Catalog<Item>> {
  return openCatalog<Item>({ storage, name: "bench", rowKey: "id", indexKeys: ["source", "bucket", "mode"] });
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}

async function local(kind: "memory" | "file", records: number): Promise<Readonly<Record<string, unknown>>> {
  const directory = await mkdtemp(join(tmpdir(), "agnes-bench-"));
  try {
    const storage = kind === "memory" ? memoryStorage() : fileStorage({ directory });
    let catalog = await open(storage);
    const loadMs = await timed(async () => {
      for (let at = 0; at < records; at += 1000) {
        await catalog.insertMany(
          Array.from({ length: Math.min(1000, records - at) }, (_, more) => item(at + more)),
        );
      }
    });
    await catalog.rebuildIndexes();
    await catalog.close();
    // What was loaded is on the disk before anything is measured that waits for the disk.
    if (kind === "file") execFileSync("sync");
    const openMs = await timed(async () => {
      catalog = await open(storage);
    });
    const lookup = (at: number) => catalog.query({ bucket: `bucket_${(at * 7919) % records}` });
    for (let at = 0; at < 200; at++) await lookup(at);
    const lookupMs = await timed(async () => {
      for (let at = 0; at < LOOKUPS; at++) await lookup(at);
    });
    const getMs = await timed(async () => {
      for (let at = 0; at < LOOKUPS; at++) await catalog.get(item((at * 7919) % records).id);
    });
    const inserts: number[] = [];
    for (let at = 0; at < INSERTS; at++) {
      inserts.push(await timed(() => catalog.insert(item(records + at))));
    }
    inserts.sort((a, b) => a - b);
    await catalog.close();
    return {
      storage: kind,
      records,
      "load records/s": Math.round((records / loadMs) * 1000),
      "lookup µs": Math.round((lookupMs / LOOKUPS) * 1000),
      "get µs": Math.round((getMs / LOOKUPS) * 1000),
      "insert µs, median": Math.round(inserts[INSERTS / 2]! * 1000),
      "insert µs, 95 %": Math.round(inserts[INSERTS * 0.95]! * 1000),
      "open ms": Math.round(openMs),
      "memory MB": Math.round(process.memoryUsage.rss() / 1e6),
    };
  } finally {
    await rm(directory, { recursive: true });
  }
}

async function azure(records: number): Promise<void> {
  await using azurite = await startAzurite();
  const { connectionString } = azurite;
  const [table, wal] = await Promise.all(
    ["Theirs", "TheirsWal"].map(async (name) => {
      const client = TableClient.fromConnectionString(connectionString, name, {
        allowInsecureConnection: true,
      });
      await client.createTable();
      return clientGateway(client, 8000);
    }),
  );
  const theirs = new SeedCatalog({
    table: table!,
    wal: wal!,
    rowKey: "id",
    indexKeys: ["source", "bucket", "mode"],
  });
  const one = await open(azureTablesStorage({ connectionString, table: "One" }));
  const batch = await open(azureTablesStorage({ connectionString, table: "Batch" }));
  // The two take turns, so that whatever else the machine does meets both.
  let theirMs = 0;
  let oneMs = 0;
  for (let from = 0; from < records; from += 100) {
    theirMs += await timed(async () => {
      for (let at = from; at < from + 100; at++) await theirs.insert(item(at));
    });
    oneMs += await timed(async () => {
      for (let at = from; at < from + 100; at++) await one.insert(item(at));
      await one.recover();
    });
  }
  const batchMs = await timed(async () => {
    for (let from = 0; from < records; from += 1000) {
      await batch.insertMany(
        Array.from({ length: Math.min(1000, records - from) }, (_, at) => item(from + at)),
      );
    }
    await batch.recover();
  });
  const lookupMs = await timed(async () => {
    for (let at = 0; at < 300; at++) await batch.query({ bucket: `bucket_${at}` });
  });
  const row = (what: string, ms: number, count: number) => ({
    what,
    "ms each": Number((ms / count).toFixed(3)),
    "times faster": Number((theirMs / records / (ms / count)).toFixed(1)),
  });
  console.table([
    row("first approach, insert one by one", theirMs, records),
    row("insert one by one", oneMs, records),
    row("insertMany, 1,000 at a time", batchMs, records),
    { what: "lookup by index, one round trip", "ms each": Number((lookupMs / 300).toFixed(3)) },
  ]);
  await one.close();
  await batch.close();
}

const rows: Readonly<Record<string, unknown>>[] = [];
for (const kind of ["memory", "file"] as const) {
  if (options.only !== undefined && options.only !== kind) continue;
  for (let records = 1000; records <= Number(options.max); records *= 10)
    rows.push(await local(kind, records));
}
if (rows.length > 0) console.table(rows);
if (options.only === undefined || options.only === "azure") await azure(Number(options.azure));
