import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, readdir, readFile, rm, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { fileStorage, openCatalog, type Catalog } from "agnes/catalog";

import { createHost, createLog, nodeFiles, type AgnesError, type LogEntry } from "../../lib/base/mod.ts";
import { unsyncedFiles } from "./unsynced-files.ts";

interface Item {
  readonly id: string;
  readonly group: string;
}

let directory: string;
let logged: LogEntry[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "agnes-damage-"));
  logged = [];
});
afterEach(() => rm(directory, { recursive: true }));

describe("openCatalog()", () => {
  for (const [which, sequence] of [
    ["first", 1],
    ["middle", 3],
    ["last", 5],
  ] as const) {
    const path = () => join(directory, "things", "log", "00000000", `00000000000${sequence}.json`);

    test(`names the file when the ${which} entry is truncated`, async () => {
      await fill(5);
      await truncate(path(), 40);
      expect(await failure()).toEqual(["catalog_corrupt", path()]);
    });

    test(`names the file when the ${which} entry is changed`, async () => {
      await fill(5);
      const text = await readFile(path(), "utf8");
      await writeFile(path(), text.replace(`i${sequence}`, "i9"));
      expect(await failure()).toEqual(["catalog_corrupt", path()]);
    });

    test(`names the file when the ${which} entry is empty`, async () => {
      await fill(5);
      await truncate(path(), 0);
      expect(await failure()).toEqual(["catalog_corrupt", path()]);
    });
  }

  test("names the file when an entry has another sequence number", async () => {
    await fill(5);
    const log = join(directory, "things", "log", "00000000");
    await writeFile(join(log, "000000000002.json"), await readFile(join(log, "000000000001.json")));
    expect(await failure()).toEqual(["catalog_corrupt", join(log, "000000000002.json")]);
  });

  test("names the missing entry", async () => {
    await fill(5);
    for (const missing of [3, 1]) {
      const path = join(directory, "things", "log", "00000000", `00000000000${missing}.json`);
      await rm(path);
      expect(await failure()).toEqual(["catalog_corrupt", path]);
    }
  });

  test("refuses a snapshot that is newer than the log", async () => {
    await snapshotted(5);
    // Without the link in head, only the snapshot shows that the entry existed.
    await rm(join(directory, "things", "head", "000000000005.json"));
    const path = join(directory, "things", "log", "00000000", "000000000005.json");
    await rm(path);
    expect(await failure()).toEqual(["catalog_corrupt", path]);
  });

  test("rebuilds the state from the log and logs an error when a snapshot is damaged", async () => {
    await snapshotted(5);
    const path = join(directory, "things", "snapshots", "000000000005.jsonl");
    const content = await readFile(path);
    for (const damage of [
      () => truncate(path, content.length - 30),
      () => truncate(path, 10),
      () => truncate(path, 0),
      () => writeFile(path, content.toString().replace("i3", "i8")),
    ]) {
      logged = [];
      await writeFile(path, content);
      await damage();
      await using catalog = await open();
      expect((await catalog.query({})).map(({ record }) => record.id)).toEqual([
        "i1",
        "i2",
        "i3",
        "i4",
        "i5",
      ]);
      expect(logged.map(({ level, fields }) => [level, fields["path"]])).toEqual([["error", path]]);
    }
  });

  test("refuses a damaged snapshot when the log is damaged too", async () => {
    await snapshotted(5);
    await truncate(join(directory, "things", "snapshots", "000000000005.jsonl"), 30);
    const path = join(directory, "things", "log", "00000000", "000000000002.json");
    await truncate(path, 30);
    expect(await failure()).toEqual(["catalog_corrupt", path]);
  });

  test("refuses a schema that is damaged or lost", async () => {
    await fill(2);
    const path = join(directory, "things", "schema.json");
    await truncate(path, 5);
    expect(await failure()).toEqual(["catalog_corrupt", path]);
    await rm(path);
    expect(await failure()).toEqual(["catalog_corrupt", path]);
  });

  test.each([9, 0, 2.5, "3", null])("refuses a schema of the unknown format %p", async (format) => {
    await fill(2);
    const path = join(directory, "things", "schema.json");
    const schema = JSON.parse(await readFile(path, "utf8")) as object;
    await writeFile(path, JSON.stringify({ ...schema, format }));
    const error = await open().then(
      () => undefined,
      (thrown: AgnesError) => thrown,
    );
    expect(error?.code).toBe("catalog_corrupt");
    expect(error?.message).toContain(`its format is ${JSON.stringify(format)}, but`);
  });

  test("names the damaged segment and line, and the missing segment", async () => {
    await fill(770);
    const segments = join(directory, "things", "segments");
    expect(await readdir(segments)).toEqual(["00000000.jsonl"]);
    expect(await readdir(join(directory, "things", "log"))).toEqual(["00000001", "00000002", "00000003"]);
    const path = join(segments, "00000000.jsonl");
    const content = await readFile(path, "utf8");
    await writeFile(path, content.replace('"i100"', '"i999"'));
    expect(await failure()).toEqual(["catalog_corrupt", `${path}:100`]);
    await writeFile(path, content.slice(0, -100));
    expect((await failure())[0]).toBe("catalog_corrupt");
    await rm(path);
    expect((await failure())[0]).toBe("catalog_corrupt");
    await writeFile(path, content);
    await using catalog = await open();
    expect(await catalog.query({})).toHaveLength(770);
    expect((await catalog.history({ rowKey: "i100" }))[0]?.sequence).toBe(100);
  });
});

