import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { connectorContract } from "agnes/testing";

import { fakeLedger, LEDGER_PASSWORD, LEDGER_USER } from "../fakes/ledger.ts";
import { connect } from "../sources/example.ts";
import { discoverTables } from "../../lib/sources/mod.ts";
import { memoryRegistry } from "../tables/registry-setup.ts";
import ledger from "./plugins/ledger.ts";

// Many databases are opened here; a busy machine takes its time.
setDefaultTimeout(60_000);

const options = { user: LEDGER_USER };

describe("ledger: contract", () => {
  const config = { options, secrets: { LEDGER_PASSWORD }, server: fakeLedger() };
  for (const { name, run } of connectorContract(ledger, config)) {
    // Those of faults take long; tests/full runs them.
    if (!name.startsWith("an extract survives ")) test(name, run);
  }
});

/** The ledger as a source, as the product connects it. */
async function connected(server = fakeLedger()) {
  const host = { env: { LEDGER_PASSWORD }, fetch: server.fetch };
  return (await connect(ledger, { options }, { host })).handle;
}

const signal = new AbortController().signal;

test("metadata() of the ledger has every field that it knows and no figure of the view", async () => {
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

test("the registry keeps what the ledger notes of a table, and takes over what it notes later", async () => {
  await using registry = await memoryRegistry();
  await registry.registerDiscovered("books", await discoverTables(await connected()));
  const kept = async () => (await registry.get("books.entries"))!.source_metadata;
  expect(await kept()).toEqual({ stage: "production" });
  await registry.update("books.entries", { source_metadata: { stage: "mine", team: "finance" } });
  const later = await discoverTables(await connected(fakeLedger([], "archive")));
  await registry.registerDiscovered("books", later);
  expect(await kept()).toEqual({ stage: "archive", team: "finance" });
});
