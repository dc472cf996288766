import { describe, expect, test } from "bun:test";

import { fakeKeboola, type KeboolaScript } from "../fakes/keboola/mod.ts";
import { described, sampleProject } from "./project.ts";
import { errorsOf, exportsOf, openProject, type Project } from "./support.ts";

const MINUTE_MS = 60_000;
const incremental = { strategy: "incremental" } as const;

function people(script: KeboolaScript = {}, options: { primaryKey?: string[]; timestampType?: "NONE" } = {}) {
  const keboola = fakeKeboola(script);
  const table = keboola.storage.createTable("in.c-crm.people", {
    columns: ["id", "name"],
    primaryKey: ["id"],
    columnMetadata: { id: described("INTEGER") },
    ...options,
  });
  return { keboola, table };
}

const names = async (project: Project) => {
  const rows = await project.rows<{ id: bigint; name: string }>(
    "SELECT id, name FROM people ORDER BY id, name",
  );
  return rows.map(({ id, name }) => `${id} ${name}`);
};

describe("an incremental sync", () => {
  test("exports the rows that changed since the start of the last export, minus a margin", async () => {
    const { keboola, table } = people();
    await using project = await openProject(keboola);
    table.load(
      Array.from({ length: 10 }, (_, at) => ({ id: String(at), name: `old ${at}` })),
      { mode: "truncate" },
    );
    project.host.advance(180 * MINUTE_MS);
    expect(errorsOf(await project.sync({ "in.c-crm.people": incremental }))).toEqual([]);
    project.host.advance(180 * MINUTE_MS);
    table.load(
      [
        { id: "3", name: "new" },
        { id: "10", name: "added" },
      ],
      { mode: "incremental" },
    );
    project.host.advance(MINUTE_MS);
    await project.reconnect();
    const stats = await project.sync({ "in.c-crm.people": incremental });
    expect(stats.tables[0]).toMatchObject({ rowsRead: 2, full: false });
    const all = await names(project);
    expect(all).toHaveLength(11);
    expect([all[3], all[10]]).toEqual(["3 new", "10 added"]);
    const [first, second] = exportsOf(keboola);
    expect(first).not.toHaveProperty("changedSince");
    // The first export started 180 minutes after 08:00, and the margin is 60 minutes.
    expect(Number(second!["changedSince"]) * 1000).toBeWithin(
      Date.parse("2026-06-01T09:59:00Z"),
      Date.parse("2026-06-01T10:05:00Z"),
    );
  });

  test("reads changes again that an import committed late", async () => {
    const { keboola, table } = people();
    await using project = await openProject(keboola);
    table.load([{ id: "1", name: "one" }], { mode: "truncate" });
    project.host.advance(180 * MINUTE_MS);
    await project.sync({ "in.c-crm.people": incremental });
    // It began before the export, and ended after it.
    table.load([{ id: "1", name: "late" }], {
      mode: "incremental",
      at: new Date(project.host.now().getTime() - 50 * MINUTE_MS),
    });
    project.host.advance(10 * MINUTE_MS);
    await project.sync({ "in.c-crm.people": incremental });
    expect(await names(project)).toEqual(["1 late"]);
  });

  test("replaces the table after a load that truncated it", async () => {
    const { keboola, table } = people();
    await using project = await openProject(keboola);
    table.load(
      [
        { id: "1", name: "one" },
        { id: "2", name: "gone" },
      ],
      { mode: "truncate" },
    );
    project.host.advance(180 * MINUTE_MS);
    await project.sync({ "in.c-crm.people": incremental });
    project.host.advance(180 * MINUTE_MS);
    table.load(
      [
        { id: "1", name: "again" },
        { id: "3", name: "three" },
      ],
      { mode: "truncate" },
    );
    project.host.advance(MINUTE_MS);
    expect(errorsOf(await project.sync({ "in.c-crm.people": incremental }))).toEqual([]);
    expect(await names(project)).toEqual(["1 again", "3 three"]);
    // One export was enough.
    expect(keboola.jobs).toHaveLength(2);
  });

  test("reads the table in full when rows were deleted", async () => {
    const { keboola, table } = people();
    await using project = await openProject(keboola);
    table.load(
      ["1", "2", "3"].map((id) => ({ id, name: "x" })),
      { mode: "truncate" },
    );
    project.host.advance(180 * MINUTE_MS);
    await project.sync({ "in.c-crm.people": incremental });
    project.host.advance(180 * MINUTE_MS);
    table.deleteRows(({ id }) => id === "2");
    project.host.advance(MINUTE_MS);
    const stats = await project.sync({ "in.c-crm.people": incremental });
    expect(errorsOf(stats)).toEqual([]);
    expect(await names(project)).toEqual(["1 x", "3 x"]);
    expect(stats.tables[0]!.notes.join()).toContain("its source reports 2 rows");
  });

  test("reads an emptied table as empty", async () => {
    const { keboola, table } = people();
    await using project = await openProject(keboola);
    table.load([{ id: "1", name: "one" }], { mode: "truncate" });
    project.host.advance(180 * MINUTE_MS);
    await project.sync({ "in.c-crm.people": incremental });
    project.host.advance(180 * MINUTE_MS);
    table.truncate();
    project.host.advance(MINUTE_MS);
    expect(errorsOf(await project.sync({ "in.c-crm.people": incremental }))).toEqual([]);
    expect(await names(project)).toEqual([]);
  });

  test("reads all rows if a part of the extract is missing", async () => {
    const { keboola, table } = people();
    await using project = await openProject(keboola);
    table.load(
      ["1", "2"].map((id) => ({ id, name: "x" })),
      { mode: "truncate" },
    );
    project.host.advance(180 * MINUTE_MS);
    await project.sync({ "in.c-crm.people": incremental });
    const { rm } = await import("node:fs/promises");
    const { join } = await import("node:path");
    await rm(join(project.directory, "data", "people"), { recursive: true });
    project.host.advance(180 * MINUTE_MS);
    table.load([{ id: "3", name: "x" }], { mode: "incremental" });
    project.host.advance(MINUTE_MS);
    expect(errorsOf(await project.sync({ "in.c-crm.people": incremental }))).toEqual([]);
    expect(await names(project)).toEqual(["1 x", "2 x", "3 x"]);
    expect(exportsOf(keboola)[1]).not.toHaveProperty("changedSince");
  });

  test("exports all rows of a table without _timestamp, and replaces it", async () => {
    const { keboola, table } = people({}, { timestampType: "NONE" });
    await using project = await openProject(keboola);
    table.load(
      ["1", "2"].map((id) => ({ id, name: "x" })),
      { mode: "truncate" },
    );
    project.host.advance(180 * MINUTE_MS);
    await project.sync({ "in.c-crm.people": incremental });
    project.host.advance(180 * MINUTE_MS);
    table.load(
      [
        { id: "2", name: "y" },
        { id: "3", name: "y" },
      ],
      { mode: "truncate" },
    );
    project.host.advance(MINUTE_MS);
    const stats = await project.sync({ "in.c-crm.people": incremental });
    expect(errorsOf(stats)).toEqual([]);
    expect(await names(project)).toEqual(["2 y", "3 y"]);
    expect(stats.tables[0]!.notes.join()).toContain("it has no _timestamp");
    expect(exportsOf(keboola).some((body) => "changedSince" in body)).toBe(false);
  });

  test("exports all rows of a table without a primary key, so that none is published twice", async () => {
    const { keboola, table } = people({}, { primaryKey: [] });
    await using project = await openProject(keboola);
    table.load(
      ["1", "2"].map((id) => ({ id, name: "x" })),
      { mode: "truncate" },
    );
    project.host.advance(180 * MINUTE_MS);
    await project.sync({ "in.c-crm.people": incremental });
    table.load([{ id: "2", name: "x" }], { mode: "incremental" });
    project.host.advance(MINUTE_MS);
    expect(errorsOf(await project.sync({ "in.c-crm.people": incremental }))).toEqual([]);
    expect(await names(project)).toEqual(["1 x", "2 x", "2 x"]);
  });

  test("exports all rows if the number of rows is not known, and replaces them", async () => {
    const filter = { column: "name", values: ["x"] };
    for (const alias of [
      { filter },
      { filter, primaryKey: ["id"] },
      { primaryKey: ["id"], rowsCount: null },
    ]) {
      const { keboola, table } = people();
      const load = (...ids: string[]) =>
        table.load(
          ids.map((id) => ({ id, name: "x" })),
          { mode: "truncate" },
        );
      load("1", "2", "3");
      keboola.storage.createAlias("in.c-crm.chosen", "in.c-crm.people", alias);
      await using project = await openProject(keboola);
      const publishes = async (...ids: number[]) => {
        project.host.advance(180 * MINUTE_MS);
        expect(errorsOf(await project.sync({ "in.c-crm.chosen": incremental }))).toEqual([]);
        const published = await project.rows("SELECT id::INT AS id FROM chosen ORDER BY id");
        expect(published).toEqual(ids.map((id) => ({ id })));
      };
      await publishes(1, 2, 3);
      load("3", "4");
      await publishes(3, 4);
      table.truncate();
      await publishes();
      expect(exportsOf(keboola).some((body) => "changedSince" in body)).toBe(false);
    }
  });

  test("refuses a cursor column, because changes of earlier rows would be lost", async () => {
    const { keboola, table } = people();
    const plan = { ...incremental, cursor: "id" };
    table.load(
      ["1", "2"].map((id) => ({ id, name: "open" })),
      { mode: "truncate" },
    );
    await using project = await openProject(keboola);
    project.host.advance(180 * MINUTE_MS);
    expect(errorsOf(await project.sync({ "in.c-crm.people": plan }))).toEqual([]);
    table.load([{ id: "1", name: "closed" }], { mode: "incremental" });
    project.host.advance(MINUTE_MS);
    const stats = await project.sync({ "in.c-crm.people": plan });
    expect(errorsOf(stats)[0]).toContain("keboola/cursor_refused");
    expect(stats.errors[0]!.error.hint).toContain("--clear incremental-column");
    expect(errorsOf(await project.sync({ "in.c-crm.people": incremental }))).toEqual([]);
    expect(await names(project)).toEqual(["1 closed", "2 open"]);
  });

  test("reads an alias in full after its filter changed, although no date moved", async () => {
    const { keboola, table } = people();
    table.load(
      ["1", "2", "3"].map((id) => ({ id, name: `n${id}` })),
      { mode: "truncate" },
    );
    const alias = keboola.storage.createAlias("in.c-crm.chosen", "in.c-crm.people", {
      filter: { column: "name", values: ["n1", "n2"] },
      primaryKey: ["id"],
    });
    await using project = await openProject(keboola);
    for (const plan of [incremental, {}]) {
      alias.changeAlias({ filter: { column: "name", values: ["n1", "n2"] } });
      project.host.advance(180 * MINUTE_MS);
      await project.sync({ "in.c-crm.chosen": plan }, { full: true });
      alias.changeAlias({ filter: { column: "name", values: ["n3"] } });
      project.host.advance(180 * MINUTE_MS);
      expect(errorsOf(await project.sync({ "in.c-crm.chosen": plan }))).toEqual([]);
      expect(await project.rows("SELECT name FROM chosen")).toEqual([{ name: "n3" }]);
    }
  });

  test("merges changes into the partitions of a table", async () => {
    const { keboola, table } = people();
    await using project = await openProject(keboola);
    const plan = { strategy: "partitioned", partitionBy: "name", partitionGranularity: "month" } as const;
    table.setColumnMetadata("name", described("DATE"));
    table.load(
      ["1", "2", "3"].map((id) => ({ id, name: "2026-01-15" })),
      { mode: "truncate" },
    );
    project.host.advance(180 * MINUTE_MS);
    expect(errorsOf(await project.sync({ "in.c-crm.people": plan }))).toEqual([]);
    project.host.advance(180 * MINUTE_MS);
    // A row moves to another partition, and one has no value for it.
    table.load(
      [
        { id: "2", name: "2026-02-15" },
        { id: "4", name: "" },
      ],
      { mode: "incremental" },
    );
    project.host.advance(MINUTE_MS);
    expect(errorsOf(await project.sync({ "in.c-crm.people": plan }))).toEqual([]);
    expect(exportsOf(keboola)[1]).toHaveProperty("changedSince");
    expect(await project.rows("SELECT id::INT AS id, name::VARCHAR AS day FROM people ORDER BY id")).toEqual([
      { id: 1, day: "2026-01-15" },
      { id: 2, day: "2026-02-15" },
      { id: 3, day: "2026-01-15" },
      { id: 4, day: null },
    ]);
  });

  test("reads all rows after the type or the list of columns changed", async () => {
    const { keboola, table } = people();
    await using project = await openProject(keboola);
    table.load(
      ["1", "2"].map((id) => ({ id, name: "7" })),
      { mode: "truncate" },
    );
    project.host.advance(180 * MINUTE_MS);
    await project.sync({ "in.c-crm.people": incremental });
    project.host.advance(180 * MINUTE_MS);
    table.addColumn("extra");
    project.host.advance(MINUTE_MS);
    expect(errorsOf(await project.sync({ "in.c-crm.people": incremental }))).toEqual([]);
    // Untyped tables have no null: old rows have the empty text, as a full read finds it.
    expect(await project.rows("SELECT id::INT AS id, extra FROM people ORDER BY id")).toEqual([
      { id: 1, extra: "" },
      { id: 2, extra: "" },
    ]);
    expect(exportsOf(keboola)[1]).not.toHaveProperty("changedSince");
  });
});