test("rebuildIndexes() removes abandoned temporary files and nothing else", async () => {
  await snapshotted(3);
  const snapshots = join(directory, "things", "snapshots");
  const [old, young] = ["000000000009.jsonl.1.aaaa.tmp", "000000000009.jsonl.2.bbbb.tmp"];
  for (const name of [old, young]) await writeFile(join(snapshots, name), "half");
  await utimes(join(snapshots, old), 1, 1);
  await using catalog = await open();
  await catalog.rebuildIndexes();
  expect((await readdir(snapshots)).sort()).toEqual(["000000000003.jsonl", young]);
});

test("insert() writes nothing when the disk is full, and the next one succeeds", async () => {
  const real = nodeFiles();
  let full = false;
  const files = {
    ...real,
    write: async (path: string, data: string | Uint8Array, options?: object) => {
      if (full) {
        await real.write(path, data.slice(0, 10), options);
        throw Object.assign(new Error("no space"), { code: "ENOSPC" });
      }
      return real.write(path, data, options);
    },
  };
  const storage = fileStorage({ directory, host: createHost({ files }) });
  await using catalog = await openCatalog<Item>({
    storage,
    name: "things",
    rowKey: "id",
    indexKeys: ["group"],
  });
  full = true;
  const refused = await catalog.insert({ id: "a", group: "x" }).catch((error: unknown) => error as Error);
  expect(refused).toMatchObject({ message: "no space" });
  full = false;
  expect(await catalog.insert({ id: "b", group: "x" })).toEqual({ version: 1, changed: true });
  await using again = await open();
  expect((await again.query({})).map(({ record }) => record.id)).toEqual(["b"]);
});

function open(): Promise<Catalog<Item>> {
  const storage = fileStorage({ directory, log: createLog((entry) => logged.push(entry)) });
  return openCatalog<Item>({
    storage,
    name: "things",
    rowKey: "id",
    indexKeys: ["group"],
    retryBudgetMs: 100,
  });
}

async function fill(count: number): Promise<void> {
  const storage = fileStorage({ directory, host: createHost({ files: unsyncedFiles() }) });
  const keys = { name: "things", rowKey: "id", indexKeys: ["group"] };
  await using catalog = await openCatalog<Item>({ storage, ...keys });
  for (let at = 1; at <= count; at++) await catalog.insert({ id: `i${at}`, group: "g" });
}

async function snapshotted(count: number): Promise<void> {
  await fill(count);
  await using catalog = await open();
  await catalog.rebuildIndexes();
}

async function failure(): Promise<readonly unknown[]> {
  const error = (await open().then(
    () => undefined,
    (thrown: unknown) => thrown,
  )) as AgnesError<"catalog_corrupt"> | undefined;
  return [error?.code, error?.details.place];
}
