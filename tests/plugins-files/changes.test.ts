import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { rename, rm, stat, utimes } from "node:fs/promises";

import { parseFileReading } from "../../lib/kit/public.ts";
import {
  fingerprint,
  fingerprintFiles,
  parseState,
  planRead,
  writeState,
  type Fingerprint,
} from "../../plugins/files/changes.ts";
import { makeFolder, type Folder } from "./support.ts";

let folder: Folder;
beforeEach(async () => {
  folder = await makeFolder();
});
afterEach(async () => {
  await folder[Symbol.asyncDispose]();
});

/** Sets the modification time of a file to one hour ago. */
async function age(file: string): Promise<void> {
  const past = new Date(Date.now() - 3_600_000);
  await utimes(file, past, past);
}

/** The reading of the files of these tests. */
const asked = { reading: { format: "csv", columns: [] }, settings: "s", conditions: "c" } as const;

test("parseState() parses what writeState() returns, and returns null for any other value", () => {
  const files = new Map([["a.csv", { sizeBytes: 1, modifiedAtMs: 1, changedAtMs: 1, inode: 1 }]]);
  const layouts = { layouts: [["id"]], layoutOf: { "a.csv": 0 } };
  const stored = writeState({ ...asked, ...layouts, files }, new Date()) as Record<string, never>;
  expect(parseState(stored)).toEqual({ ...asked, ...layouts, files });
  const broken = {
    reading: [null, {}, { columns: null }, "csv"],
    files: [null, 1, { a: 1 }],
    settings: [null, 1],
  };
  for (const [key, values] of Object.entries(broken))
    for (const value of values)
      expect([key, value, parseState({ ...stored, [key]: value as never })]).toEqual([
        key,
        value as never,
        null,
      ]);
  for (const other of [undefined, null, [], 3, {}, { version: 3 }]) expect(parseState(other)).toBeNull();
});

test("parseFileReading() accepts readings of earlier versions, and returns null for any other value", () => {
  const column = { name: "id", type: "BIGINT" };
  const former = { format: "json", columns: [{ ...column, given: true, key: "ID" }] };
  const reading = { format: "json", columns: [{ ...column, isConfigured: true, key: "ID" }] };
  expect(JSON.stringify(parseFileReading(former))).toBe(JSON.stringify(reading));
  for (const other of [
    undefined,
    null,
    "csv",
    [],
    {},
    { columns: null },
    { columns: [column] },
    { format: "xml", columns: [column] },
    { format: "csv", columns: [null] },
    { format: "csv", columns: [{ name: "id" }] },
    { format: "csv", columns: [column], csv: { delimiter: 1 } },
    { format: "csv", columns: [column], notes: "x" },
  ])
    expect([other, parseFileReading(other as never)]).toEqual([other, null]);
});

