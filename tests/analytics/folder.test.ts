import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { expect, test } from "bun:test";

import { findUnsafe, openUnchanged } from "../../lib/analytics/mod.ts";
import { checkFolder } from "../../lib/analytics/extracts/folder.ts";
import { isAgnesError, nodeFiles, type Files } from "../../lib/base/mod.ts";
import { leadsToSome } from "../../lib/analytics/extracts/place.ts";
import { faultyFiles } from "../fakes/faulty-files.ts";
import { temporaryData } from "./extract-files.ts";

/** An extract with a link that leads outside in every folder, and in place of a folder. */
async function withLinks() {
  const folder = await temporaryData();
  const root = join(folder.data, "extracts");
  const directory = join(root, "crm");
  for (const below of ["data/a", "data/b/deep", "data/c"]) {
    await mkdir(join(directory, below), { recursive: true });
    await writeFile(join(directory, below, "good.parquet"), "");
    await symlink("/etc/hostname", join(directory, below, "link.parquet"));
  }
  await symlink("/etc", join(directory, "data/out"));
  return { root, directory, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

test("checkFolder() lists only folders that contain files of the tables", async () => {
  await using place = await withLinks();
  const strangeFor = async (...paths: readonly string[]) => {
    const isVisited = leadsToSome(paths.map((path) => join(place.directory, path)));
    const { strange } = await checkFolder(nodeFiles(), place.root, "crm", isVisited);
    return strange.map((path) => path.slice(place.directory.length + 1)).sort();
  };
  expect(await strangeFor()).toEqual([]);
  expect(await strangeFor("data/a/good.parquet")).toEqual(["data/a/link.parquet", "data/out"]);
  expect(await strangeFor("data/b/deep/good.parquet")).toEqual(["data/b/deep/link.parquet", "data/out"]);
  expect(await strangeFor("data/*/good.parquet")).toEqual([
    "data/a/link.parquet",
    "data/b/deep/link.parquet",
    "data/c/link.parquet",
    "data/out",
  ]);
});

test.each(["EXTRACT.duckdb", "extract.DuckDB.wal"])(
  "checkFolder() looks at %s where the file system ignores case",
  async (name) => {
    await using place = await withLinks();
    await symlink("/etc/hostname", join(place.directory, name));
    const listed = name.toLowerCase();
    const real = nodeFiles();
    // The name in lower case leads to the file, as it does on such a file system.
    const files: Files = {
      ...real,
      realPath: (path) => real.realPath(path.endsWith(listed) ? join(place.directory, name) : path),
    };
    const error = await checkFolder(files, place.root, "crm").catch((thrown: unknown) => thrown);
    expect(isAgnesError(error, "extract_refused") && error.details.reason).toContain(
      "is a link that leads outside the extract",
    );
  },
);

test("findUnsafe() finds the same tables as a listing of the whole folder", async () => {
  await using place = await withLinks();
  const paths = {
    good: "data/a/good.parquet",
    link: "data/c/link.parquet",
    deep: "data/b/deep/link.parquet",
    below: "data/out/hostname",
    some: "data/b/**/*.parquet",
    all: "**",
    back: "data\\a",
  };
  const tables = Object.entries(paths).map(([name, path]) => ({
    name,
    source: "crm",
    definition: `SELECT * FROM read_parquet(['${join(place.directory, path)}'])`,
  }));
  const unsafe = [];
  for (const table of tables) {
    const found = await findUnsafe(nodeFiles(), { source: "crm", directory: place.directory }, [
      table as never,
    ]);
    unsafe.push(...found.map(({ name }) => name));
  }
  expect(unsafe).toEqual(["link", "deep", "below", "some", "all", "back"]);
});

test.each(["realPath", "identify", "entries"] as const)(
  "a folder of which %s fails is not read, and not taken for one that is gone",
  async (operation) => {
    await using place = await withLinks();
    const faulty = (): Files => faultyFiles(nodeFiles(), { at: 1, code: "EIO", operations: [operation] });
    const error = await checkFolder(faulty(), place.root, "crm").catch((thrown: unknown) => thrown);
    expect(isAgnesError(error, "file_failed") && error.details.reason).toBe("EIO");
    const good = join(place.directory, "data/a/good.parquet");
    const table = {
      name: "t",
      source: "crm",
      definition: `SELECT * FROM read_parquet(['${good}'])`,
    } as never;
    const extract = { source: "crm", directory: place.directory };
    expect(await findUnsafe(nodeFiles(), extract, [table])).toEqual([]);
    expect(await findUnsafe(faulty(), extract, [table])).toEqual([table]);
    const gone = { source: "none", directory: join(place.root, "none") };
    expect(await findUnsafe(nodeFiles(), gone, [table])).toEqual([]);
  },
);

test.each(["realPath", "identify"] as const)(
  "openUnchanged() opens nothing when %s fails",
  async (operation) => {
    await using place = await withLinks();
    await writeFile(join(place.directory, "extract.duckdb"), "");
    const files = faultyFiles(nodeFiles(), { at: 1, code: "EIO", operations: [operation] });
    let opened = 0;
    const opening = openUnchanged(
      files,
      place.directory,
      async () => {},
      async () => (opened += 1),
      async () => {},
    );
    expect(await opening.catch((thrown: unknown) => thrown)).toMatchObject({ code: "file_failed" });
    expect(opened).toBe(0);
  },
);
