import { describe, expect, test } from "bun:test";

import { arrow, int64, table, utf8, type TableInfo } from "../../lib/kit/mod.ts";
import { discoverTables } from "../../lib/sources/mod.ts";
import { numbers } from "../plugins/example.ts";
import { connectTo, failureOf } from "./example.ts";

const handleOf = (tables: readonly unknown[]) =>
  connectTo({ discover: async () => tables as readonly TableInfo[] }, ["discover"]);

describe("discoverTables()", () => {
  test("discoverTables() joins pages and single tables in the order of the source", async () => {
    const named = (name: string) => table(name, { id: int64() });
    const handle = await connectTo(
      {
        async *discover() {
          yield [named("b"), named("a")];
          yield named("in.c-crm.Orders 2024");
          yield [];
        },
      },
      ["discover"],
    );
    expect((await discoverTables(handle)).map(({ name }) => name)).toEqual([
      "b",
      "a",
      "in.c-crm.Orders 2024",
    ]);
    expect(await discoverTables(await handleOf([]))).toEqual([]);
  });

  test("discoverTables() rejects invalid tables with the reason", async () => {
    const id = { id: int64() };
    const cases: readonly (readonly [unknown, string])[] = [
      [null, "it lists null"],
      [{ ...numbers, name: "" }, '"" is not a valid table name'],
      [{ ...numbers, name: "a\u0000b" }, "is not a valid table name"],
      [{ ...numbers, name: 7 }, "7 is not a valid table name"],
      [{ ...numbers, schema: undefined }, 'the schema of table "numbers" has no columns'],
      [table("t", {}), 'the schema of table "t" has no columns'],
      [table("t", { ID: int64(), id: utf8() }), 'the column "id" of table "t" occurs twice'],
      [table("t", { "": int64() }), 'the column "" of table "t" has no name'],
      [
        table("t", id, { primaryKey: ["ids"] }),
        'the column "ids" in the key or cursor of table "t" does not exist',
      ],
      [table("t", id, { cursor: "at" }), 'the column "at" in the key or cursor of table "t" does not exist'],
      [{ ...table("t", id), primaryKey: undefined }, 'the primary key of table "t" is not a list'],
      [
        table("t", id, { capabilities: ["read"] }),
        'the capability "read" of table "t" is not declared by the plugin',
      ],
      [
        table("t", id, { sourceMetadata: [1] as never }),
        'the sourceMetadata of table "t" should be an object',
      ],
      [
        table("t", id, { sourceMetadata: { n: 1n as never } }),
        'of table "t" should contain only JSON values',
      ],
      [table("t", id, { sourceMetadata: { n: "x".repeat(100_000) } }), "at most 100000 characters as JSON"],
    ];
    for (const [bad, reason] of cases) {
      const error = await failureOf(discoverTables(await handleOf([bad])));
      expect(error).toMatchObject({
        code: "plugin_failed",
        details: { operation: "discover", reason: expect.stringContaining(reason) as string },
      });
    }
  });

  test("discoverTables() rejects a table that is listed twice", async () => {
    expect(await failureOf(discoverTables(await handleOf([numbers, numbers])))).toMatchObject({
      details: { reason: 'it lists table "numbers" twice' },
    });
  });

  test("discoverTables() accepts a schema of another copy of Arrow", async () => {
    const foreign = { fields: [{ name: "n", type: { typeId: arrow.Type.Int }, nullable: true }] };
    const [found] = await discoverTables(await handleOf([{ name: "t", schema: foreign, primaryKey: [] }]));
    expect(found!.name).toBe("t");
  });

  test("discoverTables() times out when the discovery never ends", async () => {
    const handle = await connectTo(
      {
        async *discover() {
          yield numbers;
          await new Promise(() => {});
        },
      },
      ["discover"],
    );
    expect(await failureOf(discoverTables(handle, { timeoutMs: 20 }))).toMatchObject({ code: "timed_out" });
    const controller = new AbortController();
    const stopped = failureOf(discoverTables(handle, { signal: controller.signal }));
    controller.abort();
    expect(await stopped).toMatchObject({ code: "aborted" });
  });

  test("discoverTables() throws capability_missing when the plugin has no discover", async () => {
    const handle = await connectTo({ metadata: async () => [] }, ["metadata"]);
    expect(await failureOf(discoverTables(handle))).toMatchObject({
      code: "capability_missing",
      message: "source s cannot discover: its plugin numbers does not declare it",
    });
  });
});
