import { expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { join } from "node:path";

import { createAgnes, type Agnes } from "../../lib/mod.ts";
import plugin from "../../plugins/files/plugin.ts";
import { makeFolder, type Folder } from "./support.ts";

const FORMATS = ["csv", "ndjson", "parquet"] as const;

/** Writes a file with two columns from CSV text. */
async function write(folder: Folder, path: string, year: readonly string[], name = "year"): Promise<void> {
  if (path.endsWith(".csv")) {
    await folder.write(path, `id,${name}\n${year.map((value, at) => `${at},${value}\n`).join("")}`);
  } else if (path.endsWith(".ndjson")) {
    const json = (value: string) => (/^\d+$/.test(value) ? value : value === "" ? "null" : `"${value}"`);
    const rows = year.map((value, at) => `{"id":${at},"${name}":${json(value)}}\n`);
    await folder.write(path, rows.join(""));
  } else {
    await folder.write(`${path}.x`, "");
    const rows = year.map(
      (value, at) => `(${at}, ${value === "" ? "NULL" : /^\d+$/.test(value) ? value : `'${value}'`})`,
    );
    await folder.sql(`COPY (SELECT * FROM (VALUES ${rows.join(", ")}) t(id, ${name})) TO '@/${path}'`);
  }
}

async function open(folder: Folder): Promise<Agnes> {
  const options = { path: "data", hivePartitions: true };
  return createAgnes({
    plugins: [plugin],
    workspace: folder.path,
    config: { version: 1, sources: { s: { plugin: "files", options } } },
  });
}

/** The errors of the tables that failed in a sync. */
async function problems(agnes: Agnes): Promise<ReadonlyMap<string, string>> {
  const [source] = (await agnes.sync()).sources;
  return new Map(source?.stats?.errors.map(({ table, error }) => [table, error.message]));
}

async function problemOf(folder: Folder): Promise<string | undefined> {
  await using agnes = await open(folder);
  return (await problems(agnes)).get("t");
}

test.each(FORMATS)("files: a column of %s with the value of its folder is read", async (format) => {
  await using folder = await makeFolder();
  for (const year of ["2024", "2025"]) await write(folder, `data/t/year=${year}/a.${format}`, [year, year]);
  await write(folder, `data/t/year=2026/a.${format}`, ["1", "2"], "n");
  await using agnes = await open(folder);
  const report = await agnes.sync();
  expect(report.sources[0]?.stats?.errors).toEqual([]);
  expect(await agnes.rows("SELECT year, count(*) AS n FROM t GROUP BY year ORDER BY year")).toEqual([
    { year: 2024, n: 2 },
    { year: 2025, n: 2 },
    { year: 2026, n: 2 },
  ]);
});

const DIFFERENCES: readonly (readonly [values: readonly string[], folder: string, expected: RegExp])[] = [
  [["2024", "2023"], "year=2024", /row 2 has "2023" in column "year", but its path contains "2024"/],
  [["2024", ""], "year=2024", /row 2 has null in column "year", but its path contains "2024"/],
  [
    ["2024"],
    "year=__HIVE_DEFAULT_PARTITION__",
    /row 1 has "2024" in column "year", but its path contains null/,
  ],
  [["2024"], "year=now", /its path contains year="now", but column "year" is (BIGINT|INTEGER)/],
];

test("files: a column that differs from its folder is named with both values", async () => {
  await using folder = await makeFolder();
  const cases = FORMATS.flatMap((format) =>
    DIFFERENCES.map(([values, path, expected], at) => ({
      values,
      path,
      expected,
      name: `${format}${at}`,
      format,
    })),
  );
  for (const { values, path, name, format } of cases)
    await write(folder, `data/${name}/${path}/a.${format}`, values);
  await folder.write("data/other.csv", "id\n1\n");
  await using agnes = await open(folder);
  const found = await problems(agnes);
  for (const { name, expected, path, format } of cases) {
    expect(found.get(name)).toMatch(expected);
    expect(found.get(name)).toContain(`${path}/a.${format}`);
  }
  expect(await agnes.rows("SELECT id FROM other")).toEqual([{ id: 1 }]);
});

test("files: among many small files, the one whose column differs from its folder is named", async () => {
  await using folder = await makeFolder();
  for (const name of ["a", "b", "c", "d"]) {
    await write(folder, `data/t/year=2024/${name}.csv`, [name === "c" ? "2023" : "2024"]);
  }
  expect(await problemOf(folder)).toMatch(/year=2024\/c\.csv.*row 1 has "2023".*its path contains "2024"/);
});

test("files: a known table is also checked against its folders", async () => {
  await using folder = await makeFolder();
  await write(folder, "data/t/year=2024/a.ndjson", ["2024"]);
  await using agnes = await open(folder);
  expect((await problems(agnes)).size).toBe(0);
  await write(folder, "data/t/year=2025/b.ndjson", ["2024"]);
  expect((await problems(agnes)).get("t")).toMatch(
    /year=2025\/b\.ndjson.*row 1 has "2024".*its path contains "2025"/,
  );
  expect(await agnes.rows("SELECT year FROM t")).toEqual([{ year: 2024 }]);
});

test("files: a folder whose value does not fit a known column exactly is an error", async () => {
  await using folder = await makeFolder();
  const write = async (day: string, count: string, name: string) => {
    await folder.write(`data/j/day=${day}/n=${count}/${name}.ndjson`, '{"id":1}\n');
    const path = `data/p/day=${day}/n=${count}`;
    await folder.write(`${path}/.keep`, "");
    await folder.sql(`COPY (SELECT 1 AS id) TO '@/${path}/${name}.parquet'`);
  };
  await write("2026-01-31", "1", "a");
  await using agnes = await open(folder);
  expect((await problems(agnes)).size).toBe(0);
  await write("infinity", "2", "b");
  const days = await problems(agnes);
  for (const table of ["j", "p"]) {
    expect(days.get(table)).toMatch(/its path contains day="infinity", but column "day" is DATE/);
  }
  await rm(join(folder.path, "data/j/day=infinity"), { recursive: true });
  await rm(join(folder.path, "data/p/day=infinity"), { recursive: true });
  await write("2026-02-01", "007", "b");
  const counts = await problems(agnes);
  for (const table of ["j", "p"]) {
    expect(counts.get(table)).toMatch(/its path contains n="007", but column "n" is BIGINT/);
  }
});

test.each(FORMATS)(
  "files: a folder and a column of %s that differ only by case are rejected",
  async (format) => {
    await using folder = await makeFolder();
    await write(folder, `data/t/Year=2024/a.${format}`, ["2024"]);
    const problem = await problemOf(folder);
    expect(problem).toMatch(/"[Yy]ear".*differs from "[yY]ear".*only by case/);
    expect(problem).toContain(join("Year=2024", `a.${format}`));
  },
);
