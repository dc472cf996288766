import { describe, expect, test } from "bun:test";

import type { AgnesError, Filter, TableInfo } from "agnes/kit";

import plugin from "../../plugins/keboola/plugin.ts";
import type { FakeKeboola } from "../fakes/keboola/mod.ts";
import { fakeKeboola } from "../fakes/keboola/mod.ts";
import { openWorkspace, type Workspace } from "./agnes.ts";
import { described, native } from "./project.ts";
import { exportsOf, openProject, rejection } from "./support.ts";

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
  const large = { columns: ["id", "name"], rows, dataSizeBytes: 2 * GIB, rowsCount: 2_000_000 };
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

/** Registers tables in the mode `remote` and syncs them. */
async function remoteWorkspace(
  keboola: FakeKeboola,
  { names, options = {} }: { readonly names: readonly string[]; readonly options?: object },
): Promise<Workspace> {
  const workspace = await openWorkspace(keboola, { options });
  const { agnes } = workspace;
  const tables = await agnes.tables();
  for (const name of names) {
    const change = { source: "crm", name, sourceTable: `in.c-crm.${name}`, queryMode: "remote" } as const;
    await tables.register(change);
  }
  expect((await agnes.sync()).status).toBe("complete");
  return workspace;
}

test("without the extension, its tables are read live, and the receipt and `remoteTables` state it", async () => {
  const keboola = mixedProject();
  const request = { names: ["people", "counted"], options: { attach: true } };
  await using workspace = await remoteWorkspace(keboola, request);
  const { agnes } = workspace;
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
    await using workspace = await remoteWorkspace(keboola, { names: ["large", "people", "view"] });
    const { agnes } = workspace;
    const error = await rejection(agnes.rows("SELECT count(*) FROM large"));
    expect(error).toMatchObject({ code: "keboola/condition_required" });
    expect((error as AgnesError).hint).toContain(
      "copy the table: `agnes table update crm.large --mode local`;",
    );
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
    // Half of the rows, which are half of the bytes.
    expect(await agnes.rows("FROM large LIMIT 1000000")).toHaveLength(2);
    const long = (await rejection(agnes.rows("FROM large LIMIT 1000001"))) as AgnesError;
    expect(long.code).toBe("keboola/condition_required");
    expect(long.message).toContain("is too large to read it with LIMIT 1000001 for a query: it has 2048 MiB");
    expect(long.hint).toContain("a LIMIT of at most 1000000 without conditions");
    // A row of a table without a size counts a MiB.
    expect(await agnes.rows("FROM view LIMIT 1024")).toHaveLength(0);
    expect(await rejection(agnes.rows("FROM view LIMIT 1025"))).toMatchObject({
      code: "keboola/condition_required",
      details: { tableBytes: null, limit: 1025, rowsMax: 1024 },
    });
    expect(exportsOf(keboola)).toHaveLength(4);
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

  test("with a limit counts the average bytes of a row, of a filtered alias those of its source", async () => {
    const keboola = mixedProject();
    const { storage } = keboola;
    const rows = [{ id: "1" }];
    storage.createTable("in.c-crm.uncounted", {
      columns: ["id"],
      rows,
      dataSizeBytes: 2 * GIB,
      rowsCount: null,
    });
    storage.createTable("in.c-crm.wide", { columns: ["id"], rows, dataSizeBytes: 8 * GIB, rowsCount: 4 });
    await using project = await openProject(keboola);
    const tables = await project.tables();
    const read = (name: string, limit: number) => project.read(tables.get(`in.c-crm.${name}`)!, { limit });
    for (const [name, rowsMax] of [
      ["some_large", 1_000_000],
      ["uncounted", 1024],
    ] as const) {
      expect((await read(name, rowsMax)).chunks).toHaveLength(1);
      const details = { rowsMax, limit: rowsMax + 1, tableBytes: 2 * GIB };
      expect(await rejection(read(name, rowsMax + 1))).toMatchObject({ details });
    }
    const wide = (await rejection(read("wide", 1))) as AgnesError;
    expect(wide).toMatchObject({ code: "keboola/condition_required", details: { rowsMax: 0 } });
    expect(wide.hint).not.toContain("LIMIT");
  });

  test("is allowed by the option, and a sync reads any table", async () => {
    const keboola = mixedProject();
    keboola.storage.createTable("in.c-crm.huge", {
      columns: ["id"],
      rows: [{ id: "1" }],
      dataSizeBytes: 9 * GIB,
    });
    {
      await using project = await openProject(keboola, { remoteMaxBytes: null });
      const tables = await project.tables();
      for (const name of ["huge", "view"]) await project.read(tables.get(`in.c-crm.${name}`)!);
      expect(keboola.jobs).toHaveLength(2);
    }
    await using project = await openProject(keboola, { remoteMaxBytes: 0 });
    const people = (await project.tables()).get("in.c-crm.people")!;
    expect((await rejection(project.read(people))).message).toContain("and `remoteMaxBytes` is 0 B");
    const stats = await project.sync({ "in.c-crm.huge": {}, "in.c-crm.people": {} });
    expect(stats.errors).toEqual([]);
  });
});
