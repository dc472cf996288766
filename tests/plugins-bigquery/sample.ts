import type { FakeCell, FakeTable } from "../fakes/bigquery/mod.ts";

const MICROS = 1_767_225_600_000_000n;

/** Orders with the common types, a key and nulls. */
export function ordersTable(count: number): FakeTable {
  return {
    dataset: "shop",
    id: "orders",
    fields: [
      { name: "id", type: "INTEGER", mode: "REQUIRED", description: "The number of the order" },
      { name: "customer", type: "STRING", mode: "NULLABLE" },
      { name: "amount", type: "NUMERIC", mode: "NULLABLE", precision: "12", scale: "2" },
      { name: "is_open", type: "BOOLEAN" },
      { name: "day", type: "DATE" },
      { name: "changed_at", type: "TIMESTAMP" },
      { name: "local_time", type: "DATETIME" },
      { name: "ratio", type: "FLOAT" },
      {
        name: "lines",
        type: "RECORD",
        mode: "REPEATED",
        fields: [
          { name: "item", type: "STRING" },
          { name: "count", type: "INTEGER" },
        ],
      },
    ],
    rows: Array.from({ length: count }, (_, id): FakeCell[] => [
      String(id),
      id % 7 === 6 ? null : `Čapek '${id % 5}' \\`,
      `${id}.25`,
      id % 3 === 0 ? null : String(id % 2 === 0),
      `2026-01-${String((id % 28) + 1).padStart(2, "0")}`,
      String(MICROS + BigInt(id) * 1_000_001n),
      `2026-01-01T00:00:${String(id % 60).padStart(2, "0")}.000001`,
      id % 4 === 0 ? "NaN" : String(id / 8),
      Array.from({ length: id % 3 }, (_line, at) => ({ v: { f: [{ v: `item ${at}` }, { v: String(at) }] } })),
    ]),
    partitions: Array.from({ length: Math.min(count, 28) }, (_, at) => ({
      id: `202601${String(at + 1).padStart(2, "0")}`,
      modified: String(MICROS),
    })),
    resource: {
      tableConstraints: { primaryKey: { columns: ["id"] } },
      timePartitioning: { type: "DAY", field: "day" },
      clustering: { fields: ["customer"] },
      description: "All orders",
    },
  };
}

/** A table without rows, in a dataset of its own. */
export const EMPTY: FakeTable = {
  dataset: "archive",
  id: "old-orders 2020",
  fields: [{ name: "select", type: "STRING" }],
};

/** A table with two rows of one column. */
export function smallTable(
  dataset: string,
  id: string,
  resource: Readonly<Record<string, unknown>> = {},
): FakeTable {
  return { dataset, id, fields: [{ name: "id", type: "INTEGER" }], rows: [["1"], ["2"]], resource };
}
