import { describe, expect, test } from "bun:test";

import { AgnesError } from "../../lib/base/mod.ts";
import { memoryStorage } from "../../lib/catalog/mod.ts";
import { table, utf8 } from "../../lib/kit/mod.ts";
import { checkSourceRules, openTableRegistry, planRegistration } from "../../lib/tables/mod.ts";
import { discovered, errorOf, intercepted, memoryRegistry, stillHost } from "./registry-setup.ts";

describe("planRegistration()", () => {
  test("takes key, cursor and description from the source", () => {
    const info = discovered("in.c-crm.orders", { cursor: "updated_at", description: "All orders\u0000" });
    const plan = planRegistration("crm", [info], []);
    expect(plan.candidates).toEqual([
      {
        kind: "new",
        table: "in.c-crm.orders",
        id: "crm.orders",
        viewName: "orders",
        notes: [],
        change: {
          source: "crm",
          name: "orders",
          viewName: "orders",
          sourceTable: "in.c-crm.orders",
          queryMode: "local",
          primaryKey: ["id"],
          incrementalColumn: "updated_at",
          description: "All orders",
        },
      },
    ]);
  });

  test("uses the full name with a note if two tables share the short one", () => {
    const plan = planRegistration(
      "crm",
      [discovered("a.orders"), discovered("b.orders"), discovered("b.people")],
      [],
    );
    expect(plan.candidates.map((candidate) => candidate.kind === "new" && candidate.id)).toEqual([
      "crm.a_orders",
      "crm.b_orders",
      "crm.people",
    ]);
    expect(plan.candidates[0]).toMatchObject({
      notes: [expect.stringContaining("another table of crm has the name orders")],
    });
  });

  test("compares a table with its own record, not with one that has a query", async () => {
    await using registry = await memoryRegistry();
    const own = { source: "crm", sourceTable: "in.c-crm.orders", primaryKey: ["id"] };
    await registry.register(own);
    await registry.register({
      ...own,
      name: "recent_orders",
      viewName: "recent_orders",
      queryMode: "materialized",
      sourceQuery: '{"limit": 10}',
    });
    const { candidates } = planRegistration("crm", [discovered("in.c-crm.orders")], await registry.list());
    expect(candidates).toMatchObject([{ kind: "existing", id: "crm.orders" }]);
  });

  test("reports unreadable and omitted tables, registered or not", async () => {
    await using registry = await memoryRegistry();
    await registry.registerDiscovered("crm", [discovered("known"), discovered("known_link")]);
    const problem = new AgnesError("source_path_empty", { path: "x" });
    const bad = (name: string, options = {}) => table(name, {}, { problem, ...options });
    const plan = planRegistration(
      "crm",
      [bad("new"), bad("known"), bad("link", { isSkipped: true }), bad("known_link", { isSkipped: true })],
      await registry.list(),
    );
    const { code, message: reason } = problem;
    expect(plan).toMatchObject({
      candidates: [
        { kind: "unreadable", table: "new", id: null, code, reason },
        { kind: "unreadable", table: "known", id: "crm.known", code, reason },
        { kind: "left_out", table: "link", reason },
        { kind: "unreadable", table: "known_link", id: "crm.known_link", code, reason },
      ],
      missing: [],
    });
    const before = await registry.version();
    await registry.registerDiscovered("crm", [bad("new"), bad("known")]);
    expect(await registry.version()).toBe(before);
    await registry.unregister("crm.known");
    expect(await registry.registerDiscovered("crm", [bad("known")])).toMatchObject({
      candidates: [{ kind: "unregistered", table: "known" }],
    });
  });

  test("reports tables with conflicting or hostile names as invalid, and continues", () => {
    const names = ["a_b.c", "x.c", "a.b_c", "x.b_c", "ord\u0000ers", "../x", "good", "o".repeat(10_000)];
    const plan = planRegistration(
      "crm",
      names.map((name) => discovered(name)),
      [],
    );
    expect(plan.candidates.map(({ kind }) => kind)).toEqual([
      "new",
      "new",
      "invalid",
      "new",
      "invalid",
      "invalid",
      "new",
      "invalid",
    ]);
    expect(plan.candidates[2]).toMatchObject({
      code: "table_exists",
      reason: expect.stringContaining("a_b_c"),
    });
    expect(plan.candidates[4]).toMatchObject({ code: "table_field_invalid" });
  });

  test("makes tables remote that can only be queried", () => {
    const plan = planRegistration("bq", [discovered("a"), discovered("b", { capabilities: ["query"] })], [], {
      capabilities: ["discover", "remote"],
    });
    expect(
      plan.candidates.map((candidate) => candidate.kind === "new" && candidate.change.queryMode),
    ).toEqual(["remote", "remote"]);
  });
});

