import { describe, expect, test } from "bun:test";

import { createAgnes, type Agnes } from "agnes";
import type { Filter, TableInfo } from "agnes/kit";

import plugin from "../../plugins/keboola/plugin.ts";
import type { FakeKeboola } from "../fakes/keboola/mod.ts";
import { fakeKeboola } from "../fakes/keboola/mod.ts";
import { temporaryFolder } from "../sync/workspace.ts";
import { described, native } from "./project.ts";
import { exportsOf, openProject, optionsOf, rejection } from "./support.ts";

const GIB = 1024 ** 3;

/** A project with a table of each kind, and one that is too large to read for a query. */
function mixedProject(): FakeKeboola {
  const keboola = fakeKeboola({ jobPolls: 0 });
  const { storage } = keboola;
  const rows = [
    { id: "1", name: "ann" },
    { id: "2", name: "bob" },
  ];
  storage.createTable("in.c-crm.people", { columns: ["id", "name"], primaryKey: ["id"], rows });
  const large = { columns: ["id", "name"], rows, dataSizeBytes: 2 * GIB };
  storage.createTable("in.c-crm.large", large);
  storage.createTable("in.c-crm.one", {
    columns: ["id"],
    columnMetadata: { id: described("STRING") },
    rows: [{ id: "1" }],
  });
  storage.createTable("in.c-crm.counted", { columns: ["id"], columnMetadata: { id: described("INTEGER") } });
  // A description by a provider that counts less, which the extension may use.
  storage.createTable("in.c-crm.unclear", {
    columns: ["id"],
    columnMetadata: { id: [...described("STRING"), ...described("NUMERIC", "12,2", "other")] },
  });
  storage.createTable("in.c-crm.typed", {
    columns: [{ name: "note", type: "VARCHAR", length: 16_777_216 }],
    columnMetadata: { note: native("VARCHAR", "16777216") },
  });
  storage.createTable("in.c-crm.view", { columns: ["id"], tableType: "view", dataSizeBytes: 0, rows: [] });
  storage.createAlias("in.c-crm.alias", "in.c-crm.people");
  const filter = { column: "name", operator: "eq", values: ["ann"] } as const;
  storage.createAlias("in.c-crm.some_people", "in.c-crm.people", { filter });
  storage.createAlias("in.c-crm.some_large", "in.c-crm.large", { filter });
  return keboola;
}

describe("the extension", () => {
  const attached = ({ name, capabilities, remotePath }: TableInfo) =>
    capabilities === undefined ? [[name, remotePath!]] : [];

  test("is described without secrets, with the URL without its trailing slash", async () => {
    const keboola = mixedProject();
    await using project = await openProject(keboola);
    const info = project.handle.connector.remote!();
    expect(info).toEqual({
      alias: "kbc",
      extension: "keboola",
      url: keboola.stack,
      tokenEnv: "KEBOOLA_STORAGE_TOKEN",
    });
    expect(info.url).not.toEndWith("/");
    expect(plugin.extensions!["keboola"]).toEqual({
      repository: "community",
      tokenOption: "TOKEN",
      isExact: false,
    });
  });

  test("reads only tables of text that Keboola itself stores, up to a size, and only if the options allow it", async () => {
    const keboola = mixedProject();
    const of = async (options: Record<string, unknown>) => {
      await using project = await openProject(keboola, options);
      return Object.fromEntries([...(await project.tables()).values()].flatMap(attached));
    };
    const small = ["one", "people", "typed"];
    const texts = Object.fromEntries(small.map((name) => [`in.c-crm.${name}`, ["in.c-crm", name]]));
    expect(await of({})).toEqual({});
    expect(await of({ attach: true })).toEqual(texts);
    expect(await of({ attach: true, remoteMaxBytes: null })).toEqual({
      ...texts,
      "in.c-crm.large": ["in.c-crm", "large"],
    });
    keboola.createBranch(7);
    expect(await of({ attach: true, branch: 7 })).toEqual({});
  });
});

/** Registers tables of a source in the mode `remote` and syncs it. */
async function remoteWorkspace(
  folder: string,
  keboola: FakeKeboola,
  { names, options = {} }: { readonly names: readonly string[]; readonly options?: object },
): Promise<Agnes> {
  const source = {
    plugin: "keboola",
    options: { ...optionsOf(keboola), ...options },
    secrets: { KEBOOLA_STORAGE_TOKEN: "CRM_TOKEN" },
  };
  const agnes = await createAgnes({
    workspace: folder,
    plugins: [plugin],
    config: { version: 1, sources: { crm: source } },
    host: { fetch: keboola.fetch, env: { CRM_TOKEN: keboola.token } },
  });
  const tables = await agnes.tables();
  for (const name of names) {
    const change = { source: "crm", name, sourceTable: `in.c-crm.${name}`, queryMode: "remote" } as const;
    await tables.register(change);
  }
  expect((await agnes.sync()).status).toBe("complete");
  return agnes;
}