describe("a sync of an unchanged table", () => {
  const tables = { "in.c-crm.orders": {}, "in.c-crm.payments": incremental, "out.c-mart.named": {} };

  test("starts no export", async () => {
    const keboola = sampleProject();
    await using project = await openProject(keboola);
    project.host.advance(10 * MINUTE_MS);
    expect((await project.sync(tables)).tablesExtracted).toBe(3);
    expect(keboola.jobs).toHaveLength(3);
    project.host.advance(60 * MINUTE_MS);
    await project.reconnect();
    const stats = await project.sync(tables);
    expect(errorsOf(stats)).toEqual([]);
    expect(stats.tablesSkipped).toBe(3);
    expect(keboola.jobs).toHaveLength(3);
  });

  test("exports tables that views, external buckets and other projects may have changed", async () => {
    const keboola = fakeKeboola({ clock: { now: () => new Date("2026-05-01T00:00:00Z") } });
    keboola.storage.createTable("in.c-crm.view", { columns: ["id"], tableType: "view", rows: [{ id: "1" }] });
    keboola.storage.createBucket("in.c-byodb", { isExternal: true });
    const external = keboola.storage.createTable("in.c-byodb.rows", { columns: ["id"], rows: [{ id: "1" }] });
    const other = keboola.createProject({ id: 99, name: "Shared" });
    other.createTable("out.c-shared.shared", { columns: ["id"], rows: [{ id: "1" }] });
    keboola.storage.linkBucket("in.c-linked", other, "out.c-shared");
    const plans = { "in.c-crm.view": {}, "in.c-byodb.rows": {}, "in.c-linked.shared": {} };
    await using project = await openProject(keboola);
    project.host.advance(10 * MINUTE_MS);
    expect(errorsOf(await project.sync(plans))).toEqual([]);
    external.load([{ id: "2" }], { mode: "truncate" });
    project.host.advance(10 * MINUTE_MS);
    expect(errorsOf(await project.sync(plans))).toEqual([]);
    expect(keboola.jobs).toHaveLength(6);
    expect(await project.rows("SELECT id FROM rows")).toEqual([{ id: "2" }]);
  });

  test("publishes nothing for the same rows in another order", async () => {
    const keboola = fakeKeboola({ cache: false });
    keboola.storage.createTable("in.c-crm.view", {
      columns: ["id"],
      tableType: "view",
      rows: Array.from({ length: 60 }, (_, at) => ({ id: String(at) })),
    });
    await using project = await openProject(keboola);
    const generations = [];
    for (let run = 0; run < 4; run += 1) {
      project.host.advance(60 * MINUTE_MS);
      generations.push((await project.sync({ "in.c-crm.view": {} })).generation);
    }
    expect(keboola.jobs).toHaveLength(4);
    expect(generations[3]).toBe(generations[2]!);
  });

  test("does not miss a change within the second of the last known one", async () => {
    const keboola = fakeKeboola();
    const table = keboola.storage.createTable("in.c-crm.people", { columns: ["id"], primaryKey: ["id"] });
    await using project = await openProject(keboola);
    table.load([{ id: "1" }], { mode: "truncate" });
    const changedAt = project.host.now();
    expect(errorsOf(await project.sync({ "in.c-crm.people": {} }))).toEqual([]);
    // The date that the API returns is the same.
    table.load([{ id: "1" }, { id: "2" }], { mode: "truncate" });
    table.lastChange = changedAt;
    project.host.advance(60 * MINUTE_MS);
    expect(errorsOf(await project.sync({ "in.c-crm.people": {} }))).toEqual([]);
    expect(await project.rows("SELECT count(*)::INT AS rows FROM people")).toEqual([{ rows: 2 }]);
  });
});