describe("files: unchanged files", () => {
  test("read() yields nothing and reports `unchanged` if no file changed", async () => {
    await age(await folder.write("orders.csv", "id\n1\n"));
    await folder.write("fresh.csv", "id\n1\n");
    const source = await folder.connect();
    for (const table of (await source.tables()).values()) {
      const first = await source.read(table);
      expect(first.chunks).toHaveLength(1);
      const second = await source.read(table, first.end.state);
      expect(second).toMatchObject({ chunks: [], end: { unchanged: true } });
    }
  });

  test("read() yields only changed files of a folder, keeps the others and drops the removed ones", async () => {
    const files = ["a.csv", "b.csv", "c.csv", "d.csv"];
    for (const [at, file] of files.entries()) await age(await folder.write(`events/${file}`, `id\n${at}\n`));
    const source = await folder.connect();
    const table = (await source.tables()).get("events");
    const first = await source.read(table);
    expect(first.chunks.map((chunk) => chunk.origin)).toEqual(files);
    await folder.write("events/b.csv", "id\n12\n");
    await folder.write("events/e.csv", "id\n5\n");
    await rm(`${folder.path}/events/c.csv`);
    const second = await source.read(table, first.end.state);
    expect(second.chunks.map((chunk) => chunk.origin)).toEqual(["b.csv", "e.csv"]);
    expect(second.end.kept).toEqual(["a.csv", "d.csv"]);
    expect(second.end.unchanged).toBeUndefined();
    const removed = `${folder.path}/events/a.csv`;
    await rm(removed);
    const third = await source.read(table, second.end.state);
    expect(third).toMatchObject({ chunks: [], end: { kept: ["b.csv", "d.csv", "e.csv"] } });
    expect(third.end.unchanged).toBeUndefined();
  });

  test("read() detects a change with the same size, time and inode right after the file was written", async () => {
    const file = await folder.write("orders.csv", "id\n1\n");
    const now = new Date();
    await utimes(file, now, now);
    const source = await folder.connect();
    const table = (await source.tables()).get("orders");
    const { end } = await source.read(table);
    await folder.write("orders.csv", "id\n2\n");
    await utimes(file, now, now);
    expect((await source.read(table, end.state)).chunks).toHaveLength(1);
  });

  test("read() detects a replaced file", async () => {
    const file = await folder.write("orders.csv", "id\n1\n");
    await age(file);
    const source = await folder.connect();
    const table = (await source.tables()).get("orders");
    const { end } = await source.read(table);
    const other = await folder.write("other.tmp", "id\n2\n");
    const { mtime } = await stat(file);
    await utimes(other, mtime, mtime);
    await rename(other, file);
    expect((await source.read(table, end.state)).chunks).toHaveLength(1);
  });

  test("read() reads all files again if the reading changed", async () => {
    await age(await folder.write("orders.csv", "id,n\n1,2\n"));
    const before = await folder.connect();
    const { end } = await before.read((await before.tables()).get("orders"));
    const after = await folder.connect({ path: ".", tables: { orders: { types: { id: "VARCHAR" } } } });
    const table = (await after.tables()).get("orders");
    expect((await after.read(table, end.state)).chunks).toHaveLength(1);
  });

  test("read() reads all files if the state is unknown", async () => {
    await folder.write("orders.csv", "id\n1\n");
    const source = await folder.connect();
    const table = (await source.tables()).get("orders");
    for (const state of [null, 7, "x", [], { version: 3 }, { version: 2, reading: 1 }]) {
      expect((await source.read(table, state)).chunks).toHaveLength(1);
    }
  });

  test("fingerprint() hashes a file only if its time stamp may miss a change", async () => {
    const file = await folder.write("orders.csv", "id\n1\n");
    const { signal } = new AbortController();
    const fresh = await fingerprint(file, { now: new Date(), signal });
    expect(fresh.sha256).toHaveLength(64);
    // A copied file may have an old time stamp, so the time stamp alone is not enough.
    await age(file);
    expect((await fingerprint(file, { now: new Date(), signal })).sha256).toHaveLength(64);
    const later = new Date(Date.now() + 3_600_000);
    expect((await fingerprint(file, { now: later, signal })).sha256).toBeUndefined();
  });

  test("planRead() detects a file that was rewritten in place with size and time stamp restored", async () => {
    const file = await folder.write("orders.csv", "id\n1\n");
    await age(file);
    const { signal } = new AbortController();
    const now = () => new Date(Date.now() + 3_600_000);
    const look = async () => ({
      ...asked,
      files: await fingerprintFiles([["orders.csv", file]], { now, signal }),
    });
    const before = await look();
    const { mtime, ino } = await stat(file);
    await folder.write("orders.csv", "id\n2\n");
    await utimes(file, mtime, mtime);
    const after = await look();
    expect(after.files.get("orders.csv")).toMatchObject({ inode: ino, sizeBytes: 5 });
    expect(planRead(before, after)).toMatchObject({ changed: ["orders.csv"], kept: [] });
  });

  test("fingerprintFiles() keeps the order of many files", async () => {
    const names = Array.from({ length: 100 }, (_, at) => `${(at * 37) % 100}.csv`);
    for (const [at, name] of names.entries()) await folder.write(name, "x".repeat(at));
    const { signal } = new AbortController();
    const files = names.map((name) => [name, `${folder.path}/${name}`] as const);
    const seen = await fingerprintFiles(files, { now: () => new Date(), signal });
    expect([...seen.keys()]).toEqual(names);
    expect([...seen.values()].map(({ sizeBytes }) => sizeBytes)).toEqual(names.map((_, at) => at));
  });

  test("writeState() keeps the hash of a file only if its time stamps may miss a change", () => {
    const now = new Date(1_000_000);
    const seen = { sizeBytes: 1, inode: 1, modifiedAtMs: 1, sha256: "x" };
    const files = new Map([
      ["old", { ...seen, changedAtMs: 1 }],
      ["fresh", { ...seen, changedAtMs: 999_000 }],
    ]);
    const state = writeState({ ...asked, files }, now) as unknown as {
      files: Record<string, Fingerprint>;
    };
    expect(state.files["old"]).not.toHaveProperty("sha256");
    expect(state.files["fresh"]).toHaveProperty("sha256", "x");
  });

  test("planRead() keeps exactly the origins with equal fingerprints", () => {
    const seen = (sizeBytes: number, sha256?: string): Fingerprint => ({
      sizeBytes,
      modifiedAtMs: 1,
      changedAtMs: 1,
      inode: 1,
      ...(sha256 === undefined ? {} : { sha256 }),
    });
    const state = (files: Record<string, Fingerprint>) => ({
      ...asked,
      files: new Map(Object.entries(files)),
    });
    const before = state({ a: seen(1), b: seen(2), gone: seen(3), doubt: seen(4, "x") });
    const now = state({ a: seen(1), b: seen(3), c: seen(1), doubt: seen(4, "y") });
    expect(planRead(before, now)).toEqual({ changed: ["b", "c", "doubt"], kept: ["a"], isUnchanged: false });
    expect(planRead(before, before)).toMatchObject({ changed: [], isUnchanged: true });
    expect(planRead(null, now).changed).toHaveLength(4);
  });
});
