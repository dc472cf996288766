import { afterAll, describe, setDefaultTimeout, test } from "bun:test";

import { connectorContract } from "agnes/testing";

import plugin from "../../plugins/bigquery/plugin.ts";
import { fakeBigQuery } from "../fakes/bigquery/mod.ts";
import { EMPTY, ordersTable } from "./sample.ts";

setDefaultTimeout(60_000);

const PARAMETERS = ["text", "whole", "big", "fraction", "flag", "moment", "nothing"];

describe("bigquery: contract", () => {
  const orders = { ...ordersTable(60), resource: { ...ordersTable(0).resource } };
  const server = fakeBigQuery({ tables: [orders, EMPTY], script: { polls: 0, pageRows: 25 } });
  afterAll(() => server[Symbol.asyncDispose]());
  const cases = connectorContract(plugin, {
    options: { project: server.project },
    secrets: { BIGQUERY_SERVICE_ACCOUNT_JSON: server.signIn.serviceAccount },
    tables: ["shop.orders", "archive.old-orders 2020"],
    parameterQuery: `SELECT ${PARAMETERS.map((name) => `@${name} AS ${name}`).join(", ")}`,
    arrayQuery: "SELECT value FROM UNNEST(@keys) AS value",
    server,
  });
  for (const { name, run } of cases) test(name, async () => void (await run()));
});
