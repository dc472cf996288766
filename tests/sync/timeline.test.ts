import { expect, test } from "bun:test";

import { join } from "node:path";

import { createAgnes, type Agnes } from "agnes";
import { definePlugin, int64, table, utf8 } from "agnes/kit";
import * as v from "valibot";

import { createHost } from "../../lib/base/mod.ts";
import { listGenerations } from "../../lib/extract/mod.ts";
import { failureOf, temporaryFolder } from "./workspace.ts";

/** A source with the tables `a` and `b`; `a` has one more column when the test sets it. */
function growing(state: { isWide: boolean; failing?: string }) {
  return definePlugin({
    name: "growing",
    version: "1.0.0",
    description: "Tables that grow",
    capabilities: ["discover", "read"],
    options: v.strictObject({}),
    secrets: {},
    connect: () => ({
      discover: async () => [
        table("a", { id: int64(), ...(state.isWide ? { note: utf8() } : {}) }),
        table("b", { id: int64() }),
      ],
      async *read(info) {
        if (info.name === state.failing) throw new Error("it fails");
        yield [info.name === "a" && state.isWide ? { id: 1, note: "x" } : { id: 1 }];
      },
    }),
  });
}

async function openHistory(directory: string): Promise<Agnes> {
  const state = { isWide: false };
  let nowMs = Date.parse("2026-11-27T08:00:00Z");
  const agnes = await createAgnes({
    workspace: directory,
    plugins: [growing(state)],
    config: { version: 1, sources: { g: { plugin: "growing" } } },
    // Each look at the clock is one second later.
    host: { env: { USER: "ann" }, now: () => new Date((nowMs += 1000)) },
  });
  await agnes.sync();
  state.isWide = true;
  await agnes.sync({ only: ["g.a"] });
  await (await agnes.tables()).update("g.b", { description: "bees", syncPaused: true });
  await agnes.rollback("g", 1);
  return agnes;
}

test("timeline() mixes runs, changes of columns and of the registry, and rollbacks, the newest first", async () => {
  using folder = temporaryFolder();
  await using agnes = await openHistory(folder.path);
  const { entries, next } = await agnes.timeline();
  expect(entries.map(({ kind, table, summary }) => [kind, table, summary])).toEqual([
    ["rollback", null, "rollback: an earlier generation was published again, as 3"],
    ["registry_change", "g.b", "changed: sync_paused, description"],
    ["schema_change", "g.a", expect.stringContaining("note")],
    ["run", null, "run complete: 1 updated, 0 unchanged, 0 failed"],
    ["registry_change", "g.b", "registered"],
    ["registry_change", "g.a", "registered"],
    ["run", null, "run complete: 2 updated, 0 unchanged, 0 failed"],
  ]);
  expect(next).toBeNull();
  expect(entries[0]).toMatchObject({ actor: "ann", source: "g", generation: 3 });
  expect(entries[1]).toMatchObject({ actor: "ann", source: "g", version: expect.any(Number) });
  expect(entries[3]).toMatchObject({ status: "complete", error: null, generation: 2 });
  expect(entries[2]!.runId).toBe(entries[3]!.runId);
  const times = entries.map(({ at }) => at.getTime());
  expect(times).toEqual(times.toSorted((a, b) => b - a));
});

test("timeline() pages without repeating or losing an event", async () => {
  using folder = temporaryFolder();
  await using agnes = await openHistory(folder.path);
  const all = (await agnes.timeline()).entries.map(({ id }) => id);
  for (const limit of [1, 2, 3]) {
    const ids: string[] = [];
    let before: string | undefined;
    do {
      const page = await agnes.timeline({ limit, ...(before !== undefined && { before }) });
      expect(page.entries.length).toBeLessThanOrEqual(limit);
      ids.push(...page.entries.map(({ id }) => id));
      before = page.next ?? undefined;
    } while (before !== undefined);
    expect(ids).toEqual(all);
  }
  for (const limit of [0, 1001, 1.5])
    expect((await failureOf(agnes.timeline({ limit }))).code).toBe("invalid_input");
  expect((await failureOf(agnes.timeline({ before: "yesterday" }))).code).toBe("invalid_input");
});

