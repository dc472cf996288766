import { describe, expect, setDefaultTimeout, test } from "bun:test";

import type { AgnesError } from "agnes/kit";

import { openWorkspace } from "./agnes.ts";
import { columnsOf, ORDERS, outcomes, projectWith, write } from "./metadata.ts";
import { described } from "./project.ts";
import { openProject, rejection } from "./support.ts";

setDefaultTimeout(30_000);

describe("keboola: writeMetadata()", () => {
  test("writes all that differs in one request, and discover() returns it", async () => {
    const keboola = projectWith();
    const columns = [
      { name: "amount", description: "Net amount in CZK", type: "DECIMAL(12,2)" },
      { name: "note", description: 'said "é"\nand more' },
    ];
    const { changes, sent } = await write(keboola, columns);
    expect(changes).toEqual([
      {
        column: "amount",
        part: "description",
        value: "Net amount in CZK",
        before: null,
        outcome: "written",
      },
      { column: "amount", part: "type", value: "DECIMAL(12,2)", before: "VARCHAR", outcome: "written" },
      { column: "note", part: "description", value: 'said "é"\nand more', before: null, outcome: "written" },
    ]);
    const entry = (columnName: string, key: string, value: string) => ({
      columnName,
      key: `KBC.${key}`,
      value,
    });
    expect(sent).toEqual([
      {
        provider: "ai-metadata-enrichment",
        columnsMetadata: {
          0: [
            entry("amount", "description", "Net amount in CZK"),
            entry("amount", "datatype.basetype", "NUMERIC"),
            entry("amount", "datatype.type", "NUMBER"),
            entry("amount", "datatype.length", "12,2"),
          ],
          1: [entry("note", "description", 'said "é"\nand more')],
        },
      },
    ]);
    expect(await columnsOf(keboola)).toEqual({
      id: ["VARCHAR", null],
      amount: ["DECIMAL(12,2)", "Net amount in CZK"],
      note: ["VARCHAR", 'said "é"\nand more'],
    });
    const again = await write(keboola, columns);
    expect([outcomes(again.changes), again.sent]).toEqual([
      ["amount description unchanged", "amount type unchanged", "note description unchanged"],
      [],
    ]);
  });

  const types = [
    ["VARCHAR", "VARCHAR"],
    ["text", "VARCHAR"],
    ["BIGINT", "BIGINT"],
    ["DOUBLE", "DOUBLE"],
    ["BOOLEAN", "BOOLEAN"],
    ["DATE", "DATE"],
    ["TIMESTAMP", "TIMESTAMP"],
    ["TIMESTAMP WITH TIME ZONE", "TIMESTAMP WITH TIME ZONE"],
    ["timestamptz", "TIMESTAMP WITH TIME ZONE"],
    ["DECIMAL(12,2)", "DECIMAL(12,2)"],
    ["numeric( 38 , 9 )", "DECIMAL(38,9)"],
    ["DECIMAL(38,0)", "DECIMAL(38,0)"],
    ["DECIMAL(19)", "DECIMAL(19,0)"],
    ["DECIMAL", "DECIMAL(18,3)"],
  ] as const;
  for (const [type, expected] of types)
    test(`writes the type ${type}, which discover() returns as ${expected}, also over any other type`, async () => {
      for (const [earlier] of types) {
        const keboola = projectWith();
        await write(keboola, [{ name: "amount", type: earlier }]);
        await write(keboola, [{ name: "amount", type }]);
        expect((await columnsOf(keboola))["amount"]).toEqual([expected, null]);
        expect((await write(keboola, [{ name: "amount", type }])).sent).toEqual([]);
      }
    });

  const unknown = [
    ["INTEGER", "Keboola has no INTEGER; a column of type BIGINT holds its values"],
    ["REAL", "Keboola has no REAL; a column of type DOUBLE holds its values"],
    ["DECIMAL(10,0)", "Keboola describes DECIMAL(10,0) as an integer, whose type is BIGINT"],
    ["DECIMAL(39,2)", "DECIMAL(39,2) is not a type"],
    ["DECIMAL(2,3)", "DECIMAL(2,3) is not a type"],
    ["TIME", 'no data type for "TIME"'],
    ["DECIMAL(12,2", 'no data type for "DECIMAL(12,2"'],
    ["VARCHAR(10)", 'no data type for "VARCHAR(10)"'],
    ["constructor", 'no data type for "constructor"'],
    ["INTEGER[]", 'no data type for "INTEGER[]"'],
  ] as const;
  for (const [type, reason] of unknown)
    test(`skips the type ${type}, which no metadata describes`, async () => {
      const { changes, sent } = await write(projectWith(), [{ name: "amount", type }]);
      expect(changes).toMatchObject([
        { outcome: "skipped", value: type, before: "VARCHAR", reason: expect.stringContaining(reason) },
      ]);
      expect(sent).toEqual([]);
    });

  test("skips what a user of Keboola set, and writes over other providers", async () => {
    const keboola = projectWith({
      columnMetadata: {
        id: [...described("INTEGER"), { key: "KBC.description", value: "Number", provider: "user" }],
        amount: [
          ...described("STRING", undefined, "storage"),
          { key: "KBC.description", value: "by a component", provider: "keboola.ex-db-mysql" },
        ],
        note: [...described("DATE", undefined, "ai-metadata-enrichment")],
      },
    });
    const { changes, sent } = await write(keboola, [
      { name: "id", description: "Key", type: "DOUBLE" },
      { name: "amount", description: "Net", type: "DECIMAL(12,2)" },
      { name: "note", type: "BOOLEAN" },
    ]);
    expect(outcomes(changes)).toEqual([
      "id description skipped",
      "id type skipped",
      "amount description written",
      "amount type written",
      "note type written",
    ]);
    expect(changes.slice(0, 2)).toMatchObject([
      { before: "Number", reason: "a user of Keboola described the column, which comes first" },
      { before: "BIGINT", reason: "a user of Keboola set the type of the column, which comes first" },
    ]);
    expect(sent).toHaveLength(1);
    expect(JSON.stringify(sent)).not.toContain('"columnName":"id"');
    expect(await columnsOf(keboola)).toEqual({
      id: ["BIGINT", "Number"],
      amount: ["DECIMAL(12,2)", "Net"],
      note: ["BOOLEAN", null],
    });
    // The same value as that of a user needs no request.
    expect((await write(keboola, [{ name: "id", description: "Number", type: "BIGINT" }])).sent).toEqual([]);
  });

  test("writes descriptions of a typed table, and skips types that are not those of its columns", async () => {
    const columns = [
      { name: "id", type: "NUMBER", length: "38,0" },
      { name: "amount", type: "NUMBER", length: "12,2" },
      { name: "note", type: "TIME", length: 6 },
    ];
    const keboola = projectWith({ columns });
    const { changes, sent } = await write(keboola, [
      { name: "id", type: "BIGINT" },
      { name: "amount", description: "Net", type: "DECIMAL(12,2)" },
      { name: "note", type: "DATE" },
    ]);
    expect(outcomes(changes)).toEqual([
      "id type skipped",
      "amount description written",
      "amount type unchanged",
      "note type skipped",
    ]);
    expect(changes[0]).toMatchObject({
      before: "DECIMAL(38,0)",
      reason: "the table is typed, so its column stays NUMBER(38,0)",
    });
    expect(JSON.stringify(sent)).not.toContain("datatype");
    expect((await write(keboola, [{ name: "note", type: "time" }])).changes).toMatchObject([
      { outcome: "unchanged" },
    ]);
  });

  test("sends nothing in a dry run, and reports the same changes", async () => {
    const keboola = projectWith();
    const columns = [{ name: "amount", description: "Net", type: "DATE" }];
    const dry = await write(keboola, columns, { dryRun: true });
    expect(keboola.requests.every(({ method }) => method === "GET")).toBe(true);
    expect(dry.changes).toEqual((await write(keboola, columns)).changes);
  });

  test("skips columns that the table does not have", async () => {
    const { changes, sent } = await write(projectWith(), [
      { name: "Amount", description: "Net", type: "DATE" },
      { name: "note", description: "Words" },
    ]);
    expect(outcomes(changes)).toEqual([
      "Amount description skipped",
      "Amount type skipped",
      "note description written",
    ]);
    expect(changes[0]).toMatchObject({ before: null, reason: "the table has no such column" });
    expect(sent).toHaveLength(1);
  });

  test("writes to columns with odd names", async () => {
    const keboola = projectWith({ columns: ["0", "constructor", "a b"] });
    const columns = ["0", "constructor", "a b"].map((name) => ({ name, description: `the ${name}` }));
    await write(keboola, columns);
    expect(Object.entries(await columnsOf(keboola))).toEqual(
      columns.map(({ name, description }) => [name, ["VARCHAR", description]]),
    );
  });

  test("rejects aliases and linked tables, whose columns are described by their source", async () => {
    const keboola = projectWith();
    keboola.storage.createAlias("out.c-mart.named", ORDERS);
    const shared = keboola.createProject({ id: 99, name: "shared" });
    shared.createTable("out.c-shared.t", { columns: ["note"] });
    keboola.storage.linkBucket("in.c-linked", shared, "out.c-shared");
    const columns = [{ name: "note", description: "Words" }];
    for (const [table, reason] of [
      ["out.c-mart.named", `it is an alias, and its columns are described by its source, ${ORDERS}`],
      ["in.c-linked.t", "out.c-shared.t of project 99"],
    ] as const) {
      const error = await rejection(write(keboola, columns, { table }));
      expect(error).toMatchObject({ code: "keboola/write_refused" });
      expect(error.message).toContain(reason);
    }
    expect(keboola.requestsOf("metadata")).toEqual([]);
  });

  test("writes to the branch of the options only, and finds a table by its bucket", async () => {
    const keboola = projectWith();
    const branch = keboola.createBranch(77);
    const columns = [{ name: "note", description: "Words" }];
    const options = { branch: 77 };
    for (const dryRun of [false, true])
      expect(await rejection(write(keboola, columns, { options, dryRun }))).toMatchObject({
        code: "keboola/write_refused",
        message: expect.stringContaining(
          "branch 77 does not have it, and writing never falls back to the default branch",
        ) as string,
      });
    expect(await rejection(write(keboola, columns, { options: { branch: 78 } }))).toMatchObject({
      code: "keboola/branch_missing",
    });
    expect((await write(keboola, columns, { table: "in.c-crm.none" })).changes).toBeNull();
    branch.createTable(ORDERS, { columns: ["note"] });
    await write(keboola, columns, { table: "orders", bucket: "in.c-crm", options });
    expect(branch.table(ORDERS).columnMetadata.get("note")).toMatchObject([{ value: "Words" }]);
    expect(keboola.storage.table(ORDERS).columnMetadata.size).toBe(0);
  });

  test("is off unless the option `write` is set, and names a token that may not write", async () => {
    const columns = [{ name: "note", description: "Words" }];
    const off = await rejection(write(projectWith(), columns, { options: { write: false } }));
    expect(off).toMatchObject({ code: "keboola/write_off" });
    const keboola = projectWith();
    const token = keboola.createToken({ bucketPermissions: { "in.c-crm": "read" } });
    await using project = await openProject(keboola, { write: true }, { token });
    const { connector } = project.handle;
    const { signal } = new AbortController();
    for (const dryRun of [false, true])
      expect(await rejection(connector.writeMetadata!(ORDERS, columns, { signal, dryRun }))).toMatchObject({
        code: "keboola/write_denied",
      });
    expect(keboola.requestsOf("metadata")).toEqual([]);
  });
});

