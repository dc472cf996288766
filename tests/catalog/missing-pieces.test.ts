import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { fileStorage, openCatalog, type Catalog } from "agnes/catalog";

import { createHost, type AgnesError } from "../../lib/base/mod.ts";
import { ForgetfulDisk } from "../fakes/forgetful-files.ts";
import { openOn } from "./power-failure.ts";
import { unsyncedFiles } from "./unsynced-files.ts";

interface Item {
  readonly id: string;
  readonly group: string;
}

let directory: string;
let root: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "agnes-missing-"));
  root = join(directory, "things");
});
afterEach(() => rm(directory, { recursive: true }));

const entry = (sequence: number) =>
  join(root, "log", String(Math.floor((sequence - 1) / 256)).padStart(8, "0"), `${name(sequence)}.json`);
const name = (sequence: number) => String(sequence).padStart(12, "0");

function open(): Promise<Catalog<Item>> {
  const storage = fileStorage({ directory });
  return openCatalog<Item>({ storage, name: "things", rowKey: "id", indexKeys: ["group"] });
}

async function fill(count: number): Promise<void> {
  await using catalog = await open();
  for (let at = 1; at <= count; at++) await catalog.insert({ id: `i${at}`, group: "g" });
}

/** Writes enough entries for a segment, without waiting for the disk. */
async function fillSegments(): Promise<void> {
  const storage = fileStorage({ directory, host: createHost({ files: unsyncedFiles() }) });
  const keys = { name: "things", rowKey: "id", indexKeys: ["group"] };
  await using catalog = await openCatalog<Item>({ storage, ...keys });
  for (let at = 1; at <= 770; at++) await catalog.insert({ id: `i${at}`, group: "g" });
}

async function placeOf(work: () => Promise<unknown>): Promise<readonly unknown[]> {
  const error = (await work().then(
    () => undefined,
    (thrown: unknown) => thrown,
  )) as AgnesError<"catalog_corrupt"> | undefined;
  return [error?.code, error?.details.place];
}

async function all(entries: AsyncIterable<unknown>): Promise<void> {
  for await (const each of entries) void each;
}

/** All operations of a catalog. */
const operations: Readonly<Record<string, (catalog: Catalog<Item>) => Promise<unknown>>> = {
  query: (catalog) => catalog.query({}),
  get: (catalog) => catalog.get("i1"),
  version: (catalog) => catalog.version(),
  history: (catalog) => catalog.history(),
  entries: (catalog) => all(catalog.entries()),
  recover: (catalog) => catalog.recover(),
  rebuildIndexes: (catalog) => catalog.rebuildIndexes(),
  insert: (catalog) => catalog.insert({ id: "new", group: "g" }),
  "insert of an existing record": (catalog) => catalog.insert({ id: "i1", group: "g" }),
};

/** Damages an open catalog and expects open handles and new ones to report the place. */
async function expectNamed(place: string, damage: () => Promise<unknown>): Promise<void> {
  const handles = await Promise.all(
    Object.entries(operations).map(async ([what, run]) => ({ what, run, catalog: await open() })),
  );
  await damage();
  const results = await Promise.all(
    handles.map(async ({ what, run, catalog }) => [what, ...(await placeOf(() => run(catalog)))]),
  );
  expect(results).toEqual(handles.map(({ what }) => [what, "catalog_corrupt", place]));
  expect(await placeOf(open)).toEqual(["catalog_corrupt", place]);
  // No operation has written to the missing place.
  expect(await placeOf(open)).toEqual(["catalog_corrupt", place]);
}

