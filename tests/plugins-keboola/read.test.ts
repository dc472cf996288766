import { describe, expect, test } from "bun:test";

import { fakeKeboola, type FileProvider, type KeboolaScript } from "../fakes/keboola/mod.ts";
import { errorsOf, exportsOf, openProject } from "./support.ts";

const user = (basetype: string, length?: string) => [
  { key: "KBC.datatype.basetype", value: basetype, provider: "user" },
  ...(length === undefined ? [] : [{ key: "KBC.datatype.length", value: length, provider: "user" }]),
];

function crm(script: KeboolaScript = {}) {
  const keboola = fakeKeboola(script);
  keboola.storage.createTable("in.c-crm.orders", {
    columns: ["id", "customer", "amount", "paid", "placed_on", "updated_at"],
    primaryKey: ["id"],
    columnMetadata: {
      id: user("INTEGER"),
      amount: user("NUMERIC", "12,2"),
      paid: user("BOOLEAN"),
      placed_on: user("DATE"),
      updated_at: user("TIMESTAMP"),
    },
    rows: Array.from({ length: 100 }, (_, at) => ({
      id: String(at),
      customer: at % 3 === 0 ? "" : `customer "${at}",\nof town`,
      amount: at % 5 === 0 ? "" : `${at}.10`,
      paid: ["true", "FALSE", "1", "0", "yes", "No", ""][at % 7]!,
      placed_on: at % 4 === 0 ? "" : "2026-01-31",
      updated_at: "2026-01-31 10:00:00.123",
    })),
  });
  return keboola;
}

describe("read()", () => {
  const formats: readonly [string, KeboolaScript][] = [
    ["Parquet", {}],
    ["CSV", { parquet: false }],
    ["plain CSV", { parquet: false, gzip: false }],
    ["unsliced CSV", { parquet: false, isSliced: false }],
    ["unsliced CSV without a header", { parquet: false, isSliced: false, header: "never" }],
    ["gzipped CSV whose names do not tell", { parquet: false, gzipNames: false }],
    ["plain CSV that is named .gz", { parquet: false, gzip: false, gzipNames: true }],
  ];
  for (const provider of ["https", "aws", "azure", "gcp"] as readonly FileProvider[]) {
    // The format does not depend on the cloud.
    for (const [title, script] of provider === "https" ? formats : formats.slice(0, 2)) {
      test(`publishes the values of ${title} from ${provider}`, async () => {
        const keboola = crm({ provider, ...script });
        await using project = await openProject(keboola);
        const stats = await project.sync({ "in.c-crm.orders": {} });
        expect(errorsOf(stats)).toEqual([]);
        const [totals] = await project.rows(
          `SELECT count(*)::INT AS rows, sum(amount)::VARCHAR AS total, count(amount)::INT AS amounts,
             count_if(customer = '')::INT AS unnamed, count_if(customer IS NULL)::INT AS missing,
             count_if(paid)::INT AS paid, count_if(NOT paid)::INT AS unpaid, count(placed_on)::INT AS days,
             min(updated_at)::VARCHAR AS first, typeof(min(amount)) AS type FROM orders`,
        );
        expect(totals).toEqual({
          rows: 100,
          total: "4008.00",
          amounts: 80,
          unnamed: 34,
          missing: 0,
          paid: 43,
          unpaid: 43,
          days: 75,
          first: "2026-01-31 10:00:00.123",
          type: "DECIMAL(12,2)",
        });
        expect(keboola.leaks).toEqual([]);
        const bodies = exportsOf(keboola);
        expect(bodies[0]).toMatchObject({
          columns: "id,customer,amount,paid,placed_on,updated_at",
          fileType: "parquet",
        });
      });
    }
  }

  test("keeps a row of a slice of CSV that equals the names of the columns", async () => {
    const keboola = fakeKeboola({ parquet: false, isSliced: true });
    // One row, because their order is random.
    keboola.storage.createTable("in.c-crm.names", { columns: ["name"], rows: [{ name: "name" }] });
    await using project = await openProject(keboola);
    expect(errorsOf(await project.sync({ "in.c-crm.names": {} }))).toEqual([]);
    expect(await project.rows("SELECT name FROM names")).toEqual([{ name: "name" }]);
  });

  test("leaves conditions on types that text does not represent to Agnes", async () => {
    const keboola = fakeKeboola();
    keboola.storage.createTable("in.c-crm.events", {
      columns: [
        { name: "data", type: "VARIANT" },
        { name: "hash", type: "BINARY" },
        { name: "label", type: "VARCHAR", length: 50 },
        { name: "code", type: "CHAR", length: 1 },
      ],
      rows: [
        { data: "1", hash: "AB", label: "x", code: "c" },
        { data: "2", hash: "AB", label: "x", code: "c" },
      ],
    });
    await using project = await openProject(keboola);
    const filter = [
      { column: "data", operator: "eq", values: ["1"] },
      { column: "hash", operator: "eq", values: ["AB"] },
      { column: "label", operator: "eq", values: ["x"] },
      { column: "code", operator: "eq", values: ["c"] },
    ] as const;
    expect(errorsOf(await project.sync({ "in.c-crm.events": { filter } }))).toEqual([]);
    expect(await project.rows("SELECT data FROM events")).toEqual([{ data: "1" }]);
    const sent = exportsOf(keboola)[0]!["whereFilters"] as readonly { readonly column: string }[];
    expect(sent.map(({ column }) => column)).toEqual(["label", "code"]);
  });
});
