import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { connectorContract } from "agnes/testing";

import { fakeLedger, LEDGER_PASSWORD, LEDGER_USER } from "../fakes/ledger.ts";
import { incremental, openBench } from "../extract/harness.ts";
import { connect } from "../sources/example.ts";
import { discoverTables } from "../../lib/sources/mod.ts";
import { memoryRegistry } from "../tables/registry-setup.ts";
import ledger from "./plugins/ledger.ts";

// Opens many databases, which is slow on a busy machine.
setDefaultTimeout(60_000);

const options = { user: LEDGER_USER };

describe("ledger: contract", () => {
  const config = { options, secrets: { LEDGER_PASSWORD }, server: fakeLedger() };
  for (const { name, run } of connectorContract(ledger, config)) {
    // The fault cases are slow; tests/full runs them.
    if (!name.startsWith("an extract survives ")) test(name, run);
  }
});

/** The ledger as a source, connected through the runtime. */
async function connected(server = fakeLedger()) {
  const host = { env: { LEDGER_PASSWORD }, fetch: server.fetch };
  return (await connect(ledger, { options }, { host })).handle;
}

const signal = new AbortController().signal;

test("metadata() of the ledger has every known field and no figures of the view", async () => {
  const handle = await connected();
  const found = await handle.connector.metadata!(await discoverTables(handle), { signal });
  expect(found).toEqual([
    {
      name: "books.entries",
      entityType: "table",
      rows: 240,
      sizeBytes: 7680,
      columns: [
        { name: "id", type: "INT8", nullable: false },
        { name: "account", type: "TEXT", nullable: false },
        { name: "booked_at", type: "TIMESTAMP", nullable: true },
      ],
      clusteredBy: ["account"],
      modifiedAt: new Date("2026-03-01T12:00:00Z"),
    },
    {
      name: "books.balances",
      entityType: "view",
      columns: [
        { name: "account", type: "TEXT", nullable: false },
        { name: "entries", type: "INT8", nullable: true },
      ],
      clusteredBy: [],
      modifiedAt: new Date("2026-03-01T12:00:00Z"),
    },
  ]);
});

test("the registry stores the source metadata of a ledger table, and updates it later", async () => {
  await using registry = await memoryRegistry();
  await registry.registerDiscovered("books", await discoverTables(await connected()));
  const kept = async () => (await registry.get("books.entries"))!.sourceMetadata;
  expect(await kept()).toEqual({ stage: "production" });
  await registry.update("books.entries", { sourceMetadata: { stage: "mine", team: "finance" } });
  const later = await discoverTables(await connected(fakeLedger([], "archive")));
  await registry.registerDiscovered("books", later);
  expect(await kept()).toEqual({ stage: "archive", team: "finance" });
});

test("a first load in windows reads each window from the ledger, and publishes every entry", async () => {
  const server = fakeLedger();
  const [entries] = await discoverTables(await connected(server));
  await using bench = await openBench({ now: () => new Date("2026-03-03T08:00:00Z") });
  const { connector } = await connected(server);
  const plan = incremental(entries!, { id: "books.entries", name: "entries", chunkDays: 30 });
  const stats = await bench.run([plan], connector);
  expect(stats.errors).toEqual([]);
  const [published] = await bench.rows(
    "SELECT count(*)::INT AS n, count(booked_at)::INT AS booked FROM entries",
  );
  expect(published).toEqual({ n: 240, booked: 216 });
  const asked = server.requests
    .map(({ url }) => new URL(url).searchParams)
    .filter((query) => query.get("after") === null && (query.get("from") ?? "") >= "2025-12");
  expect(asked.map((query) => [query.get("from"), query.get("until")])).toEqual([
    ["2025-12-13 00:00:00", "2026-01-12 00:00:00"],
    ["2026-01-12 00:00:00", "2026-02-11 00:00:00"],
    ["2026-02-11 00:00:00", null],
  ]);
});
