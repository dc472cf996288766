import { expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { int64, table, utf8 } from "agnes/kit";

import {
  columns,
  labels,
  openDesk,
  push,
  registerIncremental,
  remove,
  spoolOf,
  syncDesk,
  tickets,
  titles,
  upsert,
  type Desk,
} from "./pushing.ts";
import { temporaryFolder } from "./workspace.ts";

const waiting = async (directory: string) =>
  (await readdir(join(directory, "data", "extracts", "desk", "spool"))).length;

test("sync() makes the tables of a source without `read` from events, and shows them in queries", async () => {
  using folder = temporaryFolder();
  await using agnes = await openDesk(folder.path, { tables: [tickets, labels], rows: {} });
  const none = await syncDesk(agnes);
  expect(none).toMatchObject({
    status: "complete",
    registered: ["desk.tickets", "desk.labels"],
    events: { merged: 0, replayed: 0, superseded: 0, waiting: 0, tables: [] },
    stats: { published: false, tablesSkipped: 2, tablesFailed: 0 },
  });
  expect(none.stats!.tables[0]!.notes).toEqual(["no event has changed it yet, so it is not published"]);
  const events = await push(
    folder.path,
    [upsert("tickets", 1, "one", 1), upsert("tickets", 2, "two", 1)],
    [upsert("labels", 7, "red")],
  );
  const first = await syncDesk(agnes, { only: ["desk"] });
  expect(first).toMatchObject({
    status: "complete",
    events: { merged: 2, replayed: 0, superseded: 0, waiting: 0 },
    stats: { published: true, generation: 1, tablesExtracted: 2, totalRows: 3 },
  });
  expect(first.stats!.tables).toMatchObject([
    { id: "desk.labels", name: "labels", status: "extracted", rows: 1, events: { upserts: 1, deletes: 0 } },
    { id: "desk.tickets", name: "tickets", status: "extracted", rows: 2, events: { upserts: 2, deletes: 0 } },
  ]);
  expect(await titles(agnes, "tickets")).toEqual(["1 one", "2 two"]);
  expect(await titles(agnes, "labels")).toEqual(["7 red"]);
  await spoolOf(folder.path).append(events);
  expect(await syncDesk(agnes)).toMatchObject({
    events: { merged: 0, replayed: 2, waiting: 0 },
    stats: { published: false, generation: 1, tablesSkipped: 2 },
  });
  await push(folder.path, [remove("tickets", 1)], [upsert("tickets", 2, "old", 0)]);
  expect(await syncDesk(agnes)).toMatchObject({ events: { merged: 2 }, stats: { tablesExtracted: 1 } });
  expect(await titles(agnes, "tickets")).toEqual(["2 two"]);
});

test("sync() counts superseded events", async () => {
  using folder = temporaryFolder();
  await using agnes = await openDesk(folder.path, { tables: [labels], rows: {} });
  const event = (id: string, title: string) => ({
    id,
    orderingKey: "1",
    body: [upsert("labels", 1, title)] as never,
  });
  await spoolOf(folder.path).append([event("a", "old"), event("b", "older"), event("c", "new")]);
  expect(await syncDesk(agnes)).toMatchObject({ events: { merged: 1, superseded: 2, replayed: 0 } });
  expect(await titles(agnes, "labels")).toEqual(["1 new"]);
});

test("sync() of one table merges the events of all tables of its source", async () => {
  using folder = temporaryFolder();
  await using agnes = await openDesk(folder.path, { tables: [tickets, labels], rows: {} });
  await syncDesk(agnes);
  await push(folder.path, [upsert("tickets", 1, "one", 1)], [upsert("labels", 7, "red")]);
  const report = await syncDesk(agnes, { only: ["desk.labels"] });
  expect(report.stats!.tables.map(({ name }) => name)).toEqual(["labels"]);
  expect(report.events!.tables.map(({ name, upserts }) => [name, upserts])).toEqual([
    ["labels", 1],
    ["tickets", 1],
  ]);
  expect(await titles(agnes, "tickets")).toEqual(["1 one"]);
});

test("sync() applies events before it reads, so that no older event replaces a row of the read", async () => {
  using folder = temporaryFolder();
  const desk: Desk = {
    tables: [tickets, labels],
    rows: {
      tickets: [{ id: 1, title: "one", version: 1 }],
      labels: [{ id: 7, title: "red", version: null }],
    },
  };
  await using agnes = await openDesk(folder.path, desk, ["discover", "read", "stream"]);
  await registerIncremental(agnes);
  await syncDesk(agnes);
  // The source deleted and created ticket 1, renamed the label twice, and the last event of the label was lost.
  await push(folder.path, [remove("tickets", 1)], [upsert("tickets", 1, "made again", 5)]);
  await push(folder.path, [upsert("labels", 7, "green")]);
  desk.rows = {
    tickets: [{ id: 1, title: "made again", version: 5 }],
    labels: [{ id: 7, title: "blue", version: null }],
  };
  const report = await syncDesk(agnes);
  expect(report).toMatchObject({ status: "complete", events: { merged: 3, waiting: 0 } });
  expect(await titles(agnes, "tickets")).toEqual(["1 made again"]);
  expect(await titles(agnes, "labels")).toEqual(["7 blue"]);
  expect(await syncDesk(agnes)).toMatchObject({ events: { merged: 0 } });
  expect(await titles(agnes, "tickets")).toEqual(["1 made again"]);
});

test("sync() merges events that arrive during a read at the next sync, and a full read converges", async () => {
  using folder = temporaryFolder();
  const desk: Desk = { tables: [tickets], rows: { tickets: [{ id: 1, title: "one", version: 1 }] } };
  await using agnes = await openDesk(folder.path, desk, ["discover", "read", "stream"]);
  desk.onRead = async () => {
    delete desk.onRead;
    await push(folder.path, [upsert("tickets", 1, "two", 2)], [upsert("tickets", 3, "three", 2)]);
  };
  expect(await syncDesk(agnes)).toMatchObject({ events: { merged: 0, waiting: 0 } });
  expect(await titles(agnes, "tickets")).toEqual(["1 one"]);
  desk.rows = {
    tickets: [
      { id: 1, title: "two", version: 2 },
      { id: 3, title: "three", version: 2 },
    ],
  };
  expect(await syncDesk(agnes, { full: true })).toMatchObject({ events: { merged: 2 } });
  expect(await titles(agnes, "tickets")).toEqual(["1 two", "3 three"]);
});

test("sync() keeps the newer version of an event when an incremental read returns an older one", async () => {
  using folder = temporaryFolder();
  const desk: Desk = { tables: [tickets], rows: { tickets: [{ id: 1, title: "one", version: 1 }] } };
  await using agnes = await openDesk(folder.path, desk, ["discover", "read", "stream"]);
  await registerIncremental(agnes);
  await syncDesk(agnes);
  await push(folder.path, [upsert("tickets", 1, "newest", 9)]);
  // The API that lists rows is behind the events.
  desk.rows = {
    tickets: [
      { id: 1, title: "older", version: 4 },
      { id: 2, title: "two", version: 5 },
    ],
  };
  await syncDesk(agnes);
  expect(await titles(agnes, "tickets")).toEqual(["1 newest", "2 two"]);
});

test("sync() replaces rows that events changed when a full read returns earlier ones again", async () => {
  using folder = temporaryFolder();
  const rows = ["red", "blue"].map((title, id) => ({ id, title, version: null }));
  const desk: Desk = { tables: [labels, tickets], rows: { labels: rows } };
  await using agnes = await openDesk(folder.path, desk, ["discover", "read", "stream"]);
  await syncDesk(agnes);
  // The same rows in another order have a fingerprint, which is published with the next change of another table.
  desk.rows["labels"] = rows.toReversed();
  await syncDesk(agnes);
  desk.rows["tickets"] = [{ id: 1, title: "one", version: 1 }];
  await syncDesk(agnes);
  await push(folder.path, [upsert("labels", 0, "wrong")]);
  desk.broken = "labels";
  await syncDesk(agnes);
  expect(await titles(agnes, "labels")).toEqual(["0 wrong", "1 blue"]);
  delete desk.broken;
  await syncDesk(agnes);
  expect(await titles(agnes, "labels")).toEqual(["0 red", "1 blue"]);
});

test("sync() drops the changes of a table that was never read, because its first read includes them", async () => {
  using folder = temporaryFolder();
  const desk: Desk = {
    tables: [tickets, labels],
    rows: { labels: [{ id: 7, title: "red", version: null }] },
    broken: "tickets",
  };
  await using agnes = await openDesk(folder.path, desk, ["discover", "read", "stream"]);
  await push(folder.path, [upsert("tickets", 2, "two", 2)]);
  expect(await syncDesk(agnes)).toMatchObject({ status: "partial", events: { merged: 1, waiting: 0 } });
  desk.rows["tickets"] = [1, 2].map((id) => ({ id, title: `row ${id}`, version: id }));
  delete desk.broken;
  await syncDesk(agnes);
  expect(await titles(agnes, "tickets")).toEqual(["1 row 1", "2 row 2"]);
});

test("sync() keeps the events of a connector that fails, and reads the tables", async () => {
  using folder = temporaryFolder();
  const desk: Desk = {
    tables: [tickets],
    rows: { tickets: [{ id: 1, title: "one", version: 1 }] },
    broken: "stream",
  };
  await using agnes = await openDesk(folder.path, desk, ["discover", "read", "stream"]);
  await registerIncremental(agnes);
  await push(folder.path, [upsert("tickets", 2, "two", 2)]);
  const failed = await syncDesk(agnes);
  expect(failed).toMatchObject({
    status: "partial",
    error: { code: "plugin_failed" },
    events: { merged: 0, waiting: 1 },
    stats: { tablesExtracted: 1, tablesFailed: 0 },
    whole: { status: "partial" },
  });
  expect(await titles(agnes, "tickets")).toEqual(["1 one"]);
  delete desk.broken;
  expect(await syncDesk(agnes)).toMatchObject({ status: "complete", events: { merged: 1, waiting: 0 } });
  expect(await titles(agnes, "tickets")).toEqual(["1 one", "2 two"]);
});

test("sync() fails the tables of a source without `read` when its connector fails", async () => {
  using folder = temporaryFolder();
  const desk: Desk = { tables: [labels], rows: {}, broken: "stream" };
  await using agnes = await openDesk(folder.path, desk);
  await push(folder.path, [upsert("labels", 1, "one")]);
  expect(await syncDesk(agnes)).toMatchObject({
    status: "failed",
    error: { code: "plugin_failed" },
    events: { waiting: 1 },
    stats: { tablesFailed: 1, errors: [], tables: [{ status: "failed" }] },
  });
  expect(await waiting(folder.path)).toBe(1);
});

test("sync() reports the table that cannot apply an event, and keeps the events", async () => {
  using folder = temporaryFolder();
  const desk: Desk = { tables: [tickets, labels], rows: {} };
  await using agnes = await openDesk(folder.path, desk);
  await push(folder.path, [upsert("labels", 7, "red"), upsert("tickets", "x" as never, "bad", 1)]);
  const report = await syncDesk(agnes);
  expect(report).toMatchObject({
    status: "partial",
    events: { merged: 0, waiting: 1 },
    stats: { tablesFailed: 1, errors: [{ table: "tickets", error: { code: "value_invalid" } }] },
  });
  expect(report.error).toBeUndefined();
});

test("sync() reports a table that was read and cannot apply an event once", async () => {
  using folder = temporaryFolder();
  const desk: Desk = { tables: [tickets], rows: { tickets: [{ id: 1, title: "one", version: 1 }] } };
  await using agnes = await openDesk(folder.path, desk, ["discover", "read", "stream"]);
  await syncDesk(agnes);
  await push(folder.path, [upsert("tickets", "x" as never, "bad", 1)]);
  const { stats, status, events } = await syncDesk(agnes);
  expect({ status, waiting: events!.waiting }).toEqual({ status: "partial", waiting: 1 });
  expect(stats!.errors.map(({ table: name }) => name)).toEqual(["tickets"]);
  expect(stats!.tablesFailed).toBe(1);
});

test("sync() keeps the events of a table that its source no longer lists, until it is unregistered", async () => {
  using folder = temporaryFolder();
  const desk: Desk = { tables: [tickets, labels], rows: {} };
  await using agnes = await openDesk(folder.path, desk);
  await push(folder.path, [upsert("tickets", 1, "one", 1), upsert("labels", 1, "one")]);
  await syncDesk(agnes);
  desk.tables = [labels];
  await push(folder.path, [upsert("tickets", 1, "two", 2), upsert("labels", 2, "two")]);
  expect(await syncDesk(agnes)).toMatchObject({ events: { merged: 0, waiting: 1 } });
  await (await agnes.tables()).unregister("desk.tickets");
  expect(await syncDesk(agnes)).toMatchObject({ status: "complete", events: { merged: 1, waiting: 0 } });
  expect(await titles(agnes, "labels")).toEqual(["1 one", "2 two"]);
});

test("sync() adopts new columns of a table whose rows come from events, and rejects another key", async () => {
  using folder = temporaryFolder();
  const desk: Desk = { tables: [labels], rows: {} };
  await using agnes = await openDesk(folder.path, desk);
  await push(folder.path, [upsert("labels", 1, "red")]);
  await syncDesk(agnes);
  desk.tables = [table("labels", { ...columns, color: utf8() }, { primaryKey: ["id"] })];
  await push(folder.path, [{ kind: "upsert", table: "labels", row: { id: 2, title: "sky", color: "blue" } }]);
  const evolved = await syncDesk(agnes);
  expect(evolved.stats!.schemaChanges).toMatchObject([{ table: "labels", column: "color", kind: "added" }]);
  expect(await agnes.rows("SELECT id, color FROM labels ORDER BY id")).toEqual([
    { id: 1, color: null },
    { id: 2, color: "blue" },
  ]);
  const key = ["id", "title"];
  desk.tables = [table("labels", { ...columns, title: utf8({ nullable: false }) }, { primaryKey: key })];
  await (await agnes.tables()).update("desk.labels", { primaryKey: key });
  await push(folder.path, [upsert("labels", 3, "three")]);
  expect(await syncDesk(agnes)).toMatchObject({
    events: { merged: 0, waiting: 1 },
    stats: { errors: [{ table: "labels", error: { code: "table_plan_invalid" } }] },
  });
});

test("sync() fails a table whose rows come from events if it has no primary key", async () => {
  using folder = temporaryFolder();
  const desk: Desk = { tables: [table("notes", { id: int64() })], rows: {} };
  await using agnes = await openDesk(folder.path, desk);
  const { stats } = await syncDesk(agnes);
  expect(stats).toMatchObject({
    tablesFailed: 1,
    errors: [{ table: "notes", error: { code: "table_plan_invalid" } }],
  });
});

test("sync() fails a table whose rows come from events if conditions select its rows", async () => {
  using folder = temporaryFolder();
  const desk: Desk = { tables: [labels], rows: {} };
  await using agnes = await openDesk(folder.path, desk);
  const whereFilters = [{ column: "id", operator: "gt", values: [1] }] as never;
  await (
    await agnes.tables()
  ).register({ source: "desk", name: "labels", sourceTable: "labels", whereFilters });
  await push(folder.path, [upsert("labels", 1, "red")]);
  expect(await syncDesk(agnes)).toMatchObject({
    events: { merged: 0, waiting: 1 },
    stats: { errors: [{ table: "labels", error: { code: "table_plan_invalid" } }] },
  });
});

test("sync() takes the columns of a table that is registered by hand from the rows of events", async () => {
  using folder = temporaryFolder();
  await using agnes = await openDesk(folder.path, { tables: [], rows: {} }, ["stream"]);
  await (
    await agnes.tables()
  ).register({ source: "desk", name: "labels", sourceTable: "labels", primaryKey: ["id"] });
  await push(folder.path, [{ kind: "upsert", table: "labels", row: { id: 1, title: "red" } }]);
  await syncDesk(agnes);
  await push(folder.path, [{ kind: "upsert", table: "labels", row: { id: 2, title: "sky", share: 0.5 } }]);
  await push(folder.path, [remove("labels", 1)]);
  expect(await syncDesk(agnes)).toMatchObject({ status: "complete", events: { merged: 2 } });
  expect(await titles(agnes, "labels")).toEqual(["2 sky"]);
  await push(folder.path, [remove("labels", 2)], [remove("labels", 3)]);
  await syncDesk(agnes);
  await push(folder.path, [remove("labels", 4)]);
  expect(await syncDesk(agnes)).toMatchObject({ status: "complete", events: { merged: 1 } });
});
