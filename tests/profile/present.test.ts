import { expect, test } from "bun:test";

import { presentProfile } from "../../lib/profile/present.ts";
import type { CheckedEntry, DocumentedTable } from "../../lib/query/mod.ts";
import type { TableRecord } from "../../lib/tables/mod.ts";
import { figuresOf } from "./figures-of.ts";

const figures = await figuresOf(
  "SELECT 1 AS id, 'Ann Secret' AS name, DATE '1999-12-31' AS born, NULL::INTEGER AS note UNION ALL SELECT 2, 'Bo Secret', DATE '2001-01-01', 5",
);
const stored = { generated_at: "2026-11-27T00:00:00.000Z", generation: 1, content: "", figures };

function shown(columns: readonly string[]) {
  const schema = columns.map((name) => ({ name, type: "", nullable: true, description: "" }));
  const foreignKeys = [
    { column: "id", references: "orders.person" },
    { column: "born", references: "days" },
  ];
  const table = {
    id: "crm.people",
    name: "people",
    description: "",
    primaryKey: ["id"],
    schema,
    foreignKeys,
  };
  const other = (name: string, keys: TableRecord["foreignKeys"] = []) =>
    ({ id: `crm.${name}`, viewName: name, foreignKeys: keys }) as unknown as TableRecord;
  return presentProfile(stored, {
    table: table as unknown as DocumentedTable,
    entry: { sizeBytes: 2_500_000, checkedAt: null } as CheckedEntry,
    record: null,
    accessible: [
      other("people", foreignKeys),
      other("orders", [{ column: "person", references: "crm.people.id", description: "who" }]),
    ],
    stale: null,
  });
}

test("presentProfile() adds what the workspace knows of the table", () => {
  const profile = shown(["id", "name", "born", "note"]);
  expect(profile).toMatchObject({
    column_count: 4,
    missing_cells: 1,
    missing_cells_pct: 12.5,
    avg_completeness: 87.5,
    file_size_mb: 2.5,
    variable_types: { NUMERIC: 2, STRING: 1, DATE: 1 },
    date_range: { earliest: "1999-12-31", latest: "2001-01-01", span_days: 367 },
    sample_rows: [
      { id: 1, name: "Ann Secret", born: "1999-12-31", note: null },
      { id: 2, name: "Bo Secret", born: "2001-01-01", note: 5 },
    ],
  });
  expect(profile.columns.map(({ is_primary_key }) => is_primary_key)).toEqual([true, false, false, false]);
  const [toOrders, toDays, ofOrders] = profile.related_tables;
  expect(toOrders).toMatchObject({
    table: "orders",
    join_column: "id",
    foreign_column: "person",
    direction: "belongs_to",
  });
  expect(toDays).toMatchObject({ table: "days", join_column: "born", foreign_column: null });
  expect(ofOrders).toEqual({
    table: "orders",
    join_column: "id",
    foreign_column: "person",
    direction: "has_many",
    description: "who",
  });
});

test("presentProfile() leaves out a column that the caller may not query, with all its values", () => {
  const profile = shown(["id", "note"]);
  expect(JSON.stringify(profile)).not.toMatch(/Secret|1999|2001|born|"name":"name"/);
  expect(profile).toMatchObject({
    column_count: 2,
    missing_cells: 1,
    missing_cells_pct: 25,
    date_range: null,
  });
  expect(profile.sample_rows).toEqual([
    { id: 1, note: null },
    { id: 2, note: 5 },
  ]);
  expect(profile.alerts.map(({ column }) => column)).toEqual(["id", "note"]);
});
