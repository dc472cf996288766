import { expect, test } from "bun:test";

import { fakeKeboola, type KeboolaScript } from "../fakes/keboola/mod.ts";
import { described } from "./project.ts";
import { errorsOf, exportsOf, openProject, rejection, type Project } from "./support.ts";

const DAY_MS = 24 * 60 * 60_000;
const TABLE = "in.c-crm.people";
const windows = { [TABLE]: { strategy: "incremental", chunkDays: 30 } } as const;

/** A table that was created a hundred days ago, with rows imported then, fifty days ago and today. */
async function aged(script: KeboolaScript = {}, ages: readonly number[] = [100, 50, 0]) {
  const keboola = fakeKeboola(script);
  const project = await openProject(keboola);
  const table = keboola.storage.createTable(TABLE, {
    columns: ["id", "name"],
    primaryKey: ["id"],
    columnMetadata: { id: described("INTEGER") },
  });
  for (const age of [100, 50, 0]) {
    if (age < 100) project.host.advance(50 * DAY_MS);
    const rows = Array.from({ length: 10 }, (_, at) => ({ id: `${age}${at}`, name: `${age} days` }));
    if (ages.includes(age)) table.load(rows, { mode: "incremental" });
  }
  project.host.advance(60_000);
  return {
    keboola,
    project,
    table,
    [Symbol.asyncDispose]: async () => project[Symbol.asyncDispose](),
  };
}

const DAYS = ["2026-06-01", "2026-07-01", "2026-07-31", "2026-08-30"];

/** The ranges of the exports, in days; `whole` for those without. */
const rangesOf = (keboola: ReturnType<typeof fakeKeboola>) =>
  exportsOf(keboola).map(({ changedSince, changedUntil }) => {
    const text = (seconds: unknown, by: number) =>
      seconds === undefined
        ? ""
        : new Date((Number(seconds) + by) * 1000).toISOString().replace("T00:00:00.000Z", "");
    return changedSince === undefined && changedUntil === undefined
      ? "whole"
      : `${text(changedSince, 1)}/${text(changedUntil, -1)}`;
  });

const countOf = async (project: Project) => {
  const [found] = await project.rows<{ n: number; ids: number }>(
    "SELECT count(*)::INT AS n, count(DISTINCT id)::INT AS ids FROM people",
  );
  expect(found!.n).toBe(found!.ids);
  return found!.n;
};

test("a first load exports windows by the time of import, and later syncs only changes", async () => {
  await using world = await aged();
  const { keboola, project, table } = world;
  const stats = await project.sync(windows);
  expect(errorsOf(stats)).toEqual([]);
  expect(rangesOf(keboola)).toEqual([
    `/${DAYS[1]}`,
    `${DAYS[1]}/${DAYS[2]}`,
    `${DAYS[2]}/${DAYS[3]}`,
    `${DAYS[3]}/`,
  ]);
  expect(await countOf(project)).toBe(30);
  expect(stats.tables[0]).toMatchObject({ rows: 30, notes: [] });
  project.host.advance(DAY_MS);
  expect((await project.sync(windows)).tables[0]).toMatchObject({ status: "unchanged", rowsRead: 0 });
  expect(keboola.jobs).toHaveLength(4);
  table.load([{ id: "777", name: "new" }], { mode: "incremental" });
  project.host.advance(DAY_MS);
  expect((await project.sync(windows)).tables[0]).toMatchObject({ full: false, rows: 31 });
});

test("a table that has not changed for long is loaded with its last window that has rows", async () => {
  await using world = await aged({}, [100]);
  const { keboola, project } = world;
  expect(errorsOf(await project.sync(windows))).toEqual([]);
  expect(rangesOf(keboola)).toEqual([`/${DAYS[1]}`]);
  expect(await countOf(project)).toBe(10);
  project.host.advance(DAY_MS);
  await project.sync(windows);
  expect(keboola.jobs).toHaveLength(1);
});

