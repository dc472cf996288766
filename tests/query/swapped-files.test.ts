import { describe, expect, test } from "bun:test";
import { execFile } from "node:child_process";
import { copyFile, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { rebuildAnalytics } from "../../lib/analytics/rebuild.ts";
import { isAgnesError } from "../../lib/base/mod.ts";
import { openQuerySession } from "../../lib/query/mod.ts";
import type { QuerySession } from "../../lib/query/session.ts";
import { temporaryData, writeExtract, writeRawExtract } from "../analytics/extract-files.ts";
import { rowsOf, testServices } from "./published.ts";

const TABLES = ["part", "globbed", "text", "lines", "inside", "mixed"];
const TIMEOUT_MS = 10_000;

/** A secret source beside one whose files are replaced after the rebuild. */
async function openPlace() {
  const folder = await temporaryData();
  const { data } = folder;
  await writeExtract(data, "hr", {
    tables: [
      { name: "people", rows: "SELECT 'canary' AS a" },
      { name: "inside", object: "TABLE inside (a VARCHAR)" },
    ],
  });
  const at = (...steps: string[]) => join(data, "extracts", "odd", ...steps);
  await mkdir(at("data", "sub"), { recursive: true });
  await writeFile(at("data", "text.csv"), "a\nmine\n");
  await writeFile(at("data", "lines.json"), '{"a":"mine"}\n');
  for (const part of [at("data", "part.parquet"), at("data", "sub", "one.parquet")])
    await copyFile(join(data, "extracts", "hr", "data", "people.parquet"), part);
  await writeRawExtract(
    data,
    "odd",
    `CREATE TABLE _meta (table_name VARCHAR); INSERT INTO _meta VALUES ${TABLES.map((name) => `('${name}')`).join(", ")};
     CREATE VIEW part AS SELECT * FROM read_parquet('{data}/part.parquet');
     CREATE VIEW globbed AS SELECT * FROM '{data}/sub/*.parquet';
     CREATE VIEW text AS SELECT * FROM read_csv('{data}/text.csv', delim = '\\t', header = true);
     CREATE VIEW lines AS SELECT * FROM read_json('{data}/lines.json');
     CREATE TABLE inside (a VARCHAR); INSERT INTO inside VALUES ('mine');
     CREATE VIEW mixed AS SELECT i.a FROM inside AS i, '{data}/part.parquet' AS p`,
  );
  const rebuild = () => rebuildAnalytics(testServices(), { dataDirectory: data, owners: null });
  const first = await rebuild();
  // The first rebuild may be within the clock's resolution of the write.
  await rebuild();
  expect([first.errors, first.skipped]).toEqual([[], []]);
  const session = openQuerySession(testServices(), { dataDirectory: data });
  return {
    data,
    session,
    at,
    rebuild,
    async [Symbol.asyncDispose]() {
      await session.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

const replacements: Readonly<Record<string, (path: string, data: string) => Promise<unknown>>> = {
  "a link to the file of another source": (path, data) => {
    const isDatabase = path.endsWith("extract.duckdb");
    return symlink(join(data, "extracts", "hr", isDatabase ? "extract.duckdb" : "data/people.parquet"), path);
  },
  "a named pipe": (path) => promisify(execFile)("mkfifo", [path]),
};

async function resultOf(session: QuerySession, table: string): Promise<string> {
  const limits = { timeoutMs: TIMEOUT_MS };
  const granted = new Set([`odd.${table}`]);
  try {
    const rows = await rowsOf(session, `SELECT * FROM odd.${table}`, { access: granted, limits });
    return JSON.stringify(rows);
  } catch (error) {
    if (!isAgnesError(error)) throw error;
    return error.code;
  }
}

const PARTS = ["data/part.parquet", "data/sub/two.parquet", "data/text.csv", "data/lines.json"];

describe.each(Object.keys(replacements))("files replaced by %s after the rebuild", (kind) => {
  test.each([
    [["data/part.parquet"], ["part", "mixed"]],
    [PARTS, TABLES.filter((name) => name !== "inside")],
    [["extract.duckdb"], TABLES],
  ] as const)("%p are not opened, and other tables can be queried", async (files, affected) => {
    await using place = await openPlace();
    const { data, session, at, rebuild } = place;
    for (const file of files) {
      await rm(at(file), { force: true });
      await replacements[kind]!(at(file), data);
    }
    const changed: readonly string[] = affected;
    for (const table of TABLES) {
      const result = await resultOf(session, table);
      // The definition of `text` has a backslash, so it is not certain which files it reads.
      if (changed.includes(table) || table === "text")
        expect([table, result]).toEqual([table, "extract_changed"]);
      else expect(result).toMatch(/mine|canary/);
    }
    const limits = { timeoutMs: TIMEOUT_MS };
    expect((await rowsOf(session, "SHOW ALL TABLES", { limits })).length).toBe(8);
    expect(await rowsOf(session, "SELECT * FROM hr.people", { limits })).toEqual([{ a: "canary" }]);
    const report = await rebuild();
    const shown = report.published.map(({ id }) => id).filter((id) => id.startsWith("odd."));
    expect(shown).toEqual(
      TABLES.filter((table) => !changed.includes(table))
        .map((table) => `odd.${table}`)
        .sort(),
    );
    for (const table of changed) expect(await resultOf(session, table)).toBe("table_unknown");
  });
});
