import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { openDatabase } from "../../lib/duckdb/mod.ts";
import { matchesOf } from "../../plugins/files/glob.ts";
import { makeFolder, type Folder } from "./support.ts";

let folder: Folder;
beforeAll(async () => {
  folder = await makeFolder();
  const files = ["a.csv", "b.csv", "ab.csv", "a.tsv", "a+b (1).csv", "x]y.csv", "^.csv", "a-z.csv"];
  for (const at of ["", "eu/", "eu/de/", "us/", "us/x/de/"]) {
    for (const file of files) await folder.write(`${at}${file}`, "id\n1\n");
  }
});
afterAll(async () => {
  await folder[Symbol.asyncDispose]();
});

const PATTERNS = [
  "*.csv",
  "?.csv",
  "[ab].csv",
  "[!a].csv",
  "[a-b]*.csv",
  "[^a].csv",
  "a+b (?).csv",
  "a+b*.csv",
  "*/*.csv",
  "*/de/*.csv",
  "*/de/a.csv",
  "**/*.csv",
  "**/de/a.csv",
  "eu/**/a.?sv",
  "none*/a.csv",
  "[x]*.csv",
];

describe("files: globs", () => {
  for (const pattern of PATTERNS) {
    test(`matchesOf() finds for ${pattern} the files that DuckDB finds`, async () => {
      await using database = await openDatabase();
      await using connection = await database.connect();
      const path = `${folder.path}/${pattern}`;
      const rows = await connection.rows<{ file: string }>(`SELECT file FROM glob('${path}')`);
      const { entries, blocked } = await matchesOf(path, { followLinks: false, roots: [] });
      const found = entries.filter(({ kind }) => kind === "file").map((entry) => entry.path);
      expect(found).toEqual(rows.map(({ file }) => file).sort());
      expect(blocked).toEqual([]);
    });
  }

  test("matchesOf() matches ? to any character, also of several bytes, and supports several **", async () => {
    await folder.write("cz/x/y/Ä.csv", "id\n1\n");
    for (const pattern of ["cz/**/?.csv", "cz/**/x/**/[Ä].csv", "cz/**"]) {
      const { entries } = await matchesOf(`${folder.path}/${pattern}`, { followLinks: false, roots: [] });
      const files = entries.filter(({ kind }) => kind === "file").map(({ path }) => path);
      expect(files).toEqual([`${folder.path}/cz/x/y/Ä.csv`]);
    }
  });
});
