import { expect, test } from "bun:test";

import { connectorContract, runCases } from "agnes/testing";

import { fakeWarehouse, WAREHOUSE_TOKEN } from "../fakes/warehouse.ts";
import warehouse from "../testing/plugins/warehouse.ts";

test("the connector of docs/guide/export-connector.md survives every fault of the contract", async () => {
  const config = { secrets: { WAREHOUSE_TOKEN }, server: fakeWarehouse() };
  const cases = connectorContract(warehouse, config).filter(({ name }) =>
    name.startsWith("an extract survives "),
  );
  expect(cases.length).toBeGreaterThan(4);
  expect((await runCases(cases)).filter((result) => !result.ok)).toEqual([]);
});
