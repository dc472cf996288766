import { beforeEach, describe, expect, test } from "bun:test";

import { AgnesError, createHost, publishFile, type Files } from "../../lib/base/mod.ts";
import { ForgetfulDisk } from "../fakes/forgetful-files.ts";
import { seedsTo } from "../seeds.ts";
import { expectPowerFailuresSurvived, openOn } from "./power-failure.ts";

const ROOT = "/data/state/things";

let disk: ForgetfulDisk;
beforeEach(() => void (disk = new ForgetfulDisk()));

const item = (at: number, group = "g") => ({ id: `i${at}`, group });
const items = (count: number, group = "g") => Array.from({ length: count }, (_, at) => item(at, group));

/** Makes one kind of operation fail on one path. */
function fail(operation: keyof Files, path: string | RegExp): void {
  disk.before = (which, where) => {
    const isHit = typeof path === "string" ? where === path : path.test(where);
    if (which !== operation || !isHit) return;
    throw new AgnesError("file_failed", { operation, path: where, reason: "EIO" });
  };
}

async function code(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => "done",
    (error: unknown) => (error as AgnesError).code,
  );
}

/** The records after a power failure that loses everything not synced. */
async function afterPowerFailure(survives?: (directory: string) => boolean): Promise<readonly string[]> {
  disk.before = () => {};
  disk.cutPower(survives);
  await using catalog = await openOn(disk);
  const sequences = (await catalog.history()).map(({ sequence }) => sequence);
  expect(sequences).toEqual(sequences.map((_, at) => at + 1));
  return (await catalog.query({})).map(({ record }) => record.id);
}

describe("insert() when the power fails", () => {
  test("keeps acknowledged entries, the first one and later ones", async () => {
    const catalog = await openOn(disk);
    await catalog.insert(item(1));
    expect(await afterPowerFailure()).toEqual(["i1"]);
    const next = await openOn(disk);
    await next.insert(item(2));
    expect(await afterPowerFailure()).toEqual(["i1", "i2"]);
  });

  test("keeps an entry although another process created the catalog without syncing it", async () => {
    fail("sync", ROOT);
    expect(await code(openOn(disk))).toBe("file_failed");
    disk.before = () => {};
    const other = await openOn(disk);
    await other.insert(item(1));
    expect(await afterPowerFailure()).toEqual(["i1"]);
  });

  test("keeps an entry although the previous one, the last of its block, was not synced by its writer", async () => {
    const [one, other] = [await openOn(disk), await openOn(disk)];
    for (let at = 1; at <= 255; at++) await one.insert(item(at));
    fail("sync", `${ROOT}/log/00000000`);
    expect(await code(one.insert(item(256)))).toBe("catalog_outcome_unknown");
    disk.before = () => {};
    await other.insert(item(257));
    expect(await afterPowerFailure()).toHaveLength(257);
  });

  test("keeps an existing record that is acknowledged again", async () => {
    const [one, other] = [await openOn(disk), await openOn(disk, "bob")];
    await one.insert(item(1));
    fail("sync", /log\/00000000$/);
    expect(await code(one.insert(item(2)))).toBe("catalog_outcome_unknown");
    expect(await code(other.insert(item(2)))).toBe("file_failed");
    disk.before = () => {};
    expect(await other.insert(item(2))).toEqual({ version: 2, changed: false });
    expect(await afterPowerFailure()).toEqual(["i1", "i2"]);
  });

  test("leaves no snapshot of a lost entry", async () => {
    const [one, other] = [await openOn(disk), await openOn(disk)];
    await other.insert(item(0));
    fail("sync", `${ROOT}/log/00000000`);
    expect(await code(one.insertMany(items(5000, "lost")))).toBe("catalog_outcome_unknown");
    // A writer that applies this many changes writes a snapshot.
    expect(await other.query({ group: "lost" })).toHaveLength(5000);
    await other.close();
    expect(await afterPowerFailure()).toEqual(["i0"]);
  });

  for (const unsynced of [ROOT, `${ROOT}/segments`]) {
    test(`keeps the archive although another process published it and could not sync ${unsynced}`, async () => {
      const [one, other] = [await openOn(disk), await openOn(disk)];
      for (let at = 1; at <= 767; at++) await one.insert(item(at));
      await other.insert(item(0));
      fail("sync", unsynced);
      await one.insert(item(768));
      await one.close();
      let isRemoved = false;
      let cut = () => {};
      const failed = new Promise<void>((resolve) => (cut = resolve));
      disk.before = (operation, path) => {
        if (isRemoved) cut();
        isRemoved ||= operation === "removeDirectory" && path === `${ROOT}/log/00000000`;
      };
      const writing = (async () => {
        for (let at = 1; at <= 260; at++) await other.insert(item(at, "other"));
      })();
      await Promise.race([failed, writing]);
      expect(isRemoved).toBe(true);
      // Removals persist; data that was not synced is lost.
      expect(await afterPowerFailure((directory) => directory === `${ROOT}/log`)).toHaveLength(769);
    });
  }
});

