import { afterAll, describe, setDefaultTimeout, test } from "bun:test";

import { connectorContract } from "agnes/testing";

import plugin from "../../plugins/bigquery/plugin.ts";
import { fakeBigQuery } from "../fakes/bigquery/mod.ts";
import { fakeStorage } from "../fakes/bigquery/storage.ts";
import { ordersTable } from "./sample.ts";
import { large } from "./storage-support.ts";

setDefaultTimeout(60_000);

const tables = [large(ordersTable(60))];
const server = fakeBigQuery({ tables, script: { polls: 0 } });
const storage = await fakeStorage({ tables, script: { batchRows: 7 } });

describe("bigquery: contract, by sessions", () => {
  afterAll(async () => {
    await storage[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });
  const cases = connectorContract(plugin, {
    options: { project: server.project, storageEndpoint: storage.url },
    secrets: { BIGQUERY_SERVICE_ACCOUNT_JSON: server.signIn.serviceAccount },
    tables: ["shop.orders"],
    server,
  });
  for (const { name, run } of cases) test(name, async () => void (await run()));
});
