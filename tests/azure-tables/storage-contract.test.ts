import { afterAll, beforeAll, describe, test } from "bun:test";

import { azureTablesStorage } from "agnes/plugins/azure-tables";

import { storageContract } from "../../lib/testing/storage-contract.ts";
import { startAzurite, type Azurite } from "../fakes/azurite.ts";

let azurite: Azurite;
beforeAll(async () => {
  azurite = await startAzurite();
});
afterAll(() => azurite[Symbol.asyncDispose]());

describe("azureTablesStorage()", () => {
  const open = () => azureTablesStorage({ connectionString: azurite.connectionString });
  for (const one of storageContract({ open })) test(one.name, () => one.run(), 20_000);
});
