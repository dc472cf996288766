import { describe, setDefaultTimeout, test } from "bun:test";

import { connectorContract } from "agnes/testing";

import plugin from "../../plugins/keboola/plugin.ts";
import { NO_PAGES, sampleProject } from "./project.ts";
import { optionsOf } from "./support.ts";

setDefaultTimeout(60_000);

// One table; tests/full has the contract with all tables, clouds and formats.
describe("keboola: contract", () => {
  const server = sampleProject({ sliceRows: 30, jobPolls: 0 });
  const cases = connectorContract(plugin, {
    options: optionsOf(server),
    secrets: { KEBOOLA_STORAGE_TOKEN: server.token },
    tables: ["in.c-crm.payments"],
    server,
    exceptions: [NO_PAGES],
  });
  for (const { name, run } of cases) test(name, run);
});
