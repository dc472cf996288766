import { afterAll, beforeAll, expect, test } from "bun:test";

import { TableClient } from "@azure/data-tables";
import * as catalog from "agnes/catalog";
import { Secret, type AnyConnector, type TableInfo } from "agnes/kit";
import azureTables, * as azure from "agnes/plugins/azure-tables";

import { isFileChunk } from "../../lib/kit/mod.ts";
import { startAzurite, type Azurite } from "../fakes/azurite.ts";

let azurite: Azurite;
beforeAll(async () => {
  azurite = await startAzurite();
});
afterAll(() => azurite[Symbol.asyncDispose]());

const signal = new AbortController().signal;

async function connect(): Promise<AnyConnector> {
  const secrets = {
    AZURE_STORAGE_CONNECTION_STRING: new Secret("AZURE_STORAGE_CONNECTION_STRING", azurite.connectionString),
  };
  return azureTables.connect({ options: { sampleRows: 1000 }, secrets } as never);
}

test("discover() and read() return the tables of an account with their types", async () => {
  const client = TableClient.fromConnectionString(azurite.connectionString, "People", {
    allowInsecureConnection: true,
  });
  await client.createTable();
  await client.createEntity({
    partitionKey: "p",
    rowKey: "1",
    name: "Ann",
    age: 41,
    height: 1.75,
    big: 12345678901234567n,
    active: true,
    born: new Date("1985-01-02T03:04:05Z"),
    mixed: "x",
  });
  await client.createEntity({ partitionKey: "p", rowKey: "2", name: "Bob", mixed: 7 });
  const connector = await connect();
  const tables: TableInfo[] = [];
  for await (const found of connector.discover!({ signal }) as AsyncIterable<TableInfo>) tables.push(found);
  const people = tables.find(({ name }) => name === "People")!;
  expect(people.primaryKey).toEqual(["PartitionKey", "RowKey"]);
  expect(Object.fromEntries(people.schema.fields.map(({ name, type }) => [name, String(type)]))).toEqual({
    PartitionKey: "Utf8",
    RowKey: "Utf8",
    Timestamp: "Timestamp<MICROSECOND>",
    active: "Bool",
    age: "Int64",
    big: "Int64",
    born: "Timestamp<MICROSECOND>",
    height: "Float64",
    mixed: "Utf8",
    name: "Utf8",
  });
  const rows: Readonly<Record<string, unknown>>[] = [];
  for await (const batch of connector.read!(people, { batchRows: 1, signal })) {
    if (!isFileChunk(batch) && Array.isArray(batch)) rows.push(...batch);
  }
  expect(rows).toHaveLength(2);
  expect(rows[0]).toMatchObject({
    RowKey: "1",
    name: "Ann",
    age: 41,
    height: 1.75,
    active: true,
    mixed: "x",
  });
  expect([String(rows[0]!["big"]), String(rows[0]!["born"])]).toEqual([
    "12345678901234567",
    expect.stringContaining("1985-01-02T03:04:05"),
  ] as never);
  expect(rows[1]).toMatchObject({ RowKey: "2", name: "Bob", age: null, mixed: "7" });
  expect((await connector.health!({ signal })).ok).toBe(true);
});

test("configure(), insert(), query(), delete() and recover() work with the environment alone", async () => {
  const env = {
    AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString,
    TABLE_CATALOG_NAME: "Things",
    TABLE_CATALOG_WAL_NAME: "ThingsLog",
    TABLE_CATALOG_INDEX_KEYS: "group, state",
    TABLE_CATALOG_ROW_KEY: "id",
  };
  Object.assign(process.env, env);
  try {
    await azure.insert({ id: "1", group: "a", state: "new" });
    await azure.insert({ id: "2", group: "a", state: "old" });
    expect(await azure.query({ group: "a", state: "old" })).toEqual([{ id: "2", group: "a", state: "old" }]);
    expect(() => azure.configure({})).toThrow("already configured");
    await azure.delete({ state: "old" });
    expect(await azure.recover()).toEqual({ sequence: 3, replayed: 0 });
  } finally {
    await azure.close();
    for (const name of Object.keys(env)) delete process.env[name];
  }
  expect(await azure.query({}).catch(String)).toContain("TABLE_CATALOG_NAME is not set");
  const log = TableClient.fromConnectionString(azurite.connectionString, "ThingsLog", {
    allowInsecureConnection: true,
  });
  let entries = 0;
  for await (const entity of log.listEntities()) if (entity.partitionKey!.includes("-log-")) entries += 1;
  expect(entries).toBe(3);
});

test("openCatalog() distinguishes a refusing service from an unreachable one", async () => {
  const open = (connectionString: string, table?: string) =>
    catalog.openCatalog({
      storage: azure.azureTablesStorage({ connectionString, ...(table === undefined ? {} : { table }) }),
      name: "x",
      rowKey: "id",
      indexKeys: [],
      retryBudgetMs: 200,
    });
  const wrongKey = azurite.connectionString.replace("Eby8vdM02x", "Eby8vdM02y");
  expect(await open(wrongKey).catch((error: unknown) => error)).toMatchObject({
    code: "catalog_storage_refused",
  });
  const unreachable = azurite.connectionString.replace(`:${azurite.port}/`, ":1/");
  expect(await open(unreachable).catch((error: unknown) => error)).toMatchObject({
    code: "catalog_unavailable",
    retry: "transient",
  });
  expect(await open(azurite.connectionString, "no_such_name").catch((error: unknown) => error)).toMatchObject(
    {
      code: "invalid_input",
    },
  );
});