test("pushMetadata() writes the registered metadata to Keboola, and the next sync returns it", async () => {
  const keboola = projectWith({ rows: [{ id: "1", amount: "1.50", note: "x" }] });
  await using workspace = await openWorkspace(keboola, { options: { write: true } });
  const { agnes } = workspace;
  const registry = await agnes.tables();
  await registry.register({ source: "crm", sourceTable: ORDERS, name: "orders" });
  const error = (await rejection(agnes.pushMetadata({ table: "orders" }))) as AgnesError;
  expect([error.code, error.hint]).toEqual([
    "write_refused",
    expect.stringContaining("agnes table update crm.orders --column-metadata") as string,
  ]);
  await registry.update("crm.orders", {
    columnMetadata: { amount: { description: "Net amount in CZK", type: "DECIMAL(12,2)" } },
  });
  const report = await agnes.pushMetadata({ table: "orders" });
  expect(report).toMatchObject({ source: "crm", table: "crm.orders", dryRun: false });
  expect(outcomes(report.changes)).toEqual(["amount description written", "amount type written"]);
  await agnes.sync();
  await registry.update("crm.orders", { columnMetadata: null });
  const { schema } = await agnes.describe("orders");
  expect(schema.find(({ name }) => name === "amount")).toMatchObject({
    type: "DECIMAL(12,2)",
    description: "Net amount in CZK",
  });
});
