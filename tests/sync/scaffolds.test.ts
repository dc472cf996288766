import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { createAgnes, type Agnes } from "agnes";

import { openDatabase } from "../../lib/duckdb/mod.ts";
import { scaffoldCapabilities, scaffoldPlugin } from "../../lib/plugins/mod.ts";

type Scaffold = (typeof scaffoldCapabilities)[number];

/** Inside the repository, so that `agnes/kit` resolves to the working tree. */
let root = "";
beforeAll(() => {
  root = mkdtempSync(join(import.meta.dir, ".scaffold-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A workspace with a new plugin of one capability, as `agnes connector new` writes it. */
function workspaceWith(capability: Scaffold): Promise<Agnes> {
  const workspace = join(root, capability);
  for (const [name, text] of Object.entries(
    scaffoldPlugin({ name: capability, capabilities: [capability] }),
  )) {
    const path = join(workspace, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  const config = { version: 1, sources: { one: { plugin: capability } } } as const;
  return createAgnes({ plugins: [], workspace, config });
}

const names = [{ name: "Ada Lovelace" }, { name: "Grace Hopper" }, { name: "Mary Somerville" }];
const namesSql = "SELECT name FROM people ORDER BY name";

/** The expected results for the plugin of each single capability. */
const tried: { readonly [C in Scaffold]: (agnes: Agnes) => Promise<void> } = {
  async read(agnes) {
    const before = await agnes.sync();
    expect(before.sources[0]!.notes.join()).toContain("agnes table register one TABLE");
    const registry = await agnes.tables();
    await registry.register({
      source: "one",
      sourceTable: "people",
      primaryKey: ["id"],
      syncStrategy: "incremental",
      incrementalColumn: "updated_at",
    });
    const { status, sources } = await agnes.sync();
    expect({ status, error: sources[0]!.stats!.errors }).toEqual({ status: "complete", error: [] });
    expect(await agnes.rows(namesSql)).toEqual(names);
    expect(await agnes.rows("SELECT typeof(id) AS id, typeof(updated_at) AS at FROM people LIMIT 1")).toEqual(
      [{ id: "BIGINT", at: "VARCHAR" }],
    );
    expect((await agnes.sync()).sources[0]!.stats).toMatchObject({ tablesSkipped: 1, published: false });
  },
  async query(agnes) {
    const { notes } = (await agnes.sync()).sources[0]!;
    expect(notes.join()).toContain("`agnes table register one TABLE --mode remote`");
    const registry = await agnes.tables();
    await registry.register({
      source: "one",
      name: "people",
      queryMode: "materialized",
      sourceQuery: "SELECT * FROM people",
    });
    expect((await agnes.sync()).status).toBe("complete");
    expect(await agnes.rows(namesSql)).toEqual(names);
  },
  async remote(agnes) {
    {
      await using database = await openDatabase({ path: join(agnes.workspace.directory, "remote.duckdb") });
      await using connection = await database.connect();
      await connection.run(
        "CREATE TABLE people AS SELECT unnest(['Mary Somerville', 'Ada Lovelace', 'Grace Hopper']) AS name",
      );
    }
    const registry = await agnes.tables();
    await registry.register({ source: "one", sourceTable: "people", queryMode: "remote" });
    const { status, analytics } = await agnes.sync();
    expect({ status, skipped: analytics.skipped, errors: analytics.errors }).toEqual({
      status: "complete",
      skipped: [],
      errors: [],
    });
    expect(await agnes.rows(namesSql)).toEqual(names);
  },
  async discover(agnes) {
    expect((await agnes.connectors.discover("one")).map(({ name }) => name)).toEqual(["people"]);
    // There is a table, but the plugin cannot read its rows.
    const { status, sources } = await agnes.sync();
    expect(status).toBe("complete");
    expect(sources[0]!.notes.join()).toMatch(
      /people was not registered: .*discover cannot be read from.*the plugin discover can neither read nor query tables/,
    );
  },
  async metadata(agnes) {
    const { sources } = await agnes.sync();
    expect(sources[0]).toMatchObject({
      status: "unregistered",
      notes: ["the plugin metadata can neither read nor query tables, so there is nothing to sync"],
    });
    const registry = await agnes.tables();
    for (const mode of ["local", "remote"] as const) {
      const refused = registry.register({ source: "one", sourceTable: "people", queryMode: mode });
      const error: unknown = await refused.catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ hint: "Use a source whose plugin can read or query tables." });
    }
    expect(await agnes.connectors.health("one")).toMatchObject({ ok: true });
  },
};

describe("a new plugin with one capability", () => {
  for (const capability of scaffoldCapabilities) {
    test(`${capability} is synced or queried`, async () => {
      await using agnes = await workspaceWith(capability);
      expect(agnes.plugins.failures()).toEqual([]);
      await tried[capability](agnes);
    });
  }
});
