import { expect, test } from "bun:test";
import { join } from "node:path";

import { memoryStorage, openCatalog, type JsonRecord } from "agnes/catalog";
import { azureTablesStorage, convertPythonCatalog, readPythonCatalog } from "agnes/plugins/azure-tables";

import { startAzurite } from "../fakes/azurite.ts";
import { pythonWith, run } from "./python.ts";

test("tables that az-table-catalog 1.0.1 wrote are recognised, read and converted", async () => {
  await using azurite = await startAzurite();
  const { connectionString } = azurite;
  const python = pythonWith(["az-table-catalog==1.0.1", "azure-data-tables==12.7.0"]);
  const printed = run(python, [join(import.meta.dir, "python-catalog.py"), connectionString]);
  const theirs = (JSON.parse(printed) as readonly JsonRecord[]).map(
    ({ operation: _operation, ...record }) => record,
  );
  const tables = { connectionString, table: "Notes", logTable: "NotesLog" };
  const schema = { name: "notes", indexKeys: ["author", "year"] };

  const refused = openCatalog({ storage: azureTablesStorage(tables), rowKey: "id", ...schema });
  expect(await refused.catch((error: unknown) => error)).toMatchObject({
    code: "azure-tables/python_catalog",
  });

  const read = await readPythonCatalog(tables);
  const byId = (records: readonly JsonRecord[]) =>
    records
      .map((record) => ("at" in record ? { ...record, at: null } : record))
      .sort((a, b) =>
        JSON.stringify([a["id"], a["author"]]).localeCompare(JSON.stringify([b["id"], b["author"]])),
      );
  expect(byId(read.records)).toEqual(byId(theirs));
  expect(read.records[0]).toMatchObject({ at: "2024-01-02T03:04:05.678901Z", timestamp: "mine" });
  expect(read.onlyInLog).toEqual([{ id: "2", author: "ann", year: 2025, text: "second" }]);
  expect(read.repeatedInLog).toEqual([{ id: "3", author: "Eve", year: 2025, text: "not deleted" }]);

  const rowKey = ["id", "author"];
  await using catalog = await openCatalog<JsonRecord>({ storage: memoryStorage(), rowKey, ...schema });
  expect(await convertPythonCatalog(catalog, { ...tables, rowKey })).toMatchObject({ records: 4 });
  expect((await catalog.query({ year: 2024 })).map(({ record }) => record["author"])).toEqual(["Ann", "Bob"]);
});
