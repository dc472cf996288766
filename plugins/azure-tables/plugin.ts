import { definePlugin } from "agnes/kit";
import * as v from "valibot";

import { errors } from "./errors.ts";
import { connectTables } from "./source.ts";

export { close, configure, insert, query, recover, remove as delete } from "./default-catalog.ts";
export type { DefaultCatalogOptions } from "./default-catalog.ts";
export { convertPythonCatalog, readPythonCatalog } from "./python-catalog.ts";
export type { ConvertedCatalog, PythonCatalog } from "./python-catalog.ts";
export { azureTablesStorage } from "./storage.ts";
export type { AzureTablesOptions, TokenCredential } from "./storage.ts";

export default definePlugin({
  name: "azure-tables",
  version: "1.0.0",
  description: "Azure Tables: tables of a storage account; also a storage for catalogs",
  capabilities: ["discover", "read"],
  options: v.strictObject({
    endpoint: v.optional(
      v.pipe(
        v.string(),
        v.url(),
        v.description(
          "table endpoint, used without a connection string; signs in with DefaultAzureCredential",
        ),
      ),
    ),
    sampleRows: v.optional(
      v.pipe(
        v.number(),
        v.integer(),
        v.minValue(1),
        v.description("number of entities that discovery samples in each table"),
      ),
      1000,
    ),
  }),
  secrets: {
    AZURE_STORAGE_CONNECTION_STRING: { description: "connection string of the storage account" },
  },
  errors,
  connect: ({ options, secrets }) =>
    connectTables({
      sampleRows: options.sampleRows,
      ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
      ...(secrets.AZURE_STORAGE_CONNECTION_STRING === undefined
        ? {}
        : { connectionString: secrets.AZURE_STORAGE_CONNECTION_STRING.reveal() }),
    }),
});
