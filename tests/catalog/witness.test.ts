import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { fileStorage, openCatalog, type Catalog, type FileStorageOptions } from "agnes/catalog";

import { AgnesError, createHost, isAgnesError } from "../../lib/base/mod.ts";
import { ForgetfulDisk } from "../fakes/forgetful-files.ts";
import { openOn } from "./power-failure.ts";

interface Item {
  readonly id: string;
  readonly group: string;
}

let directory: string;
let root: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "agnes-witness-"));
  root = join(directory, "things");
});
afterEach(() => rm(directory, { recursive: true }));

const name = (sequence: number) => String(sequence).padStart(12, "0");

function open(options: Partial<FileStorageOptions> = {}): Promise<Catalog<Item>> {
  const storage = fileStorage({ directory, ...options });
  return openCatalog<Item>({ storage, name: "things", rowKey: "id", indexKeys: ["group"] });
}

async function fill(count: number): Promise<void> {
  await using catalog = await open();
  for (let at = 1; at <= count; at++) await catalog.insert({ id: `i${at}`, group: "g" });
}

/** The place that opening the catalog reports as lost. */
async function lostPlace(): Promise<string | null> {
  try {
    await (await open()).close();
    return null;
  } catch (error) {
    if (!isAgnesError(error, "catalog_corrupt")) throw error;
    return error.details.place;
  }
}

/** Downgrades the catalog to format 2, or to a version without a format. */
async function downgrade(format: 2 | undefined): Promise<void> {
  const parts = { ...(format === undefined ? {} : { format }), catalog: "things" };
  const old = JSON.stringify({ ...parts, rowKey: ["id"], indexKeys: ["group"] });
  await writeFile(join(root, "schema.json"), old);
}

const head = () => join(root, "head");
const loseHead = () => rm(head(), { recursive: true });

test("openCatalog() detects a lost directory head in a catalog of format 2 before anything is written", async () => {
  await fill(5);
  await downgrade(2);
  await loseHead();
  expect(await lostPlace()).toBe(head());
  expect(await lostPlace()).toBe(head());
  await mkdir(head());
  await using catalog = await open();
  expect(await catalog.version()).toBe(5);
});

for (const format of [2, undefined] as const) {
  test(`a catalog of format ${format ?? 1} gets the directory head when it is opened`, async () => {
    await fill(5);
    await downgrade(format);
    if (format === undefined) await loseHead();
    await (await open()).close();
    expect(await readdir(head())).toEqual([`${name(5)}.json`]);
    const held = await open();
    await loseHead();
    expect(await held.query({}).catch((error: AgnesError) => error.code)).toBe("catalog_corrupt");
    expect(await lostPlace()).toBe(head());
  });

  test(`a catalog of format ${format ?? 1} without entries or with one gets the directory head too`, async () => {
    for (const count of [0, 1]) {
      await fill(count);
      await downgrade(format);
      await loseHead();
      await (await open()).close();
      await loseHead();
      expect(await lostPlace()).toBe(head());
      await rm(root, { recursive: true });
    }
  });

  test(`a catalog of format ${format ?? 1} is intact when the power fails at any step of its first open`, async () => {
    const earlier = new ForgetfulDisk();
    const first = await openOn(earlier);
    for (let at = 1; at <= 3; at++) await first.insert({ id: `i${at}`, group: "g" });
    await first.close();
    const files = earlier.files();
    const path = "/data/state/things/schema.json";
    const schema = JSON.parse(new TextDecoder().decode((await files.read(path))!)) as object;
    await files.remove(path);
    await files.write(path, JSON.stringify({ ...schema, format }));
    for (const directory of ["/data/state/things/head", "/data/state/things"]) await files.sync(directory);
    for (let steps = 0, isOpened = false; !isOpened; steps++) {
      for (const survives of [true, false]) {
        const disk = earlier.copy();
        let left = steps;
        disk.before = () => {
          if (left-- <= 0) throw new Error("the power failed");
        };
        isOpened = await openOn(disk).then(
          () => true,
          () => false,
        );
        disk.before = () => {};
        disk.cutPower(() => survives);
        await using again = await openOn(disk);
        expect(await again.version()).toBe(3);
        expect(await disk.files().list("/data/state/things/head")).toEqual([`${name(3)}.json`]);
      }
    }
  });
}

test("a catalog of an earlier format that cannot be written to is readable and unchanged", async () => {
  await fill(3);
  await downgrade(undefined);
  const files = createHost().files;
  const refused = async (): Promise<never> => {
    throw new AgnesError("file_failed", { operation: "write", path: root, reason: "EROFS" });
  };
  const host = createHost({ files: { ...files, write: refused, rename: refused, makeDirectory: refused } });
  await using catalog = await open({ host });
  expect(await catalog.query({})).toHaveLength(3);
});
