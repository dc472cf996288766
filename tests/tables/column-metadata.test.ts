import { describe, expect, test } from "bun:test";

import type { AgnesError } from "agnes";

import { parseRegistryJson, planRegistration, type TableChange } from "../../lib/tables/mod.ts";
import { int64, table } from "../../lib/kit/mod.ts";
import { renderRegistryJson } from "../../lib/tables/projections/registry-json.ts";
import { snapshotOf } from "../../lib/tables/projections/export.ts";
import { memoryRegistry } from "./registry-setup.ts";

const ID = "crm.orders";
const first = { amount: { description: "Net", type: "DECIMAL(12,2)" }, note: { description: "Words" } };

async function registered(columnMetadata: TableChange["columnMetadata"] = first) {
  const registry = await memoryRegistry();
  await registry.register({ source: "crm", sourceTable: "orders", columnMetadata });
  return registry;
}

describe("column_metadata", () => {
  const changes: readonly [string, TableChange["columnMetadata"], unknown][] = [
    ["keeps parts and columns that a change omits", { amount: { type: "BIGINT" } }, { amount: "Net BIGINT" }],
    ["removes a part that is null", { amount: { type: null } }, { amount: "Net undefined" }],
    ["removes a column that is null", { amount: null }, { amount: undefined }],
    ["removes a column without parts", { amount: { type: null, description: null } }, { amount: undefined }],
    ["adds columns", { day: { type: "DATE" } }, { amount: "Net DECIMAL(12,2)", day: "undefined DATE" }],
    ["ignores undefined parts", { amount: { type: undefined } }, { amount: "Net DECIMAL(12,2)" }],
    ["ignores columns without parts", { day: {} }, { day: undefined, amount: "Net DECIMAL(12,2)" }],
  ];
  for (const [title, change, expected] of changes)
    test(title, async () => {
      await using registry = await registered();
      const { table: record } = await registry.update(ID, { columnMetadata: change });
      const { columnMetadata } = record;
      const found = Object.fromEntries(
        Object.keys(expected as object).map((name) => {
          const column = columnMetadata[name];
          return [name, column && `${column.description} ${column.type}`];
        }),
      );
      expect(found).toEqual(expected as never);
      expect(columnMetadata["note"]).toEqual({ description: "Words" });
    });

  test("changes nothing if the columns are the same in another order", async () => {
    await using registry = await registered();
    const { note, amount } = first;
    const { changed } = await registry.update(ID, { columnMetadata: { note, amount } });
    expect(changed).toEqual([]);
  });

  const invalid: readonly [string, unknown, string][] = [
    ["a list", ["amount"], "should be an object of fields"],
    ["an unknown key", { amount: { kind: "x" } }, 'the column "amount" has an unknown key "kind"'],
    ["an inherited key", { amount: { constructor: "x" } }, 'an unknown key "constructor"'],
    ["a text for a column", { amount: "Net" }, 'the column "amount" should be an object, but is a string'],
    ["a number", { amount: { type: 12 } }, 'the column "amount": its type should be text'],
    ["an empty description", { amount: { description: " " } }, "is empty; use null to remove it"],
    ["control characters", { amount: { description: "a\u0007" } }, "text without control characters"],
    ["a long description", { amount: { description: "x".repeat(4001) } }, "at most 4000 characters"],
    ["a long type", { amount: { type: "x".repeat(201) } }, "at most 200 characters"],
    ["a column without a name", { "": { type: "DATE" } }, 'the column "" should be a column name'],
    [
      "too many columns",
      Object.fromEntries(Array.from({ length: 2001 }, (_, at) => [`c${at}`, null])),
      "should have at most 2000 columns",
    ],
    [
      "too much text",
      Object.fromEntries(
        Array.from({ length: 60 }, (_, at) => [`c${at}`, { description: "x".repeat(4000) }]),
      ),
      "at most 200000 characters as JSON",
    ],
  ];
  for (const [title, value, reason] of invalid)
    test(`rejects ${title}`, async () => {
      await using registry = await registered();
      const error = (await registry.update(ID, { columnMetadata: value as never }).then(
        () => null,
        (thrown: unknown) => thrown,
      )) as AgnesError | null;
      expect(error).toMatchObject({ code: "table_field_invalid", details: { field: "column_metadata" } });
      expect(error!.message).toContain(reason);
    });

  test("rejects a change that makes it too large together with what is registered", async () => {
    const long = (prefix: string) =>
      Object.fromEntries(
        Array.from({ length: 30 }, (_, at) => [`${prefix}${at}`, { description: "x".repeat(4000) }]),
      );
    await using registry = await registered(long("a"));
    expect(registry.update(ID, { columnMetadata: long("b") })).rejects.toMatchObject({
      code: "table_field_invalid",
    });
  });

  test("is replaced by that of an imported file", async () => {
    await using registry = await registered();
    const exported = renderRegistryJson(await snapshotOf(registry));
    await registry.update(ID, {
      columnMetadata: { day: { type: "DATE" }, note: { type: "VARCHAR" }, amount: null },
    });
    await registry.import(parseRegistryJson(exported, "registry.json"));
    expect((await registry.get(ID))!.columnMetadata).toEqual(first);
  });

  test("drifts if the source has no such column", async () => {
    await using registry = await registered();
    const discovered = [table("orders", { amount: int64() })];
    const { candidates } = planRegistration("crm", discovered, await registry.list());
    expect(candidates).toMatchObject([
      {
        kind: "drifted",
        drift: [{ field: "columnMetadata", reason: "the source has no column note" }],
      },
    ]);
  });
});