test("timeline() of one table has what concerns it, also after it was unregistered", async () => {
  using folder = temporaryFolder();
  await using agnes = await openHistory(folder.path);
  const kinds = async (name: string) =>
    (await agnes.timeline({ table: name })).entries.map(({ kind, summary }) => [kind, summary]);
  expect(await kinds("b")).toEqual([
    ["rollback", expect.anything()],
    ["registry_change", "changed: sync_paused, description"],
    ["registry_change", "registered"],
    ["run", "run complete: updated, 1 row"],
  ]);
  await (await agnes.tables()).update("g.b", { viewName: "bees" });
  await (await agnes.tables()).unregister("g.b");
  const generations = await listGenerations(createHost().files, join(folder.path, "data", "extracts", "g"));
  expect(generations.find(({ current }) => current)).toMatchObject({ number: 4, kind: "unregister" });
  // What happens to its source afterwards does not concern it.
  await agnes.rollback("g", 3);
  await agnes.sync();
  for (const name of ["g.b", "G.B", "bees"])
    expect(await kinds(name)).toEqual([
      ["registry_change", "unregistered"],
      ["registry_change", "changed: view_name"],
      ["rollback", expect.anything()],
      ["registry_change", "changed: sync_paused, description"],
      ["registry_change", "registered"],
      ["run", "run complete: updated, 1 row"],
    ]);
  const newest = (await agnes.timeline({ table: "g.a", limit: 1 })).entries;
  expect(newest).toMatchObject([{ kind: "schema_change", generation: 6 }]);
  expect((await agnes.timeline({ table: "g.a", source: "other" })).entries).toEqual([]);
  expect((await failureOf(agnes.timeline({ table: "g.c" }))).code).toBe("table_not_registered");
});

test("timeline() with limited access has the status and generation of the accessible tables of a run", async () => {
  using folder = temporaryFolder();
  const state = { isWide: false, failing: "a" };
  await using agnes = await createAgnes({
    workspace: folder.path,
    plugins: [growing(state)],
    config: { version: 1, sources: { g: { plugin: "growing" } } },
  });
  await agnes.sync();
  const latest = async (...access: readonly string[]) => {
    const { entries } = await agnes.timeline({ ...(access.length > 0 && { access: new Set(access) }) });
    const { status, summary, generation } = entries.find(({ kind }) => kind === "run")!;
    return [status, summary, generation];
  };
  expect(await latest()).toEqual(["partial", expect.anything(), 1]);
  expect(await latest("g.a")).toEqual(["failed", "run failed", null]);
  expect(await latest("g.b")).toEqual(["complete", "run complete", 1]);
  expect(await latest("g.a", "g.b")).toEqual(["partial", "run partial", 1]);
  state.failing = "none";
  await agnes.sync();
  expect(await latest()).toEqual(["complete", expect.anything(), 2]);
  expect(await latest("g.a")).toEqual(["complete", "run complete", 2]);
  expect(await latest("g.b")).toEqual(["complete", "run complete", null]);
});

test("timeline() with limited access shows nothing of other tables", async () => {
  using folder = temporaryFolder();
  await using agnes = await openHistory(folder.path);
  const { entries } = await agnes.timeline({ access: new Set(["g.b"]) });
  // The numbers of generations and versions also count changes of other tables.
  expect(entries.map(({ generation, version }) => [generation, version])).toEqual([
    [null, null],
    [null, null],
    [null, null],
    [1, null],
  ]);
  expect(entries.map(({ kind, table, summary, actor }) => [kind, table, summary, actor])).toEqual([
    ["rollback", null, "rollback: an earlier generation was published again", null],
    ["registry_change", "g.b", "changed: sync_paused, description", null],
    ["registry_change", "g.b", "registered", null],
    ["run", null, "run complete", null],
  ]);
  expect((await failureOf(agnes.timeline({ access: new Set(["g.b"]), table: "a" }))).code).toBe(
    "table_not_registered",
  );
  expect((await agnes.timeline({ access: new Set() })).entries).toEqual([]);
});
