import { describe, expect, test } from "bun:test";

import type { AnalyticsTable } from "../../lib/analytics/mod.ts";
import type { TableUse } from "../../lib/sql/mod.ts";
import { isAgnesError } from "../../lib/base/mod.ts";
import { TableNames } from "../../lib/query/tables.ts";
import { published, rowsOf } from "./published.ts";

function tableOf(source: string, name: string, viewName: string | null): AnalyticsTable {
  return {
    source,
    name,
    viewName,
    mode: "local",
    accessMode: "file",
    definition: "SELECT 1",
    description: "",
    rows: 1,
    sizeBytes: 1,
    extractedAt: null,
    generation: 1,
    columns: 1,
    staleReason: null,
    sourceColumns: null,
    remote: null,
  };
}

const orders = tableOf("CRM", "Orders", "Sales");
const people = tableOf("crm", "people", "people");
const hidden = tableOf("Erp", "People", null);
const all = [orders, people, hidden];
const use = (schema: string, name: string): TableUse => ({ catalog: "", schema, name }) as TableUse;
const idsOf = (granted: readonly string[]) =>
  new TableNames(all, new Set(granted)).tables.map(({ source, name }) => `${source}.${name}`);

describe("TableNames", () => {
  test("grants access by id or view name, case-insensitively", () => {
    for (const name of ["CRM.Orders", "crm.orders", "Crm.ORDERS", "Sales", "sales", "SALES"])
      expect([name, idsOf([name])]).toEqual([name, ["CRM.Orders"]]);
    expect(idsOf(["ERP.PEOPLE"])).toEqual(["Erp.People"]);
    expect(idsOf(["People"])).toEqual(["crm.people"]);
    expect(idsOf(["orders", "crm", "crm.", "CRM.Sales", ""])).toEqual([]);
    expect(idsOf([])).toEqual([]);
    expect(new TableNames(all, null).tables).toEqual(all);
  });

  test("finds an accessible table by all of its names, case-insensitively", () => {
    const names = new TableNames(all, null);
    for (const name of ["sales", "Sales", "SALES", "crm.orders", "CRM.Orders", "CRM.ORDERS"])
      expect(names.find(name)).toBe(orders);
    expect(names.find("erp.people")).toBe(hidden);
    expect(names.resolve([use("", "SALES"), use("Main", "sales"), use("MAIN", "Sales")])).toEqual([orders]);
    expect(names.resolve([use("crm", "ORDERS"), use("ERP", "people")])).toEqual([orders, hidden]);
    expect(names.resolveKnown([use("Main", "SALES"), use("CRM", "orders"), use("", "nothing")])).toEqual([
      orders,
    ]);
  });

  test("hides inaccessible tables under all of their names", () => {
    const names = new TableNames(all, new Set(["PEOPLE"]));
    for (const name of ["sales", "SALES", "crm.orders", "CRM.Orders", "erp.people"]) {
      let error: unknown;
      try {
        names.find(name);
      } catch (thrown) {
        error = thrown;
      }
      if (!isAgnesError(error, "table_unknown")) throw error;
      expect(error.details.known).toEqual(["people"]);
      expect(error.message + error.hint.replace("people", "")).not.toMatch(/orders and|Erp|stock/);
    }
    expect(names.resolveKnown([use("", "sales"), use("erp", "people")])).toEqual([]);
  });

  test("suggests accessible tables by their names in SQL, each once", () => {
    const names = new TableNames(all, null);
    try {
      names.find("peple");
      expect.unreachable();
    } catch (error) {
      if (!isAgnesError(error, "table_unknown")) throw error;
      expect(error.details.known).toEqual(["Erp.People", "people", "Sales"]);
    }
  });
});

test("runQuery() compares names in `access` and in SQL case-insensitively", async () => {
  await using shared = await published();
  const { session } = shared;
  for (const granted of [new Set(["CRM.Customers"]), new Set(["CUSTOMERS"])]) {
    for (const sql of ["FROM Customers", 'FROM "CUSTOMERS"', "FROM CRM.Customers", "FROM Main.customers"]) {
      const rows = await rowsOf(session, `SELECT count(*) AS n ${sql}`, { access: granted });
      expect([sql, rows]).toEqual([sql, [{ n: 7n }]]);
    }
  }
});

test.each([
  'FROM "crm.orders"',
  'SELECT * FROM main."CRM.Orders"',
  'DESCRIBE "crm.orders"',
  'SUMMARIZE "crm.orders"',
])("%s is an error that names no other table", async (sql) => {
  await using own = await published();
  const access = new Set(["crm.orders"]);
  const error = await rowsOf(own.session, sql, { access }).catch((thrown: unknown) => thrown);
  expect(isAgnesError(error, "sql_not_allowed")).toBe(true);
  expect((error as Error).message).toContain("quoted as one name");
  expect((error as Error).message).not.toMatch(/customers|stock/);
});
