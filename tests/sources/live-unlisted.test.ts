import { describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { createAgnes } from "agnes";
import type { AgnesError } from "agnes/kit";
import { definePlugin, int64, table, type Batch } from "agnes/kit";
import * as arrow from "apache-arrow";
import * as v from "valibot";

import { openDatabase } from "../../lib/duckdb/mod.ts";
import { temporaryFolder } from "../sync/workspace.ts";

describe("a remote table of a plugin without discover", () => {
  interface Ask {
    readonly columns?: readonly string[];
    readonly limit?: number;
    readonly bucket?: string;
    readonly sql?: string;
  }

  async function openUnlisted(
    folder: string,
    cases: {
      readonly batches?: () => AsyncGenerator<Batch>;
      readonly database?: string;
      readonly register?: Record<string, unknown>;
    },
  ) {
    const asks: Ask[] = [];
    const common = { name: "hand", version: "1.0.0", description: "Registered by hand" };
    const { batches, database, register } = cases;
    const plugin =
      batches === undefined
        ? definePlugin({
            ...common,
            capabilities: ["query"],
            options: v.strictObject({}),
            secrets: {},
            connect: ({ duckdb }) => ({
              async query(sql, { signal }) {
                asks.push({ sql });
                return duckdb.query(sql, { attach: { shop: database! }, signal });
              },
            }),
          })
        : definePlugin({
            ...common,
            capabilities: ["read"],
            options: v.strictObject({}),
            secrets: {},
            connect: () => ({
              read(_info, { columns, limit, bucket }) {
                asks.push({
                  ...(columns && { columns }),
                  ...(limit && { limit }),
                  ...(bucket !== undefined && { bucket }),
                });
                return batches();
              },
            }),
          });
    const agnes = await createAgnes({
      workspace: folder,
      plugins: [plugin],
      config: { version: 1, sources: { s: { plugin: "hand" } } },
    });
    await (
      await agnes.tables()
    ).register({ source: "s", sourceTable: "rows", queryMode: "remote", ...register });
    const { status, analytics } = await agnes.sync();
    expect({ status, errors: analytics.errors, skipped: analytics.skipped }).toEqual({
      status: "complete",
      errors: [],
      skipped: [],
    });
    expect(asks).toEqual([]);
    return { agnes, asks };
  }

  async function* rowObjects(): AsyncGenerator<Batch> {
    yield [
      { id: 1, name: "Ada", extra: { a: 1 } },
      { id: 2, name: null, extra: null },
    ];
    yield [{ id: 3, name: "Grace", extra: null }];
  }

  test("has the columns of its first rows, and requests only what a query needs", async () => {
    using folder = temporaryFolder();
    const { agnes, asks } = await openUnlisted(folder.path, { batches: rowObjects });
    await using _agnes = agnes;
    const described = await agnes.rows("DESCRIBE rows");
    expect(described.map((row) => `${String(row["column_name"])} ${String(row["column_type"])}`)).toEqual([
      "id BIGINT",
      "name VARCHAR",
      "extra VARCHAR",
    ]);
    expect(asks).toEqual([{ limit: 8192 }]);
    expect(await agnes.rows("SELECT name FROM rows WHERE id > 1 ORDER BY id")).toEqual([
      { name: null },
      { name: "Grace" },
    ]);
    // The columns are already known.
    expect(asks.slice(1)).toEqual([{ columns: ["id", "name"] }]);
  });

  test("has the columns of an Arrow batch, or of a file", async () => {
    using folder = temporaryFolder();
    const csv = join(folder.path, "rows.csv");
    await writeFile(csv, "day,x\n1,a\n2,b\n");
    const [batch] = arrow.tableFromArrays({ day: new BigInt64Array([1n, 2n]) }).batches;
    const cases: readonly (readonly [string, Batch])[] = [
      ["arrow", batch!],
      ["file", { kind: "file", format: "csv", data: csv }],
    ];
    for (const [name, one] of cases) {
      const { agnes } = await openUnlisted(join(folder.path, name), {
        async *batches() {
          yield one;
        },
      });
      await using _agnes = agnes;
      expect(await agnes.rows("SELECT sum(day)::INT AS n, typeof(any_value(day)) AS t FROM rows")).toEqual([
        { n: 3, t: "BIGINT" },
      ]);
    }
  });

  test("fails when its read yields an invalid batch", async () => {
    using folder = temporaryFolder();
    const good = [{ id: 1, name: "Ada" }];
    for (const [at, value] of [null, undefined, {}, { kind: "file", format: "csv" }].entries()) {
      for (const described of [false, true]) {
        let reads = 0;
        const { agnes } = await openUnlisted(join(folder.path, `${at}${described}`), {
          async *batches() {
            reads += 1;
            yield described && reads === 1 ? good : (value as never);
          },
        });
        await using _agnes = agnes;
        const failure = await agnes.rows("SELECT id FROM rows").catch((error: unknown) => error);
        expect(failure).toMatchObject({ message: expect.stringContaining("is not valid: it is") });
      }
    }
  });

  test("has only its registered columns, also without rows", async () => {
    using folder = temporaryFolder();
    const register = { columns: ["name", "id"], primaryKey: ["id"] };
    const some = await openUnlisted(join(folder.path, "some"), { batches: rowObjects, register });
    await using _some = some.agnes;
    expect(await some.agnes.rows("FROM rows ORDER BY id LIMIT 1")).toEqual([{ id: 1, name: "Ada" }]);
    expect(some.asks[0]).toEqual({ columns: ["name", "id"], limit: 8192 });
    const none = await openUnlisted(join(folder.path, "none"), { async *batches() {}, register });
    await using _none = none.agnes;
    expect(await none.agnes.rows("SELECT count(name) AS n FROM rows")).toEqual([{ n: 0 }]);
  });

  test("gets its registered bucket in every read", async () => {
    using folder = temporaryFolder();
    const register = { sourceTable: "in.c-crm.rows", name: "rows" };
    const { agnes, asks } = await openUnlisted(folder.path, { batches: rowObjects, register });
    await using _agnes = agnes;
    expect(await agnes.rows("SELECT id FROM rows ORDER BY id LIMIT 1")).toEqual([{ id: 1 }]);
    expect(asks.map(({ bucket }) => bucket)).toEqual(["in.c-crm", "in.c-crm"]);
  });

  test("is rejected when its columns are unknown or a registered one is missing", async () => {
    using folder = temporaryFolder();
    const none = await openUnlisted(join(folder.path, "none"), { async *batches() {} });
    await using _none = none.agnes;
    const missing = await openUnlisted(join(folder.path, "missing"), {
      batches: rowObjects,
      register: { columns: ["id", "nam"] },
    });
    await using _missing = missing.agnes;
    for (const [agnes, reason] of [
      [none.agnes, "register it with its columns"],
      [missing.agnes, '"nam"'],
    ] as const) {
      const failure = await agnes.rows("FROM rows").catch((error: unknown) => error);
      expect(failure).toMatchObject({
        code: "table_plan_invalid",
        message: expect.stringContaining(reason),
      });
    }
  });

  test("fails with the value that does not fit the types of the first rows", async () => {
    using folder = temporaryFolder();
    const { agnes } = await openUnlisted(folder.path, {
      async *batches() {
        yield Array.from({ length: 8192 }, (_, id) => ({ id }));
        yield [{ id: 1.5 }];
      },
    });
    await using _agnes = agnes;
    const failure = await agnes.rows("SELECT count(id) FROM rows").catch((error: unknown) => error);
    expect(failure).toMatchObject({ message: expect.stringContaining("1.5") });
  });

  test("is read with SQL when its connector has only query", async () => {
    using folder = temporaryFolder();
    const database = join(folder.path, "shop.duckdb");
    {
      await using file = await openDatabase({ path: database });
      await using connection = await file.connect();
      await connection.run("CREATE TABLE rows AS SELECT range AS id, 'n' || range AS name FROM range(5)");
    }
    const all = await openUnlisted(join(folder.path, "all"), {
      database,
      register: { bucket: "shop" },
    });
    await using _all = all.agnes;
    expect(await all.agnes.rows("SELECT name FROM rows WHERE id = 3")).toEqual([{ name: "n3" }]);
    expect(all.asks.map(({ sql }) => sql)).toEqual([
      'SELECT * FROM "shop"."rows" WHERE 1 = 0',
      'SELECT "id", "name" FROM "shop"."rows" WHERE "id" IN (3)',
    ]);
    const some = await openUnlisted(join(folder.path, "some"), {
      database,
      register: { columns: ["id"], bucket: "shop" },
    });
    await using _some = some.agnes;
    expect(await some.agnes.rows("SELECT count(*) AS n FROM rows")).toEqual([{ n: 5 }]);
    expect(some.asks[0]!.sql).toBe('SELECT "id" FROM "shop"."rows" LIMIT 1');
  });
});

test.each([true, false])(
  "deletions in a live read report the table to copy (discover: %p)",
  async (lists) => {
    using folder = temporaryFolder();
    const read = async function* () {
      yield { kind: "deletions" as const, keys: [{ id: 1 }] };
    };
    const common = {
      name: "live",
      version: "1.0.0",
      description: "A table that takes rows back",
      options: v.strictObject({}),
      secrets: {},
    };
    const discover = async () => [table("rows", { id: int64() }, { primaryKey: ["id"] })];
    const plugin = lists
      ? definePlugin({ ...common, capabilities: ["discover", "read"], connect: () => ({ discover, read }) })
      : definePlugin({ ...common, capabilities: ["read"], connect: () => ({ read }) });
    await using agnes = await createAgnes({
      workspace: folder.path,
      plugins: [plugin],
      config: { version: 1, sources: { s: { plugin: "live" } } },
    });
    await (await agnes.tables()).register({ source: "s", sourceTable: "rows", queryMode: "remote" });
    await agnes.sync();
    const failure = await agnes.rows("SELECT * FROM rows").catch((error: unknown) => error);
    expect((failure as AgnesError).hint).toContain("`agnes table update s.rows --mode local`");
  },
);
