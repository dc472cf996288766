import { describe, expect, test } from "bun:test";
import fc from "fast-check";

import type { AgnesError } from "../../lib/base/mod.ts";
import { memoryStorage } from "../../lib/catalog/mod.ts";
import { auditLines, snapshotOf } from "../../lib/tables/projections/export.ts";
import { parseRegistryJson } from "../../lib/tables/mod.ts";
import { renderRegistryJson } from "../../lib/tables/projections/registry-json.ts";
import { change, registryOf, settings } from "./hostile-changes.ts";
import { errorOf, intercepted, memoryRegistry } from "./registry-setup.ts";

describe("renderRegistryJson()", () => {
  test("round-trips the registry, including actors and times", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 3 }), async (changes) => {
        await using registry = await registryOf(changes);
        await registry.setFolder("in.c-crm", "crm");
        const text = renderRegistryJson(await snapshotOf(registry));
        await using copy = await memoryRegistry();
        await copy.import(parseRegistryJson(text, "r.json"), { actor: "bob" });
        expect(renderRegistryJson(await snapshotOf(copy)).replace(/"version": \d+/, "")).toBe(
          text.replace(/"version": \d+/, ""),
        );
      }),
      { numRuns: 100 },
    );
  });

  test("parseRegistryJson() does not require keys of files of the earlier system", () => {
    const hintOf = (content: unknown) => {
      try {
        parseRegistryJson(JSON.stringify(content), "r.json");
      } catch (error) {
        return (error as AgnesError).hint;
      }
      throw new Error("it was taken");
    };
    expect(hintOf({ _metadata: {}, tables: { a: {} } })).toContain("also needs a list `tables`");
    expect(hintOf({ _metadata: {}, tabels: [] })).toStartWith(
      "Its `_metadata` identifies a table_registry.json",
    );
    expect(hintOf({ tables: {} })).toEndWith("of the earlier system has `_metadata`.");
  });

  const good = { format: "agnes-table-registry", format_version: 1, tables: [] };
  const malformed: readonly (readonly [string, string, RegExp])[] = [
    ["text that is not JSON", "{", /it is not JSON/],
    ["a list", "[]", /should be an object, but is a list/],
    ["another format", JSON.stringify({ ...good, format: "x" }), /its format should be/],
    [
      "a later version of the format",
      JSON.stringify({ ...good, format_version: 2 }),
      /should be 1, but is 2/,
    ],
    ["no tables", JSON.stringify({ ...good, tables: undefined }), /tables should be a list, but are missing/],
    ["an unknown key", JSON.stringify({ ...good, tabels: [] }), /unknown key "tabels"/],
    ["a table that is text", JSON.stringify({ ...good, tables: ["x"] }), /tables\[0\].*but is a string/],
    [
      "an id that is another's",
      JSON.stringify({ ...good, tables: [{ id: "a.c", source: "a", name: "b" }] }),
      /id should be "a\.b"/,
    ],
    [
      "an id of another source",
      JSON.stringify({ ...good, tables: [{ id: "c.b", source: "a", source_table: "b" }] }),
      /id should begin with "a\."/,
    ],
    [
      "a time without its zone",
      JSON.stringify({
        ...good,
        tables: [{ source: "a", source_table: "b", registered_at: "2026-11-21T06:00:00" }],
      }),
      /registered_at should be a time in ISO 8601 format with a time zone/,
    ],
    [
      "a time that is none",
      JSON.stringify({ ...good, tables: [{ source: "a", source_table: "b", registered_at: "soon" }] }),
      /registered_at/,
    ],
    ["a folder upwards", JSON.stringify({ ...good, folder_mapping: { b: "../x" } }), /folder_mapping of "b"/],
    ["a folder that is a number", JSON.stringify({ ...good, folder_mapping: { b: 1 } }), /but is a number/],
  ];
  for (const [title, text, reason] of malformed) {
    test(`refuses ${title}`, async () => {
      const error = await errorOf(() => parseRegistryJson(text, "r.json"));
      expect(error.message).toMatch(reason);
      expect(error.message).toStartWith("r.json");
      expect(error.exitCode).toBe(2);
    });
  }
});

const document = (tables: readonly object[]) =>
  parseRegistryJson(
    JSON.stringify({
      format: "agnes-table-registry",
      format_version: 1,
      folder_mapping: { b: "f" },
      tables,
    }),
    "r.json",
  );