test("rows that are imported again while windows are exported replace the earlier ones", async () => {
  await using world = await aged({ jobPolls: 0 });
  const { keboola, project, table } = world;
  keboola.onRequest((step, n) => {
    if (step === "export" && n === 2) {
      project.host.advance(60_000);
      table.load(
        ["1000", "501", "99"].map((id) => ({ id, name: "again" })),
        { mode: "incremental" },
      );
    }
    return undefined;
  });
  expect(errorsOf(await project.sync(windows))).toEqual([]);
  keboola.onRequest(undefined);
  expect(rangesOf(keboola)).toHaveLength(4);
  expect(await project.rows("SELECT id::INT AS id FROM people WHERE name = 'again' ORDER BY id")).toEqual([
    { id: 99 },
    { id: 501 },
    { id: 1000 },
  ]);
  expect(await countOf(project)).toBe(31);
});

test("rows that are deleted while windows are exported cause one full export", async () => {
  await using world = await aged({ jobPolls: 0 });
  const { keboola, project, table } = world;
  keboola.onRequest((step, n) => {
    if (step === "export" && n === 3) table.deleteRows(({ id }) => id === "1000");
    return undefined;
  });
  const stats = await project.sync(windows);
  keboola.onRequest(undefined);
  expect(errorsOf(stats)).toEqual([]);
  expect(rangesOf(keboola).at(-1)).toBe("whole");
  expect(keboola.jobs).toHaveLength(5);
  expect(await countOf(project)).toBe(29);
});

test("rows that are deleted while windows are exported do not make the load end early", async () => {
  await using world = await aged({ jobPolls: 0 });
  const { keboola, project, table } = world;
  keboola.onRequest((step, n) => {
    // The table then has as many rows as the first two windows.
    if (step === "export" && n === 2) table.deleteRows(({ id }) => id!.startsWith("100"));
    return undefined;
  });
  expect(errorsOf(await project.sync(windows))).toEqual([]);
  keboola.onRequest(undefined);
  expect(rangesOf(keboola).slice(3)).toEqual([`${DAYS[3]}/`, "whole"]);
  expect(await project.rows("SELECT DISTINCT name FROM people ORDER BY name")).toEqual([
    { name: "0 days" },
    { name: "50 days" },
  ]);
});

test("an interrupted load continues with the export of its window", async () => {
  await using world = await aged({ sliceRows: 3, cache: false });
  const { keboola, project } = world;
  const stop = new AbortController();
  keboola.onRequest((step) => {
    if (step === "slice" && keboola.jobs.length === 2) stop.abort();
    return undefined;
  });
  await rejection(project.sync(windows, { signal: stop.signal }));
  keboola.onRequest(undefined);
  expect(await countOf(project)).toBe(10);
  await project.reconnect();
  expect(errorsOf(await project.sync(windows))).toEqual([]);
  expect(keboola.jobs).toHaveLength(4);
  expect(rangesOf(keboola)).toHaveLength(4);
  expect(await countOf(project)).toBe(30);
});

test("tables that cannot be exported by the time of import and counted are loaded at once", async () => {
  const keboola = fakeKeboola();
  const rows = [{ id: "1", name: "one" }];
  const common = { columns: ["id", "name"], rows };
  keboola.storage.createTable("in.c-crm.keyless", common);
  keboola.storage.createTable("in.c-crm.untimed", { ...common, primaryKey: ["id"], timestampType: "NONE" });
  keboola.storage.createTable("in.c-crm.view", { ...common, tableType: "view" });
  await using project = await openProject(keboola);
  project.host.advance(100 * DAY_MS);
  const plan = { strategy: "incremental", chunkDays: 30 } as const;
  const stats = await project.sync({
    "in.c-crm.keyless": plan,
    "in.c-crm.untimed": plan,
    "in.c-crm.view": plan,
  });
  expect(errorsOf(stats)).toEqual([]);
  expect(rangesOf(keboola)).toEqual(["whole", "whole", "whole"]);
  for (const { notes } of stats.tables) expect(notes.join()).toContain("so it was not loaded in windows");
});
