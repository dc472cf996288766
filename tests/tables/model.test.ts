import { expect, test } from "bun:test";
import fc from "fast-check";

import { isAgnesError } from "../../lib/base/mod.ts";
import { memoryStorage } from "../../lib/catalog/mod.ts";
import type { TableRecord, TableRegistry } from "../../lib/tables/mod.ts";
import { discovered, memoryRegistry } from "./registry-setup.ts";

const source = fc.constantFrom("crm", "erp", "CRM");
const name = fc.constantFrom("a", "b", "A", "c");
const viewName = fc.constantFrom("a", "b", "B", "v", "V");
const staleness = fc.constantFrom(undefined, undefined, 0, 1, -1);

const step = fc.oneof(
  fc.record({ kind: fc.constant("register" as const), source, name, viewName, staleness }),
  fc.record({ kind: fc.constant("update" as const), source, name, description: fc.string(), staleness }),
  fc.record({ kind: fc.constant("rename" as const), source, name, viewName, staleness }),
  fc.record({ kind: fc.constant("unregister" as const), source, name, staleness }),
  fc.record({ kind: fc.constant("discover" as const), source, names: fc.uniqueArray(name) }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** A simple model of the registry. */
interface Model {
  readonly tables: Map<string, { id: string; viewName: string; description: string; version: number }>;
  version: number;
}

/** The codes with which a step may be refused on the model's state; empty when it must succeed. */
function refusals(
  model: Model,
  action: Exclude<Step, { kind: "discover" }>,
  expected: number | undefined,
): readonly string[] {
  const key = `${action.source}.${action.name}`.toLowerCase();
  const table = model.tables.get(key);
  const isNew = action.kind === "register";
  if (
    isNew
      ? expected !== undefined && expected !== model.version
      : table !== undefined &&
        expected !== undefined &&
        (expected < table.version || expected > model.version)
  ) {
    return ["table_version_stale"];
  }
  if (isNew && table !== undefined) return ["table_exists"];
  if (!isNew && table === undefined) return ["table_not_registered"];
  if (action.kind === "register" || action.kind === "rename") {
    const owner = [...model.tables].find(
      ([, other]) => other.viewName.toLowerCase() === action.viewName.toLowerCase(),
    );
    if (owner !== undefined && owner[0] !== key) return ["table_view_taken"];
  }
  return [];
}

async function act(
  registry: TableRegistry,
  action: Exclude<Step, { kind: "discover" }>,
  expected: number | undefined,
): Promise<void> {
  const id = `${action.source}.${action.name}`;
  const options = expected === undefined ? {} : { expectedVersion: expected };
  switch (action.kind) {
    case "register":
      await registry.register(
        { source: action.source, name: action.name, sourceTable: action.name, viewName: action.viewName },
        options,
      );
      return;
    case "update":
      await registry.update(id, { description: action.description.replace(/[\p{Cc}\p{Cs}]/gu, "") }, options);
      return;
    case "rename":
      await registry.renameView(id, action.viewName, options);
      return;
    case "unregister":
      await registry.unregister(id, options);
  }
}

function follow(model: Model, action: Exclude<Step, { kind: "discover" }>): void {
  const id = `${action.source}.${action.name}`;
  const key = id.toLowerCase();
  const table = model.tables.get(key);
  const version = model.version + 1;
  if (action.kind === "register")
    model.tables.set(key, { id, viewName: action.viewName, description: "", version });
  else if (action.kind === "unregister") model.tables.delete(key);
  else {
    const next =
      action.kind === "rename"
        ? { ...table!, viewName: action.viewName }
        : { ...table!, description: action.description.replace(/[\p{Cc}\p{Cs}]/gu, "") };
    if (next.viewName === table!.viewName && next.description === table!.description) return;
    model.tables.set(key, { ...next, version });
  }
  model.version = version;
}

test("TableRegistry behaves like a simple model under random changes through two handles", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(step, fc.boolean()), { maxLength: 25 }), async (steps) => {
      const storage = memoryStorage();
      const handles = [await memoryRegistry(storage), await memoryRegistry(storage)] as const;
      const model: Model = { tables: new Map(), version: 0 };
      for (const [action, isSecond] of steps) {
        const registry = handles[isSecond ? 1 : 0];
        if (action.kind === "discover") {
          const before = new Map((await registry.list()).map((table) => [table.id, table]));
          const plan = await registry.registerDiscovered(
            action.source,
            action.names.map((table) => discovered(table)),
            { again: true },
          );
          for (const table of await registry.list()) {
            if (before.has(table.id)) expect(table).toEqual(before.get(table.id)!);
            else
              model.tables.set(table.id.toLowerCase(), {
                id: table.id,
                viewName: table.viewName,
                description: "",
                version: table.version,
              });
          }
          if (plan.candidates.some(({ kind }) => kind === "new")) model.version += 1;
          continue;
        }
        const known =
          action.kind === "register"
            ? model.version
            : (model.tables.get(`${action.source}.${action.name}`.toLowerCase())?.version ?? 0);
        const expected = action.staleness === undefined ? undefined : Math.max(0, known + action.staleness);
        const refused = refusals(model, action, expected);
        try {
          await act(registry, action, expected);
          expect(refused).toEqual([]);
          follow(model, action);
        } catch (error) {
          if (!isAgnesError(error)) throw error;
          expect([action, refused]).toEqual([action, [error.code]]);
        }
      }
      const tables = await handles[0].list();
      expect(
        tables.map(({ id, viewName, description, version }) => ({
          id,
          viewName: viewName,
          description,
          version,
        })),
      ).toEqual([...model.tables].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, table]) => table));
      expect(new Set(tables.map(({ viewName }) => viewName.toLowerCase())).size).toBe(tables.length);
      expect(await handles[1].version()).toBe(model.version);
      // The log alone gives the same registry, with no version left out.
      const replayed = new Map<string, TableRecord>();
      const versions = new Set<number>();
      for await (const change of handles[1].changes()) {
        versions.add(change.version);
        if (change.kind !== "table") continue;
        expect(replayed.get(change.id) ?? null).toEqual(change.before);
        if (change.after === null) replayed.delete(change.id);
        else replayed.set(change.id, change.after);
      }
      expect([...versions]).toEqual(Array.from({ length: model.version }, (_, index) => index + 1));
      expect(
        [...replayed.values()].sort((a, b) => (a.id.toLowerCase() < b.id.toLowerCase() ? -1 : 1)),
      ).toEqual(tables.map(({ version: _version, ...record }) => record));
    }),
    { numRuns: 300 },
  );
});

test("TableRegistry.update() lets exactly one of many writers with the same version succeed", async () => {
  const storage = memoryStorage();
  const handles = await Promise.all(Array.from({ length: 8 }, () => memoryRegistry(storage)));
  await handles[0]!.register({ source: "crm", sourceTable: "orders" });
  const results = await Promise.allSettled(
    handles.map((registry, index) =>
      registry.update("crm.orders", { description: `from ${index}` }, { expectedVersion: 1 }),
    ),
  );
  expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  for (const result of results) {
    if (result.status === "rejected") expect(isAgnesError(result.reason, "table_version_stale")).toBe(true);
  }
  expect(await handles[0]!.version()).toBe(2);
});