describe("TableRegistry.import()", () => {
  test("imports all or nothing, and lists all invalid tables", async () => {
    await using registry = await registryOf([{ sourceTable: "orders", viewName: "orders" }]);
    const tables = [
      { source: "crm", source_table: "good" },
      { source: "crm", source_table: "bad", sync_strategy: "partitioned" },
      { source: "crm", source_table: "worse", descripton: "x" },
      { source: "crm", source_table: "good" },
      { source: "erp", source_table: "orders" },
    ];
    const error = await errorOf(() => registry.import(document(tables)));
    expect(error.code).toBe("table_import_refused");
    const { failures } = error.details as { failures: readonly { table: string; code: string }[] };
    expect(failures.map(({ table, code }) => [table, code])).toEqual([
      ["tables[1]", "table_contradiction"],
      ["tables[2]", "table_field_unknown"],
      ["tables[3]", "table_exists"],
      ["erp.orders", "table_view_taken"],
    ]);
    expect(error.message).toContain("tables[3]: the file has another table crm.good");
    expect([await registry.version(), await registry.folders()]).toEqual([1, {}]);
  });

  test("registers, updates and keeps tables in one step, and reports each", async () => {
    await using registry = await registryOf([
      { sourceTable: "a", viewName: "one", description: "kept" },
      { sourceTable: "b", viewName: "two" },
      { sourceTable: "c" },
    ]);
    // The two view names change hands: only the state after everything counts.
    const tables = [
      { source: "crm", name: "t0", view_name: "two" },
      { source: "crm", name: "t1", view_name: "one" },
      { source: "crm", name: "t2", source_table: "c" },
      { source: "erp", source_table: "d" },
    ].map((table) => ({ source_table: table.name === "t0" ? "a" : "b", ...table }));
    const dry = await registry.import(document(tables), { dryRun: true });
    expect(await registry.version()).toBe(3);
    const outcome = await registry.import(document(tables), { expectedVersion: 3 });
    expect(outcome.tables).toEqual(dry.tables);
    expect(outcome.tables.map(({ kind, id, changed }) => [kind, id, ...changed])).toEqual([
      ["updated", "crm.t0", "viewName"],
      ["updated", "crm.t1", "viewName"],
      ["unchanged", "crm.t2"],
      ["registered", "erp.d"],
    ]);
    expect(await registry.version()).toBe(4);
    expect((await registry.get("crm.t0"))!.description).toBe("kept");
    expect((await errorOf(() => registry.import(document(tables), { expectedVersion: 3 }))).code).toBe(
      "table_version_stale",
    );
  });
});

describe("TableRegistry.import() of an exported registry", () => {
  test("restores all fields, and keeps who registered the table and when", async () => {
    await using registry = await memoryRegistry();
    await registry.register({ source: "crm", sourceTable: "orders", documentation: { history: "all" } });
    await registry.setFolder("b", "f");
    const text = renderRegistryJson(await snapshotOf(registry));
    const before = await settings(registry);
    await registry.update("crm.orders", {
      documentation: { grain: "an order", history: "none" },
      description: "x",
      primaryKey: ["id"],
      syncSchedule: "every 6h",
      quarantine: true,
      viewName: "sales",
    });
    await registry.setFolder("b", "g");
    const dry = await registry.import(parseRegistryJson(text, "r.json"), { dryRun: true, actor: "bob" });
    const outcome = await registry.import(parseRegistryJson(text, "r.json"), { actor: "bob" });
    expect(outcome).toEqual({ ...dry, dryRun: false });
    expect(outcome.folders).toEqual([{ kind: "set", bucket: "b", folder: "f" }]);
    expect(await settings(registry)).toEqual(before);
    expect((await registry.get("crm.orders"))!.registeredBy).toBe("ann");
    const again = await registry.import(parseRegistryJson(text, "r.json"));
    expect([...again.tables, ...again.folders].map(({ kind }) => kind)).toEqual(["unchanged", "unchanged"]);
    expect(await registry.version()).toBe(5);
  });

  test("writes a time of any zone as UTC", () => {
    const { tables } = document([
      { source: "a", source_table: "b", registered_at: "2026-03-09T14:25:37.123456+01:00" },
    ]);
    expect(tables[0]!.registered_at).toBe("2026-03-09T13:25:37.123Z");
  });
});

describe("snapshotOf()", () => {
  test("returns tables and folders of one version despite concurrent writes", async () => {
    const inner = memoryStorage();
    await using other = await memoryRegistry(inner);
    await other.register({ source: "crm", sourceTable: "a" });
    let finds = 0;
    const storage = intercepted(inner, async (method) => {
      if (method !== "find" || ++finds !== 2) return;
      await other.register({ source: "crm", sourceTable: "b" });
      await other.setFolder("in.c-crm", "crm");
    });
    await using registry = await memoryRegistry(storage);
    const { version, tables, folders } = await snapshotOf(registry);
    expect([version, tables.map(({ id }) => id), folders]).toEqual([
      3,
      ["crm.a", "crm.b"],
      { "in.c-crm": "crm" },
    ]);
  });
});

describe("auditLines()", () => {
  test("returns each change as one line of JSON with any texts", async () => {
    await using registry = await registryOf([{ sourceTable: "orders", description: "a\n\u2028b" }]);
    await registry.unregister("crm.t0");
    const lines: string[] = [];
    for await (const line of auditLines(registry)) lines.push(line);
    expect(lines.map((line) => line.split("\n").length)).toEqual([2, 2]);
    expect(lines.map((line) => (JSON.parse(line) as { action: string }).action)).toEqual([
      "register",
      "unregister",
    ]);
  });
});