describe("a catalog in files reports the missing part, on open handles and when it is opened:", () => {
  test("the newest entry", async () => {
    await fill(5);
    await expectNamed(entry(5), () => rm(entry(5)));
  });

  test("several of the newest entries", async () => {
    await fill(5);
    await expectNamed(entry(3), () => Promise.all([3, 4, 5].map((sequence) => rm(entry(sequence)))));
  });

  test("the only entry", async () => {
    await fill(1);
    await expectNamed(entry(1), () => rm(entry(1)));
  });

  test("an entry before others", async () => {
    await fill(5);
    await expectNamed(entry(2), () => rm(entry(2)));
  });

  test("the newest block", async () => {
    await fill(5);
    await expectNamed(entry(1), () => rm(join(root, "log", "00000000"), { recursive: true }));
  });

  test("the log", async () => {
    await fill(5);
    await expectNamed(join(root, "log"), () => rm(join(root, "log"), { recursive: true }));
  });

  test("the log of a catalog without entries", async () => {
    await (await open()).close();
    await expectNamed(join(root, "log"), () => rm(join(root, "log"), { recursive: true }));
  });

  test("everything except the schema", async () => {
    await fill(5);
    await expectNamed(join(root, "log"), async () => {
      for (const piece of ["log", "head"]) await rm(join(root, piece), { recursive: true });
    });
  });

  test("the directory head", async () => {
    await fill(5);
    await expectNamed(join(root, "head"), () => rm(join(root, "head"), { recursive: true }));
  });

  test("the directory head, when the newest entry is missing too", async () => {
    await fill(5);
    await rm(entry(5));
    await rm(join(root, "head"), { recursive: true });
    expect(await placeOf(open)).toEqual(["catalog_corrupt", join(root, "head")]);
    // The repair from the guide if there is no copy of the entry.
    await mkdir(join(root, "head"));
    await using catalog = await open();
    expect(await catalog.version()).toBe(4);
  });

  test("a log that is a file", async () => {
    await fill(5);
    await expectNamed(join(root, "log"), async () => {
      await rm(join(root, "log"), { recursive: true });
      await writeFile(join(root, "log"), "");
    });
  });

  test("a log that is a dangling link", async () => {
    await fill(5);
    await expectNamed(join(root, "log"), async () => {
      await rename(join(root, "log"), join(directory, "elsewhere"));
      await symlink(join(directory, "nowhere"), join(root, "log"));
    });
  });

  test("a block that is a file", async () => {
    await fill(5);
    const block = join(root, "log", "00000000");
    await expectNamed(block, async () => {
      await rm(block, { recursive: true });
      await writeFile(block, "");
    });
  });

  test("an entry that is a dangling link", async () => {
    await fill(5);
    await rm(entry(5));
    await symlink(join(directory, "nowhere"), entry(5));
    expect(await placeOf(open)).toEqual(["catalog_corrupt", entry(5)]);
  });

  test("an entry that is a directory", async () => {
    await fill(5);
    await rm(entry(5));
    await mkdir(entry(5));
    expect(await placeOf(open)).toEqual(["catalog_corrupt", entry(5)]);
  });

  test("an entry in another block", async () => {
    await fill(5);
    await rename(entry(5), join(root, "log", "00000000", "000000000300.json"));
    expect(await placeOf(open)).toEqual(["catalog_corrupt", entry(5)]);
  });

  test("a catalog that is a file", async () => {
    await writeFile(root, "");
    expect(await placeOf(open)).toEqual(["catalog_corrupt", root]);
  });

  test("a segment, and segments that are a file", async () => {
    await fillSegments();
    const segments = join(root, "segments");
    expect(await readdir(segments)).toEqual(["00000000.jsonl"]);
    const path = join(segments, "00000000.jsonl");
    await rename(segments, join(directory, "kept"));
    await writeFile(segments, "");
    expect(await placeOf(open)).toEqual(["catalog_corrupt", segments]);
    await rm(segments);
    await rename(join(directory, "kept"), segments);
    await expectNamed(path, () => rm(path));
  });
});

test("insert() never reuses a sequence number after a loss", async () => {
  const disk = new ForgetfulDisk();
  const catalog = await openOn(disk);
  for (let at = 1; at <= 3; at++) await catalog.insert({ id: `i${at}`, group: "g" });
  const files = disk.files();
  await files.remove("/data/state/things/log/00000000/000000000003.json");
  const other = () => openOn(disk);
  expect(await placeOf(other)).toEqual([
    "catalog_corrupt",
    "/data/state/things/log/00000000/000000000003.json",
  ]);
  // The second hard link is a complete copy, from which the entry can be restored.
  const copy = "/data/state/things/head/000000000003.json";
  expect(await files.list("/data/state/things/head")).toEqual(["000000000003.json"]);
  await files.link(copy, "/data/state/things/log/00000000/000000000003.json");
  await using restored = await other();
  expect((await restored.insert({ id: "i4", group: "g" })).version).toBe(4);
});

test("openCatalog() opens a catalog of a version without the directory head, with entries or without", async () => {
  await fill(2);
  const schema = join(root, "schema.json");
  const old = JSON.stringify({ catalog: "things", rowKey: ["id"], indexKeys: ["group"] });
  await writeFile(schema, old);
  await rm(join(root, "head"), { recursive: true });
  const catalog = await open();
  expect((await catalog.insert({ id: "i3", group: "g" })).version).toBe(3);
  await catalog.close();
  await rm(entry(3));
  expect(await placeOf(open)).toEqual(["catalog_corrupt", entry(3)]);
  await rm(root, { recursive: true });
  await (await open()).close();
  await rm(join(root, "head"), { recursive: true });
  await writeFile(schema, old);
  await rm(join(root, "log"), { recursive: true });
  await using empty = await open();
  expect(await empty.query({})).toEqual([]);
  expect((await empty.insert({ id: "i1", group: "g" })).version).toBe(1);
});
