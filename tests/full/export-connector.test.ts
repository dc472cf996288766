import { expect, test } from "bun:test";

import { connectorContract, runCases, type ContractCase } from "agnes/testing";

import { fakeWarehouse, WAREHOUSE_TOKEN } from "../fakes/warehouse.ts";
import { fakeHelpdesk, HELPDESK_TOKEN, HELPDESK_URL } from "../fakes/helpdesk.ts";
import helpdesk from "../testing/plugins/helpdesk.ts";
import warehouse from "../testing/plugins/warehouse.ts";

const survivals = (cases: readonly ContractCase[]) =>
  cases.filter(({ name }) => name.startsWith("an extract survives "));

test("the connector of docs/guide/export-connector.md survives every fault of the contract", async () => {
  const config = { secrets: { WAREHOUSE_TOKEN }, server: fakeWarehouse() };
  const cases = survivals(connectorContract(warehouse, config));
  expect(cases.length).toBeGreaterThan(4);
  expect((await runCases(cases)).filter((result) => !result.ok)).toEqual([]);
});

test("the connector of docs/guide/helpdesk-connector.md survives every fault of the contract", async () => {
  const server = fakeHelpdesk({ requests: 1000 });
  const config = { options: { url: HELPDESK_URL }, secrets: { HELPDESK_TOKEN }, server };
  const cases = survivals(connectorContract(helpdesk, config));
  expect(cases.length).toBeGreaterThan(4);
  expect((await runCases(cases)).filter((result) => !result.ok)).toEqual([]);
});