describe("TableRegistry.registerDiscovered()", () => {
  test("registers new tables and keeps registered, drifted and invalid ones", async () => {
    await using registry = await memoryRegistry();
    await registry.register({ source: "erp", sourceTable: "people" });
    await registry.register({
      source: "crm",
      sourceTable: "kept",
      name: "renamed",
      description: "mine",
      primaryKey: ["id"],
    });
    await registry.register({
      source: "crm",
      sourceTable: "changed",
      columns: ["id", "gone"],
      partitionBy: "gone",
      primaryKey: ["id"],
    });
    await registry.register({ source: "crm", sourceTable: "rekeyed", primaryKey: ["email"] });
    await registry.register({ source: "crm", sourceTable: "vanished" });
    const infos = [
      discovered("kept", { description: "theirs" }),
      discovered("changed"),
      discovered("rekeyed"),
      discovered("people"),
      discovered("bad/name"),
    ];
    const before = await registry.list();
    const dry = await registry.registerDiscovered("crm", infos, { dryRun: true });
    expect(await registry.list()).toEqual(before);
    const plan = await registry.registerDiscovered("crm", infos);
    expect(plan).toEqual(dry);
    expect(plan.candidates.map(({ kind }) => kind)).toEqual([
      "existing",
      "drifted",
      "drifted",
      "new",
      "invalid",
    ]);
    expect(plan.missing).toEqual(["crm.vanished"]);
    expect(plan.candidates[1]).toMatchObject({
      drift: [
        { field: "columns", registered: ["id", "gone"], reason: "the source has no column gone" },
        { field: "partitionBy", registered: ["gone"] },
      ],
    });
    expect(plan.candidates[2]).toMatchObject({
      drift: [{ field: "primaryKey", registered: ["email"], discovered: ["id"] }],
    });
    expect(plan.candidates[3]).toMatchObject({
      id: "crm.people",
      viewName: "crm_people",
      notes: [expect.stringContaining("erp.people")],
    });
    const after = await registry.list();
    expect(after.filter(({ id }) => id !== "crm.people")).toEqual([...before]);
    const again = await registry.registerDiscovered("crm", infos);
    expect(again.candidates.map(({ kind }) => kind)).toEqual([
      "existing",
      "drifted",
      "drifted",
      "existing",
      "invalid",
    ]);
  });

  test("updates only source_metadata, and writes only changes", async () => {
    await using registry = await memoryRegistry();
    await registry.register({
      source: "crm",
      sourceTable: "orders",
      columns: ["gone"],
      description: "mine",
    });
    await registry.register({ source: "crm", sourceTable: "people", sourceMetadata: { earlier: 1 } });
    const infos = (stage: string) => [
      discovered("orders", { sourceMetadata: { stage }, description: "theirs" }),
      discovered("people", { sourceMetadata: { stage } }),
      discovered("plain"),
    ];
    const dry = await registry.registerDiscovered("crm", infos("in"), { dryRun: true });
    expect((await registry.get("crm.people"))!.sourceMetadata).toEqual({ earlier: 1 });
    const plan = await registry.registerDiscovered("crm", infos("in"));
    expect(plan).toEqual(dry);
    expect(plan.candidates).toMatchObject([
      { kind: "drifted", sourceMetadata: { stage: "in" } },
      { kind: "existing", sourceMetadata: { earlier: 1, stage: "in" } },
      { kind: "new" },
    ]);
    const version = await registry.version();
    const orders = (await registry.get("crm.orders"))!;
    expect(orders).toMatchObject({ description: "mine", sourceMetadata: { stage: "in" } });
    expect((await registry.history({ id: "crm.orders" })).at(-1)!.changed).toEqual(["sourceMetadata"]);
    const again = await registry.registerDiscovered("crm", infos("in"));
    expect(again.candidates[1]).not.toHaveProperty("sourceMetadata");
    expect(await registry.version()).toBe(version);
    await registry.registerDiscovered("crm", infos("out"));
    expect((await registry.get("crm.people"))!.sourceMetadata).toEqual({ earlier: 1, stage: "out" });
  });

  test("reports tables refused by the additional check as invalid", async () => {
    const registry = await openTableRegistry({
      storage: memoryStorage(),
      host: stillHost(),
      checkTable: (settings, id) =>
        checkSourceRules(settings, id, { plugin: "odd", capabilities: ["metadata"] }),
    });
    const { candidates } = await registry.registerDiscovered("crm", [discovered("a")]);
    expect(candidates).toMatchObject([{ kind: "invalid", code: "table_contradiction" }]);
    expect(await registry.version()).toBe(0);
  });

  test("registers a large source in entries that any storage takes", async () => {
    await using registry = await memoryRegistry();
    const infos = Array.from({ length: 60 }, (_, index) =>
      discovered(`t${index}`, { description: "é".repeat(9000) }),
    );
    const dry = await registry.registerDiscovered("crm", infos, { dryRun: true });
    const plan = await registry.registerDiscovered("crm", infos);
    expect(plan).toEqual(dry);
    expect(plan.candidates.every(({ kind }) => kind === "new")).toBe(true);
    expect(await registry.list()).toHaveLength(60);
    expect(await registry.version()).toBe(6);
  });

  test("keeps tables unregistered unless requested", async () => {
    await using registry = await memoryRegistry();
    const infos = [discovered("a"), discovered("b")];
    await registry.registerDiscovered("crm", infos);
    await registry.register({ source: "erp", sourceTable: "a", viewName: "erp_a" });
    await registry.unregister("crm.a", { actor: "bob" });
    await registry.unregister("erp.a");
    const kinds = async (again: boolean) =>
      (await registry.registerDiscovered("crm", [...infos, discovered("c")], { again })).candidates;
    const dry = await registry.registerDiscovered("crm", infos, { dryRun: true });
    expect(dry.candidates.map(({ kind }) => kind)).toEqual(["unregistered", "existing"]);
    expect(await kinds(false)).toMatchObject([
      { kind: "unregistered", table: "a", id: "crm.a", actor: "bob", version: 3 },
      { kind: "existing" },
      { kind: "new", id: "crm.c" },
    ]);
    expect((await kinds(false)).map(({ kind }) => kind)).toEqual(["unregistered", "existing", "existing"]);
    expect((await kinds(true)).map(({ kind }) => kind)).toEqual(["new", "existing", "existing"]);
    await registry.unregister("crm.b");
    await registry.register({ source: "crm", sourceTable: "b", name: "bee" });
    await registry.unregister("crm.c");
    expect((await kinds(false)).map(({ kind }) => kind)).toEqual(["existing", "existing", "unregistered"]);
  });

  test("keeps a table unregistered that another process unregisters concurrently", async () => {
    const inner = memoryStorage();
    await using other = await memoryRegistry(inner);
    await other.register({ source: "crm", sourceTable: "a" });
    let isFirst = true;
    const storage = intercepted(inner, async (key) => {
      if (key !== "append" || !isFirst) return;
      isFirst = false;
      await other.unregister("crm.a", { actor: "bob" });
    });
    await using registry = await memoryRegistry(storage);
    const { candidates } = await registry.registerDiscovered("crm", [discovered("a"), discovered("b")]);
    expect(candidates.map(({ kind }) => kind)).toEqual(["unregistered", "new"]);
    expect((await registry.list()).map(({ id }) => id)).toEqual(["crm.b"]);
  });

  test("assigns a view name to only one of two sources discovered concurrently", async () => {
    const storage = memoryStorage();
    const [one, two] = [await memoryRegistry(storage), await memoryRegistry(storage)];
    const infos = Array.from({ length: 50 }, (_, index) => discovered(`t${index}`));
    await Promise.all([one.registerDiscovered("a", infos), two.registerDiscovered("b", infos)]);
    const views = (await one.list()).map(({ viewName }) => viewName);
    expect([views.length, new Set(views).size]).toEqual([100, 100]);
  });

  test("changes nothing when the registry cannot be read: unknown is not empty", async () => {
    const inner = memoryStorage();
    await (await memoryRegistry(inner)).register({ source: "crm", sourceTable: "orders" });
    let isDown = false;
    const storage = intercepted(inner, async (key) => {
      if (isDown && (key === "read" || key === "find" || key === "get"))
        throw new AgnesError("file_failed", { operation: "read", path: "x", reason: "EIO" });
    });
    const registry = await memoryRegistry(storage);
    isDown = true;
    const info = table("orders", { id: utf8() });
    await errorOf(() => registry.registerDiscovered("crm", [info]));
    await errorOf(() => registry.list());
    isDown = false;
    expect(await (await memoryRegistry(inner)).version()).toBe(1);
  });
});
