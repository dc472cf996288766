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
  for (const [at, { name, run }] of storageContract().entries()) {
    test(
      name,
      () => {
        const { connectionString } = azurite;
        // Lookups see at once what a writer that died left in the log.
        return run({ open: () => azureTablesStorage({ connectionString }), catalog: `contract ${at}` });
      },
      20_000,
    );
  }
});
