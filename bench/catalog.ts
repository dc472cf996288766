// How fast catalogs are: `npx bun bench/catalog.ts [--max 1000000] [--azure 10000] [--only memory|file|azure]`.
import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
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
    azure: { type: "string", default: "10000" },
    only: { type: "string" },
  },
});

type Item = Readonly<Record<"id" | "source" | "bucket" | "mode" | "description", string>>;

const LOOKUPS = 2000;
const INSERTS = 300;
const LOOKUPS_AZURE = 300;
const PASSES_AZURE = 3;
/** After so long Azurite has written to its file all that was new. */
const SAVED_MS = 6000;

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

/** Milliseconds for each record, by variant. */
interface AzurePass {
  readonly theirs: number;
  readonly one: number;
  readonly batch: number;
  readonly lookup: number;
}

/** One service per variant, because Azurite repeatedly writes all of its data to its file. */
type Services = Readonly<Record<"theirs" | "one" | "batch", string>>;

/** Writes `records` in each variant to tables of its own, which are gone afterwards. */
async function azurePass(services: Services, pass: number, records: number): Promise<AzurePass> {
  const client = (variant: keyof Services, table: string) =>
    TableClient.fromConnectionString(services[variant], `${table}${pass}`, { allowInsecureConnection: true });
  const tables = (["theirs", "one", "batch"] as const).flatMap((variant) => [
    client(variant, "Bench"),
    client(variant, "BenchWal"),
  ]);
  const [table, wal] = tables.map((each) => clientGateway(each, 8000));
  await Promise.all([table!.prepare(), wal!.prepare()]);
  const theirs = new SeedCatalog({
    table: table!,
    wal: wal!,
    rowKey: "id",
    indexKeys: ["source", "bucket", "mode"],
  });
  const ours = (variant: keyof Services) =>
    open(azureTablesStorage({ connectionString: services[variant], table: `Bench${pass}` }));
  const [one, batch] = await Promise.all([ours("one"), ours("batch")]);
  // The two take turns, so that other load on the machine affects both.
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
  await sleep(SAVED_MS);
  const batchMs = await timed(async () => {
    for (let from = 0; from < records; from += 1000) {
      await batch.insertMany(
        Array.from({ length: Math.min(1000, records - from) }, (_, at) => item(from + at)),
      );
    }
    await batch.recover();
  });
  const lookupMs = await timed(async () => {
    for (let at = 0; at < LOOKUPS_AZURE; at++) await batch.query({ bucket: `bucket_${at}` });
  });
  await one.close();
  await batch.close();
  for (const each of tables) await each.deleteTable();
  return {
    theirs: theirMs / records,
    one: oneMs / records,
    batch: batchMs / records,
    lookup: lookupMs / LOOKUPS_AZURE,
  };
}

async function azure(records: number): Promise<void> {
  await using theirs = await startAzurite();
  await using one = await startAzurite();
  await using batch = await startAzurite();
  const services = {
    theirs: theirs.connectionString,
    one: one.connectionString,
    batch: batch.connectionString,
  };
  const passes: AzurePass[] = [];
  for (let pass = 0; pass < PASSES_AZURE; pass++) passes.push(await azurePass(services, pass, records));
  const each = (variant: keyof AzurePass) => {
    const sorted = passes.map((pass) => pass[variant]).sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)]!;
  };
  const row = (what: string, variant: keyof AzurePass) => ({
    what,
    "ms each": Number(each(variant).toFixed(3)),
    "times faster": Number((each("theirs") / each(variant)).toFixed(1)),
    passes: passes.map((pass) => pass[variant].toFixed(2)).join(" "),
  });
  console.table([
    row("first approach, insert one by one", "theirs"),
    row("insert one by one", "one"),
    row("insertMany, 1,000 at a time", "batch"),
    { what: "lookup by index, one round trip", "ms each": Number(each("lookup").toFixed(3)) },
  ]);
}

const rows: Readonly<Record<string, unknown>>[] = [];
for (const kind of ["memory", "file"] as const) {
  if (options.only !== undefined && options.only !== kind) continue;
  for (let records = 1000; records <= Number(options.max); records *= 10)
    rows.push(await local(kind, records));
}
if (rows.length > 0) console.table(rows);
if (options.only === undefined || options.only === "azure") await azure(Number(options.azure));
