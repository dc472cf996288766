import { beforeEach, expect, test } from "bun:test";

import type { Catalog } from "agnes/catalog";

import type { AgnesError } from "../../lib/base/mod.ts";
import { ForgetfulDisk } from "../fakes/forgetful-files.ts";
import { openOn } from "./power-failure.ts";

const ROOT = "/data/state/things";
/** More changes than between two snapshots. */
const MANY = 4500;

type Things = Catalog<{ readonly id: string; readonly group: string }>;

let disk: ForgetfulDisk;
beforeEach(() => void (disk = new ForgetfulDisk()));

const items = (name: string, count = MANY) =>
  Array.from({ length: count }, (_, at) => ({ id: `${name}${at}`, group: name }));

/** Adds and deletes several times more records than a snapshot holds. */
async function churn(catalog: Things, from: number, to: number): Promise<void> {
  for (let round = from; round < to; round++) {
    await catalog.insertMany(items(`r${round}-`));
    await catalog.delete({ group: `r${round}-` });
  }
}

async function kindsOf(catalog: Things, rowKey: string): Promise<readonly string[]> {
  return (await catalog.history({ rowKey })).flatMap(({ changes }) => changes.map(({ kind }) => kind));
}

/** The number of rows in the newest snapshot, including deleted ones. */
async function rowsOfSnapshot(): Promise<number> {
  const files = disk.files();
  const names = (await files.list(`${ROOT}/snapshots`))!;
  const text = new TextDecoder().decode((await files.read(`${ROOT}/snapshots/${names.at(-1)}`))!);
  return text.trimEnd().split("\n").length - 2;
}

test("insert() and delete() never leave more deleted keys in a snapshot than one interval has", async () => {
  const catalog = await openOn(disk);
  await catalog.insertMany(items("stays", 10));
  await churn(catalog, 0, 8);
  await catalog.close();
  expect(await rowsOfSnapshot()).toBeLessThanOrEqual(10 + 2 * MANY);
  await using again = await openOn(disk);
  expect(await again.query({})).toHaveLength(10);
});

test("a snapshot omits keys deleted long ago, also when each process writes little", async () => {
  for (let round = 0; round < 6; round++) {
    await using catalog = await openOn(disk);
    await churn(catalog, round, round + 1);
  }
  expect(await rowsOfSnapshot()).toBeLessThanOrEqual(2 * MANY);
});

test("history() of a record deleted long ago is complete, also when it is inserted again", async () => {
  const early = await openOn(disk);
  await early.insert({ id: "first", group: "a" });
  await early.delete("first");
  const catalog = await openOn(disk);
  await churn(catalog, 0, 3);
  const reopened = await openOn(disk);
  for (const one of [early, catalog, reopened]) {
    expect(await kindsOf(one, "first")).toEqual(["insert", "delete"]);
    expect(await kindsOf(one, "r0-7")).toEqual(["insert", "delete"]);
    expect(await kindsOf(one, "never")).toEqual([]);
    expect(await one.history({ rowKey: "first", first: "newest", limit: 1 })).toMatchObject([
      { sequence: 2 },
    ]);
  }
  // Written by a handle that has forgotten the key, read by all.
  const { version } = await reopened.insert({ id: "first", group: "b" });
  for (const one of [early, catalog, reopened, await openOn(disk)]) {
    expect(await kindsOf(one, "first")).toEqual(["insert", "delete", "insert"]);
    expect(await one.history({ rowKey: "first", from: 3 })).toHaveLength(1);
  }
  await reopened.rebuildIndexes();
  expect(await kindsOf(reopened, "first")).toEqual(["insert", "delete", "insert"]);
  expect(version).toBe(2 + 6 + 1);
});

test("insert() with a version from before a forgotten deletion fails and reports the changes since", async () => {
  const catalog = await openOn(disk);
  const { version } = await catalog.insert({ id: "first", group: "a" });
  await catalog.delete("first");
  await churn(catalog, 0, 3);
  await using again = await openOn(disk);
  const refusal = async (expectedVersion: number) => {
    const writing = again.insert({ id: "first", group: "b" }, { expectedVersion });
    const { code, details } = (await writing.catch(
      (error: unknown) => error,
    )) as AgnesError<"catalog_conflict">;
    return [code, details.actualVersion, details.changedSince.map((text) => text.split(" ")[1])];
  };
  expect(await refusal(version)).toEqual(["catalog_conflict", 0, ["2"]]);
  await again.insert({ id: "first", group: "c" }, { expectedVersion: 0 });
  expect(await refusal(version)).toEqual(["catalog_conflict", 9, ["2", "9"]]);
});

test("history() of a forgotten record fails when its log entries are damaged", async () => {
  const catalog = await openOn(disk);
  await catalog.insert({ id: "first", group: "a" });
  await catalog.delete("first");
  await churn(catalog, 0, 3);
  await catalog.close();
  await using again = await openOn(disk);
  await disk.files().remove(`${ROOT}/log/00000000/000000000002.json`);
  const thrown = (await again.history({ rowKey: "first" }).catch((error: unknown) => error)) as AgnesError;
  expect(thrown.code).toBe("catalog_corrupt");
});

test("openCatalog() reads a snapshot of an earlier version, which has every deleted key", async () => {
  const catalog = await openOn(disk);
  await catalog.insertMany(items("kept"));
  await catalog.delete("kept3");
  await catalog.rebuildIndexes();
  await catalog.close();
  const files = disk.files();
  const [name] = (await files.list(`${ROOT}/snapshots`))!.slice(-1);
  const text = new TextDecoder().decode((await files.read(`${ROOT}/snapshots/${name}`))!);
  expect(text.split("\n")[0]).not.toContain("forgotten");
  expect(text).toContain('[2,null,"kept3"]');
  await using again = await openOn(disk);
  expect(await kindsOf(again, "kept3")).toEqual(["insert", "delete"]);
});