test("without the extension, its tables are read live, and the receipt and `remoteTables` state it", async () => {
  const keboola = mixedProject();
  using folder = temporaryFolder();
  const request = { names: ["people", "counted"], options: { attach: true } };
  await using agnes = await remoteWorkspace(folder.path, keboola, request);
  const result = await agnes.query("SELECT name FROM people WHERE id = '2'");
  const rows: unknown[] = [];
  for await (const batch of result.batches) for (const row of batch) rows.push(row.toJSON());
  expect(rows).toEqual([{ name: "bob" }]);
  expect(result.receipt().remotes).toMatchObject([{ id: "crm.people", accessMode: "live" }]);
  const [counted, people] = await agnes.remoteTables();
  expect(counted).toMatchObject({ id: "crm.counted", accessMode: "live", extension: null, reason: null });
  expect(people).toMatchObject({ id: "crm.people", accessMode: "live", extension: "keboola" });
  expect(people!.reason).toStartWith("the DuckDB extension keboola is not installed; `agnes doctor");
  expect(exportsOf(keboola)).toHaveLength(1);
});

describe("a live read of a large table", () => {
  test("needs a condition or a limit, in queries, joins and samples", async () => {
    const keboola = mixedProject();
    using folder = temporaryFolder();
    await using agnes = await remoteWorkspace(folder.path, keboola, { names: ["large", "people", "view"] });
    const error = await rejection(agnes.rows("SELECT count(*) FROM large"));
    expect(error).toMatchObject({ code: "keboola/condition_required" });
    expect(error.message).toContain("it has 2048 MiB, and `remoteMaxBytes` is 1024 MiB");
    expect(await rejection(agnes.rows("FROM view"))).toMatchObject({
      code: "keboola/condition_required",
      message: expect.stringContaining("Keboola does not report its size"),
    });
    expect(await rejection(agnes.rows("FROM large WHERE upper(name) = 'ANN'"))).toMatchObject({
      code: "keboola/condition_required",
    });
    expect(exportsOf(keboola)).toEqual([]);
    expect(await agnes.rows("DESCRIBE large")).toHaveLength(2);
    expect(exportsOf(keboola)).toEqual([]);
    expect(await agnes.rows("SELECT id FROM large WHERE name = 'bob'")).toEqual([{ id: "2" }]);
    expect(await agnes.rows("FROM large LIMIT 1")).toHaveLength(1);
    expect(exportsOf(keboola)).toMatchObject([
      { whereFilters: [{ column: "name", operator: "eq", values: ["bob"] }] },
      { limit: 1 },
    ]);
    let sampled = 0;
    for await (const batch of (await agnes.sample("large", 2)).batches) sampled += batch.numRows;
    expect(sampled).toBe(2);
    expect(await agnes.rows("SELECT count(*)::INT AS n FROM people")).toEqual([{ n: 2 }]);
    await (await agnes.tables()).register({ source: "crm", name: "keys", sourceTable: "in.c-crm.one" });
    await agnes.sync();
    expect(await agnes.rows("SELECT name FROM large JOIN keys USING (id)")).toEqual([{ name: "ann" }]);
    expect(exportsOf(keboola).at(-1)).toMatchObject({ whereFilters: [{ column: "id", values: ["1"] }] });
  });

  const eq: Filter = { column: "id", operator: "eq", values: ["1"] };
  const isNull: Filter = { column: "id", operator: "is_null", values: [] };

  test("counts only conditions that Keboola applies, and a limit that it receives", async () => {
    const keboola = mixedProject();
    await using project = await openProject(keboola);
    const info = (await project.tables()).get("in.c-crm.large")!;
    for (const options of [{}, { filter: [isNull] }, { filter: [isNull], limit: 5 }])
      expect(await rejection(project.read(info, options))).toMatchObject({
        code: "keboola/condition_required",
        details: { tableBytes: 2 * GIB, remoteMaxBytes: GIB },
      });
    expect(keboola.jobs).toEqual([]);
    for (const options of [{ filter: [eq] }, { filter: [isNull, eq] }, { limit: 5 }])
      expect((await project.read(info, options)).chunks).not.toEqual([]);
  });

  test("of a filtered alias is one of its source", async () => {
    const keboola = mixedProject();
    await using project = await openProject(keboola);
    const tables = await project.tables();
    expect((await project.read(tables.get("in.c-crm.some_people")!)).chunks).toHaveLength(1);
    expect(await rejection(project.read(tables.get("in.c-crm.some_large")!))).toMatchObject({
      code: "keboola/condition_required",
      details: { table: "in.c-crm.some_large", tableBytes: 2 * GIB },
    });
  });

  test("is allowed by the option, and a sync reads any table", async () => {
    const keboola = mixedProject();
    {
      await using project = await openProject(keboola, { remoteMaxBytes: null });
      const tables = await project.tables();
      for (const name of ["large", "view"]) await project.read(tables.get(`in.c-crm.${name}`)!);
      expect(keboola.jobs).toHaveLength(2);
    }
    await using project = await openProject(keboola, { remoteMaxBytes: 0 });
    const people = (await project.tables()).get("in.c-crm.people")!;
    expect((await rejection(project.read(people))).message).toContain("and `remoteMaxBytes` is 0 B");
    const stats = await project.sync({ "in.c-crm.large": {}, "in.c-crm.people": {} });
    expect(stats.errors).toEqual([]);
  });
});
