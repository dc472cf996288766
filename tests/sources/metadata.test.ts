import { expect, test } from "bun:test";

import { int64, table, type TableMetadata } from "../../lib/kit/mod.ts";
import { discoverTables } from "../../lib/sources/mod.ts";
import { numbers } from "../plugins/example.ts";
import { connectTo, failureOf } from "./example.ts";

const signal = new AbortController().signal;
const described = async (found: unknown) => {
  const { connector } = await connectTo({ metadata: async () => found as TableMetadata[] }, ["metadata"]);
  return connector.metadata!([numbers], { signal });
};

test("metadata() returns the known metadata of a source and omits unknown values", async () => {
  const all: TableMetadata = {
    name: "numbers",
    entityType: "materialized_view",
    rows: 0,
    sizeBytes: 12,
    columns: [{ name: "n", type: "INT64", nullable: false, description: "a number" }],
    partitionedBy: ["n"],
    clusteredBy: [],
    modifiedAt: new Date(0),
  };
  expect(await described([all, { name: "others" }])).toEqual([all, { name: "others" }]);
});

test("metadata() rejects invalid metadata with the table, the field and the value", async () => {
  const cases: readonly (readonly [unknown, string])[] = [
    [{ name: "numbers" }, "which is not a list"],
    [[null], "it returned null for a table, which is not an object"],
    [[{ rows: 1 }], "the name of a table should be a non-empty text, not undefined"],
    [
      [{ name: "t", bytes: 1 }],
      'the field bytes of table "t" is unknown; known fields: name, entityType, rows, sizeBytes',
    ],
    [[{ name: "t", rows: -1 }], 'rows of table "t" should be a non-negative integer, or missing'],
    [[{ name: "t", sizeBytes: "12" }], 'sizeBytes of table "t" should be a non-negative integer'],
    [[{ name: "t", rows: null }], 'rows of table "t" should be a non-negative integer'],
    [
      [{ name: "t", entityType: "TABLE" }],
      "should be table, view, materialized_view, external, snapshot, clone",
    ],
    [[{ name: "t", modifiedAt: new Date("?") }], 'modifiedAt of table "t" should be a valid Date'],
    [[{ name: "t", partitionedBy: "day" }], 'partitionedBy of table "t" should be a list of column names'],
    [[{ name: "t", clusteredBy: ["a", "a"] }], 'clusteredBy of table "t" should name each column once'],
    [[{ name: "t", columns: [{ name: "a" }] }], 'columns of table "t" should have a name and a type'],
    [[{ name: "t", columns: ["a"] }], 'columns of table "t" should be a list of columns'],
    [
      [{ name: "t", columns: [1, 2].map(() => ({ name: "a", type: "INT" })) }],
      'columns of table "t" should name each column once',
    ],
  ];
  for (const [found, reason] of cases) {
    expect(await failureOf(described(found))).toMatchObject({
      code: "plugin_failed",
      details: { operation: "metadata", reason: expect.stringContaining(reason) as string },
    });
  }
});

test("the notes and metadata of a table contain no secret", async () => {
  const TOKEN = "s3cret-t0ken-value";
  const info = table("t", { id: int64() }, { sourceMetadata: { owner: `by ${TOKEN}`, labels: [TOKEN] } });
  const handle = await connectTo({ discover: async () => [info] }, ["discover"], { TOKEN });
  const [listed] = await discoverTables(handle);
  expect(JSON.stringify(listed!.sourceMetadata)).not.toContain(TOKEN);
  expect(listed!.sourceMetadata).toMatchObject({ owner: expect.stringContaining("by ") as string });
});
