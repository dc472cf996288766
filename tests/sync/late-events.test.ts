import { expect, test } from "bun:test";
import { readdir, readFile, rename } from "node:fs/promises";
import { join } from "node:path";

import type { Change } from "agnes/kit";

import { eventChecks } from "../../cmd/doctor/events.ts";
import {
  labels,
  openDesk,
  push,
  registerIncremental,
  remove,
  syncDesk,
  tickets,
  titles,
  upsert,
  type Desk,
} from "./pushing.ts";
import { temporaryFolder } from "./workspace.ts";

const extractOf = (directory: string) => join(directory, "data", "extracts", "desk");

/** A desk with incremental tickets, of which ticket 1 is created again in the read that `onRead` is called in. */
async function openTickets(directory: string) {
  const desk: Desk = {
    tables: [tickets],
    rows: {
      tickets: [
        { id: 1, title: "one", version: 1 },
        { id: 2, title: "two", version: 1 },
      ],
    },
  };
  const agnes = await openDesk(directory, desk, ["discover", "read", "stream"]);
  await registerIncremental(agnes);
  await syncDesk(agnes);
  desk.rows = {
    tickets: [
      { id: 1, title: "made again", version: 5 },
      { id: 2, title: "two", version: 1 },
      // Later reads begin after ticket 1.
      { id: 3, title: "three", version: 9 },
    ],
  };
  const syncWith = async (changes: readonly Change[]) => {
    desk.onRead = async () => {
      delete desk.onRead;
      await push(directory, changes);
    };
    return syncDesk(agnes);
  };
  return { agnes, desk, syncWith, [Symbol.asyncDispose]: () => agnes.close() };
}

const rowsRead = async (report: ReturnType<typeof syncDesk>) => (await report).stats!.tables[0]!.rowsRead;

test("a deletion that arrives during a read does not remove the row that the read has created again", async () => {
  using folder = temporaryFolder();
  await using own = await openTickets(folder.path);
  const { agnes, syncWith } = own;
  await syncWith([remove("tickets", 1)]);
  expect(await titles(agnes, "tickets")).toEqual(["1 made again", "2 two", "3 three"]);
  const next = await syncDesk(agnes);
  expect(next).toMatchObject({ status: "complete", events: { merged: 1 } });
  expect(next.stats!.tables[0]!.rowsRead).toBe(3);
  expect(await titles(agnes, "tickets")).toEqual(["1 made again", "2 two", "3 three"]);
  // Once.
  expect(await rowsRead(syncDesk(agnes))).toBe(1);
});

test("the full read is made later if it fails, and not for deletions with versions or from other times", async () => {
  using folder = temporaryFolder();
  await using own = await openTickets(folder.path);
  const { agnes, desk, syncWith } = own;
  await syncWith([remove("tickets", 1, 3), upsert("tickets", 2, "renamed", 9)]);
  expect(await titles(agnes, "tickets")).toEqual(["1 made again", "2 two", "3 three"]);
  // After the read, before the merge of what arrived during the read.
  await push(folder.path, [remove("tickets", 1)]);
  expect(await rowsRead(syncDesk(agnes))).toBe(1);
  expect(await titles(agnes, "tickets")).toEqual(["2 renamed", "3 three"]);
  await syncWith([remove("tickets", 2)]);
  desk.broken = "tickets";
  expect((await syncDesk(agnes)).status).toBe("failed");
  expect(await titles(agnes, "tickets")).toEqual(["3 three"]);
  delete desk.broken;
  expect(await rowsRead(syncDesk(agnes))).toBe(3);
});

const bad = (id: number): Change => ({
  kind: "upsert",
  table: "labels",
  row: { id, title: "x", version: "x" },
});

test("an event that always fails is quarantined after ten merges, and the others are merged", async () => {
  using folder = temporaryFolder();
  const extract = extractOf(folder.path);
  await using agnes = await openDesk(folder.path, { tables: [labels], rows: {} });
  await syncDesk(agnes);
  const [failing] = await push(folder.path, [bad(1)], [upsert("labels", 2, "two")]);
  for (let at = 0; at < 10; at++)
    expect(await syncDesk(agnes)).toMatchObject({ status: "failed", events: { merged: 0, waiting: 2 } });
  expect(await eventChecks("desk", extract)).toEqual([]);
  await push(folder.path, [upsert("labels", 3, "three")]);
  const report = await syncDesk(agnes);
  expect(report).toMatchObject({ status: "complete", events: { merged: 2, quarantined: 1, waiting: 0 } });
  expect(report.notes[0]).toContain("1 event could not be merged in each of the last syncs");
  expect(await titles(agnes, "labels")).toEqual(["2 two", "3 three"]);
  const [name] = await readdir(join(extract, "quarantine", "spool"));
  const path = join(extract, "quarantine", "spool", name!);
  expect(JSON.parse(await readFile(path, "utf8"))).toEqual({ ...failing, error: "value_invalid" });
  const [check] = await eventChecks("desk", extract);
  expect([check?.state, check?.message]).toEqual([
    "warning",
    `1 event could not be merged; they are in ${join(extract, "quarantine", "spool")}`,
  ]);
  // It can be tried again.
  await rename(path, join(extract, "spool", name!));
  expect(await syncDesk(agnes)).toMatchObject({ status: "failed", events: { waiting: 1 } });
  expect(await eventChecks("desk", extract)).toEqual([]);
}, 60_000);

test("events wait if all of them fail, because the cause is not one of them", async () => {
  using folder = temporaryFolder();
  const desk: Desk = { tables: [labels], rows: {} };
  await using agnes = await openDesk(folder.path, desk);
  await syncDesk(agnes);
  desk.broken = "stream";
  await push(folder.path, [upsert("labels", 1, "one")], [upsert("labels", 2, "two")]);
  for (let at = 0; at < 12; at++)
    expect(await syncDesk(agnes)).toMatchObject({ status: "failed", events: { merged: 0, waiting: 2 } });
  delete desk.broken;
  expect(await syncDesk(agnes)).toMatchObject({ status: "complete", events: { merged: 2, quarantined: 0 } });
  expect(await titles(agnes, "labels")).toEqual(["1 one", "2 two"]);
}, 60_000);
