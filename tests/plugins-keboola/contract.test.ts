import { describe, setDefaultTimeout, test } from "bun:test";

import { connectorContract } from "agnes/testing";

import plugin from "../../plugins/keboola/plugin.ts";
import { NO_PAGES, sampleProject } from "./project.ts";
import { optionsOf } from "./support.ts";

setDefaultTimeout(60_000);

// One table; tests/full has the contract with all tables, clouds and formats.
describe("keboola: contract", () => {
  const server = sampleProject({ sliceRows: 30, jobPolls: 0, provider: "gcp" });
  const cases = connectorContract(plugin, {
    options: { ...optionsOf(server), write: true },
    secrets: { KEBOOLA_STORAGE_TOKEN: server.token },
    tables: ["in.c-crm.payments"],
    server,
    write: [
      {
        table: "in.c-crm.payments",
        mode: "upsert",
        rows: [
          {
            id: 7,
            note: 'a "b",\r\n',
            amount: "-0.05",
            is_open: true,
            paid_at: "2026-02-01T00:00:00.000001Z",
          },
          { id: 100_000_000_001, note: "NULL", amount: "9999999999.99", is_open: null, paid_at: null },
        ],
      },
      { table: "in.c-crm.empty", rows: [{ id: "1", name: "" }] },
      { table: "in.c-crm.empty", rows: [{ id: "1", name: "again" }] },
      { table: "in.c-crm.empty", mode: "replace", rows: [{ id: "2", name: "only" }] },
    ],
    writeMetadata: {
      table: "in.c-crm.empty",
      columns: [
        { name: "id", description: "The number", type: "DECIMAL(38,9)" },
        { name: "name", type: "VARCHAR" },
        { name: "lost", type: "DATE" },
      ],
    },
    exceptions: [NO_PAGES],
  });
  for (const { name, run } of cases) test(name, run);
});
