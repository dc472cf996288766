import { afterAll, beforeAll, expect, test } from "bun:test";

import { TableClient } from "@azure/data-tables";
import { memoryStorage, openCatalog, type JsonRecord } from "agnes/catalog";
import { AgnesError } from "agnes/kit";
import { azureTablesStorage, convertPythonCatalog, readPythonCatalog } from "agnes/plugins/azure-tables";

import { startAzurite, type Azurite } from "../fakes/azurite.ts";

let azurite: Azurite;
beforeAll(async () => {
  azurite = await startAzurite();
  const table = (name: string) =>
    TableClient.fromConnectionString(azurite.connectionString, name, { allowInsecureConnection: true });
  const [index, log] = [table("Notes"), table("NotesLog")];
  await Promise.all([index.createTable(), log.createTable()]);
  // As written by version 1.0.1 of the package; tests/full runs the package itself.
  const operation = "insert";
  const note = (id: string, author: string, text: string) => ({ operation, id, author, year: 2024, text });
  const first = {
    ...note("1", "Ann", "hello"),
    big: { type: "Int64", value: "9007199254740993" } as const,
    at: { type: "DateTime", value: "2024-01-02T03:04:05.678901Z" } as const,
  };
  const rows = [
    ["6_authorann", "1:7ea8cfe7", first],
    ["4_year2024", "1:7ea8cfe7", first],
    ["6_authorbob", "1:91fe62d2", note("1", "Bob", "same id")],
    ["4_year2024", "1:91fe62d2", note("1", "Bob", "same id")],
  ] as const;
  for (const [partitionKey, rowKey, fields] of rows)
    await index.createEntity({ partitionKey, rowKey, ...fields });
  const entries = [
    first,
    note("1", "Bob", "same id"),
    note("1", "Bob", "changed"),
    note("1", "Bob", "same id"),
  ];
  for (const [at, fields] of entries.entries())
    await log.createEntity({ partitionKey: "wal", rowKey: `2026-01-01T00:00:0${at}.000000_x`, ...fields });
  await log.createEntity({ partitionKey: "metadata", rowKey: "checkpoint", datetime: "2026-01-01T00:00:03" });
});
afterAll(() => azurite[Symbol.asyncDispose]());

const tables = () => ({ connectionString: azurite.connectionString, table: "Notes", logTable: "NotesLog" });
const bob = { id: "1", author: "Bob", year: 2024, text: "same id" };
const ann = {
  id: "1",
  author: "Ann",
  year: 2024,
  text: "hello",
  big: "9007199254740993",
  at: "2024-01-02T03:04:05.678901Z",
};
const open = (storage: ReturnType<typeof memoryStorage>, rowKey: string | readonly string[]) =>
  openCatalog<JsonRecord>({ storage, name: "notes", rowKey, indexKeys: ["author"] });
const failure = async (work: Promise<unknown>): Promise<AgnesError> =>
  work.then(
    () => Promise.reject(new Error("it did not fail")),
    (error: unknown) => (error instanceof AgnesError ? error : Promise.reject(error as Error)),
  );

test("openCatalog() refuses the tables of the Python package, by its log or its index alone", async () => {
  const { connectionString } = tables();
  for (const options of [
    { table: "Notes", logTable: "NotesLog" },
    { table: "Notes", logTable: "Empty1" },
    { table: "Empty2", logTable: "NotesLog" },
    { table: "NotesLog", logTable: "Empty3" },
  ]) {
    const error = await failure(open(azureTablesStorage({ connectionString, ...options }), "id"));
    expect([error.code, error.message]).toEqual([
      "azure-tables/python_catalog",
      expect.stringContaining("az-table-catalog") as string,
    ]);
    expect(error.hint).toContain("convertPythonCatalog");
  }
  // Tables that already contain Agnes catalogs are accepted, also if their names begin like partitions of the package.
  for (const name of ["6_authorann", "wal", "metadata"]) await insertOurs(name);
});

async function insertOurs(name: string): Promise<void> {
  const storage = azureTablesStorage({ connectionString: tables().connectionString, table: "Ours" });
  await using catalog = await openCatalog<JsonRecord>({ storage, name, rowKey: "id", indexKeys: ["author"] });
  await catalog.insert(bob);
}

test("readPythonCatalog() returns the records of its queries, and those that only its log has", async () => {
  expect(await readPythonCatalog(tables())).toEqual({
    records: [ann, bob],
    onlyInLog: [{ ...bob, text: "changed" }],
    repeatedInLog: [bob],
  });
  await insertOurs("ours");
  const empty = await failure(readPythonCatalog({ ...tables(), table: "Ours", logTable: "OursWal" }));
  expect(empty.code).toBe("invalid_input");
  expect((await failure(readPythonCatalog({ ...tables(), logTable: "Nowhere" }))).message).toContain("404");
});

test("convertPythonCatalog() copies all records or none, and changes nothing the second time", async () => {
  await using one = await open(memoryStorage(), "id");
  const error = await failure(convertPythonCatalog(one, { ...tables(), rowKey: "id" }));
  expect(error.message).toContain("add the index keys to the row key");
  expect(await one.version()).toBe(0);
  const rowKey = ["id", "author", "year"];
  await using catalog = await open(memoryStorage(), rowKey);
  for (const _time of [1, 2]) {
    expect(await convertPythonCatalog(catalog, { ...tables(), rowKey })).toMatchObject({ records: 2 });
    expect(await catalog.version()).toBe(1);
  }
  expect((await catalog.query({ author: "Bob" })).map(({ record }) => record)).toEqual([
    { ...bob, year: "2024" },
  ]);
});
