import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";

import { fakeKeboola, type FakeKeboola, type KeboolaScript } from "../fakes/keboola/mod.ts";
import { openWorkspace } from "./agnes.ts";
import { described } from "./project.ts";
import { errorsOf, exportsOf, openProject, rejection, type Project } from "./support.ts";

const HOUR_MS = 60 * 60_000;
const TABLE = "in.c-crm.people";
const off = { [TABLE]: { strategy: "incremental" } } as const;
const on = { [TABLE]: { strategy: "incremental", fullKeysMs: 24 * HOUR_MS } } as const;

/** A project with a table of 20 rows that was synced two days ago. */
async function synced(script: KeboolaScript = {}) {
  const keboola = fakeKeboola(script);
  const table = keboola.storage.createTable(TABLE, {
    columns: ["name", "id"],
    primaryKey: ["id"],
    columnMetadata: { id: described("INTEGER") },
  });
  const project = await openProject(keboola);
  const rows = Array.from({ length: 20 }, (_, at) => ({ id: String(at), name: `old ${at}` }));
  table.load(rows, { mode: "truncate" });
  project.host.advance(3 * HOUR_MS);
  expect(errorsOf(await project.sync(on))).toEqual([]);
  project.host.advance(48 * HOUR_MS);
  return {
    keboola,
    table,
    project,
    [Symbol.asyncDispose]: async () => project[Symbol.asyncDispose](),
  };
}

/** The ids of the table that are among these. */
const idsAmong = async (project: Project, ...ids: number[]) => {
  const found = await project.rows<{ id: bigint }>(
    `SELECT id FROM people WHERE id IN (${ids.join()}) ORDER BY id`,
  );
  return found.map(({ id }) => Number(id));
};

/** Stops a sync when a slice is requested after that many jobs. */
async function interrupted(
  { project, keboola }: { readonly project: Project; readonly keboola: FakeKeboola },
  jobs: number,
  slices: number,
): Promise<void> {
  const stop = new AbortController();
  let seen = 0;
  keboola.onRequest((step) => {
    if (step === "slice" && keboola.jobs.length === jobs && ++seen === slices) stop.abort();
    return undefined;
  });
  await rejection(project.sync(on, { signal: stop.signal }));
  keboola.onRequest(undefined);
  await project.reconnect();
}

test("a key census deletes a row that another one replaced, without reading the whole table", async () => {
  await using world = await synced();
  const { keboola, table, project } = world;
  table.deleteRows(({ id }) => id === "3");
  table.load([{ id: "100", name: "new" }], { mode: "incremental" });
  project.host.advance(HOUR_MS);
  const [stats] = (await project.sync(on)).tables;
  expect(stats).toMatchObject({ full: false, rowsRead: 1, rowsDeleted: 1, rows: 20 });
  expect(stats!.notes).toEqual(["key census: 1 published row was not in the source and was deleted"]);
  expect(await idsAmong(project, 3, 100)).toEqual([100]);
  const [, keys, delta] = exportsOf(keboola);
  expect(keys).toMatchObject({ columns: "id" });
  expect(keys).not.toHaveProperty("changedSince");
  expect(delta).toMatchObject({ columns: "name,id" });
  expect(delta).toHaveProperty("changedSince");
  // The state is that of the read of the rows.
  project.host.advance(HOUR_MS);
  table.load([{ id: "101", name: "new" }], { mode: "incremental" });
  project.host.advance(HOUR_MS);
  const [next] = (await project.sync(on)).tables;
  expect(next).toMatchObject({ full: false, rows: 21, notes: [] });
  expect(exportsOf(keboola)).toHaveLength(4);
});

test("a deletion that the number of rows does not show is found by a key census only", async () => {
  await using world = await synced();
  const { table, project } = world;
  table.deleteRows(({ id }) => id === "3");
  // It began long before the last export and ended after it, so the margin does not cover it.
  const at = new Date(project.host.now().getTime() - 50 * HOUR_MS);
  table.load([{ id: "100", name: "late" }], { mode: "incremental", at });
  project.host.advance(HOUR_MS);
  const [kept] = (await project.sync(off)).tables;
  expect(kept).toMatchObject({ full: false, rowsDeleted: 0, rows: 20 });
  expect(await idsAmong(project, 3, 100)).toEqual([3]);
  const stats = await project.sync(on);
  expect(errorsOf(stats)).toEqual([]);
  // Without the row that was deleted, the number of rows shows that one is missing.
  expect(stats.tables[0]).toMatchObject({ full: true, rowsRead: 20, rows: 20 });
  expect(await idsAmong(project, 3, 100)).toEqual([100]);
});

test("an interrupted key census continues its export, and does not disturb that of the rows", async () => {
  await using world = await synced({ sliceRows: 3, cache: false });
  const { keboola, table, project } = world;
  table.deleteRows(({ id }) => id === "3");
  table.load(
    ["100", "101", "102", "103", "104", "105"].map((id) => ({ id, name: "new" })),
    { mode: "incremental" },
  );
  project.host.advance(HOUR_MS);
  const folders = ["people", "people.keys"].map((name) => join(project.directory, "reads", name));
  const exist = () => folders.map((folder) => existsSync(folder));
  // The keys are in nine slices.
  await interrupted(world, 2, 7);
  expect(exist()).toEqual([false, true]);
  await interrupted(world, 3, 1);
  expect(exist()).toEqual([true, true]);
  // The export of the keys was continued.
  expect(keboola.jobs).toHaveLength(3);
  const before = keboola.requestsOf("slice").length;
  expect(errorsOf(await project.sync(on))).toEqual([]);
  expect(await idsAmong(project, 3, 100, 105)).toEqual([100, 105]);
  const slices = keboola.requestsOf("slice").slice(before);
  // Those of the keys were complete, and are only validated.
  const downloads = slices.filter(
    ({ headers }) => !headers.has("if-none-match") && !headers.has("if-modified-since"),
  );
  expect(downloads.length).toBeLessThanOrEqual(2);
  expect(keboola.jobs).toHaveLength(3);
  expect(exist()).toEqual([false, false]);
});

test("an empty table is emptied after its full export confirmed it", async () => {
  await using world = await synced();
  const { table, project } = world;
  table.truncate();
  project.host.advance(HOUR_MS);
  const [stats] = (await project.sync(on)).tables;
  expect(stats).toMatchObject({ full: true, rows: 0 });
  expect(stats!.notes).toEqual(["its source listed no keys, so the table was read in full"]);
});

test("a registered table with full_keys takes its census at a sync", async () => {
  const keboola = fakeKeboola({ jobPolls: 0 });
  const table = keboola.storage.createTable(TABLE, {
    columns: ["id", "name"],
    primaryKey: ["id"],
    rows: ["1", "2", "3"].map((id) => ({ id, name: "old" })),
  });
  await using workspace = await openWorkspace(keboola);
  const { agnes } = workspace;
  const tables = await agnes.tables();
  await tables.register({ source: "crm", name: "people", sourceTable: TABLE, syncStrategy: "incremental" });
  await agnes.sync();
  table.deleteRows(({ id }) => id === "2");
  table.load([{ id: "4", name: "new" }], { mode: "incremental" });
  await tables.update("crm.people", { fullKeys: "every 7d" });
  const { sources } = await agnes.sync();
  expect(JSON.stringify(sources)).toContain("key census: 1 published row was not in the source");
  const { batches } = await agnes.query("SELECT string_agg(id, ' ' ORDER BY id) AS ids FROM people");
  for await (const batch of batches) for (const row of batch) expect(row.toJSON()).toEqual({ ids: "1 3 4" });
});