describe("insert() when an fsync fails", () => {
  test("fails and writes nothing when it is the fsync of the entry", async () => {
    const catalog = await openOn(disk);
    await catalog.insert(item(1));
    fail("write", /\.tmp$/);
    expect(await code(catalog.insert(item(2)))).toBe("file_failed");
    disk.before = () => {};
    expect(await catalog.version()).toBe(1);
  });

  test("fails even if the next fsync succeeds, because the first one reported a loss", async () => {
    const catalog = await openOn(disk);
    await catalog.insert(item(1));
    let isFirst = true;
    disk.before = (operation, path) => {
      if (operation !== "sync" || !isFirst) return;
      isFirst = false;
      throw new AgnesError("file_failed", { operation, path, reason: "EIO" });
    };
    expect(await code(catalog.insert(item(2)))).toBe("catalog_outcome_unknown");
    expect(await catalog.insert(item(2))).toEqual({ version: 2, changed: false });
    expect(await afterPowerFailure()).toEqual(["i1", "i2"]);
  });

  for (const [which, path] of [
    ["of the block", /log\/00000000$/],
    ["of the log", /log$/],
    ["of the catalog", /things$/],
    ["of the folder of the catalog", /state$/],
  ] as const) {
    test(`fails when it is the fsync ${which}`, async () => {
      await (await openOn(disk)).close();
      const catalog = await openOn(disk);
      fail("sync", path);
      expect(["file_failed", "catalog_outcome_unknown"]).toContain(
        (await code(catalog.insert(item(1)))) as string,
      );
      expect(await code(catalog.insert(item(1)))).not.toBe("done");
      disk.before = () => {};
      await catalog.insert(item(1));
      expect(await afterPowerFailure()).toEqual(["i1"]);
    });
  }
});

test("publishFile() survives a power failure, with every directory that it creates", async () => {
  const files = disk.files();
  const host = createHost({ files });
  await publishFile(host, "/a/b/text", "text");
  await publishFile(host, "/a/b/written", (temporary) => files.append(temporary, "written"));
  await publishFile(host, "/a/b/text", "replaced");
  disk.cutPower();
  const after = disk.files();
  expect(await after.list("/a/b")).toEqual(["text", "written"]);
  const texts = await Promise.all(["text", "written"].map((name) => after.read(`/a/b/${name}`)));
  expect(texts.map((bytes) => Buffer.from(bytes!).toString())).toEqual(["replaced", "written"]);
});

test("history() of a deleted record is complete after a snapshot, also when the record is inserted again", async () => {
  const catalog = await openOn(disk);
  await catalog.insert(item(1));
  await catalog.delete("i1");
  await catalog.rebuildIndexes();
  await catalog.close();
  const kinds = async (of: Awaited<ReturnType<typeof openOn>>) =>
    (await of.history({ rowKey: "i1" })).flatMap(({ changes }) => changes.map(({ kind }) => kind));
  await using again = await openOn(disk);
  expect(await kinds(again)).toEqual(["insert", "delete"]);
  await again.insert(item(1));
  expect(await kinds(again)).toEqual(["insert", "delete", "insert"]);
});

test("insert() by a writer that was suspended until its block was archived takes the next free number", async () => {
  const sleeper = await openOn(disk, "sleeper");
  const other = await openOn(disk);
  await other.insert(item(0));
  let wake = () => {};
  let asleep = () => {};
  const slept = new Promise<void>((resolve) => (wake = resolve));
  const sleeping = new Promise<void>((resolve) => (asleep = resolve));
  let isFirst = true;
  disk.before = async (operation, path) => {
    // Its number was free, and its next step creates the directory.
    if (operation !== "makeDirectory" || !path.endsWith("log/00000000") || !isFirst) return;
    isFirst = false;
    asleep();
    await slept;
  };
  const late = sleeper.insert({ id: "late", group: "late" });
  await sleeping;
  for (let at = 1; at <= 770; at++) await other.insert(item(at));
  await other.close();
  wake();
  expect(await late).toEqual({ version: 772, changed: true });
  await using reader = await openOn(disk);
  expect(await reader.query({})).toHaveLength(772);
  expect((await reader.history({ rowKey: "late" })).map(({ sequence }) => sequence)).toEqual([772]);
});

test("fileStorage() keeps acknowledged entries when the power fails at any point, under a few seeds", async () => {
  await expectPowerFailuresSurvived(seedsTo(3));
});
