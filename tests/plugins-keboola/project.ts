import { fakeKeboola, type FakeKeboola, type KeboolaScript } from "../fakes/keboola/mod.ts";

const entry = (provider: string, key: string, value: string) => ({ provider, key: `KBC.${key}`, value });

/** Metadata of the type of a column. */
export const described = (basetype: string, length?: string, provider = "user") => [
  entry(provider, "datatype.basetype", basetype),
  ...(length === undefined ? [] : [entry(provider, "datatype.length", length)]),
];

/** Metadata that the storage keeps of a column with a native type. */
export const native = (type: string, length?: string) => [
  entry("storage", "datatype.type", type),
  ...(length === undefined ? [] : [entry("storage", "datatype.length", length)]),
];

/** A project with a table of strings, one with native types, an alias with a filter, and an empty table. */
export function sampleProject(script: KeboolaScript = {}): FakeKeboola {
  const keboola = fakeKeboola({ clock: { now: () => new Date("2026-05-01T00:00:00Z") }, ...script });
  keboola.storage.createTable("in.c-crm.orders", {
    columns: ["id", "customer", "amount", "placed_on"],
    primaryKey: ["id"],
    columnMetadata: {
      id: described("INTEGER"),
      amount: described("NUMERIC", "12,2"),
      placed_on: described("DATE"),
    },
    rows: Array.from({ length: 90 }, (_, at) => ({
      id: String(at),
      customer: at % 3 === 0 ? "" : `customer "${at}",\nof town`,
      amount: at % 5 === 0 ? "" : `${at}.10`,
      placed_on: at % 4 === 0 ? "" : `2026-01-${String((at % 28) + 1).padStart(2, "0")}`,
    })),
  });
  keboola.storage.createTable("in.c-crm.payments", {
    columns: [
      { name: "id", type: "NUMBER", length: "38,0" },
      { name: "note", type: "VARCHAR", length: 16_777_216 },
      { name: "amount", type: "NUMBER", length: "12,2" },
      { name: "is_open", type: "BOOLEAN" },
      { name: "paid_at", type: "TIMESTAMP_NTZ", length: 9 },
    ],
    primaryKey: ["id"],
    columnMetadata: {
      id: native("NUMBER", "38,0"),
      note: native("VARCHAR", "16777216"),
      amount: native("NUMBER", "12,2"),
      is_open: native("BOOLEAN"),
      paid_at: native("TIMESTAMP_NTZ", "9"),
    },
    rows: Array.from({ length: 50 }, (_, at) => ({
      id: String(at),
      note: [null, "", "paid", "null"][at % 4]!,
      amount: at % 7 === 0 ? null : `${at}.50`,
      is_open: at % 5 === 0 ? null : String(at % 2 === 0),
      paid_at: at % 3 === 0 ? null : "2026-02-01 10:30:00.250",
    })),
  });
  keboola.storage.createAlias("out.c-mart.named", "in.c-crm.orders", {
    filter: { column: "customer", operator: "ne", values: [""] },
    primaryKey: ["id"],
  });
  keboola.storage.createTable("in.c-crm.empty", { columns: ["id", "name"], rows: [] });
  return keboola;
}

/** The case of the contract that needs pages. */
export const NO_PAGES = {
  case: "an extract survives a short page",
  reason: "the Storage API lists everything in one response",
};
