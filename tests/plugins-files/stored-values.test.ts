import { expect, test } from "bun:test";

import { makeFolder } from "./support.ts";
import { syncFolder } from "./sync-folder.ts";

const LONG = "1".repeat(39);
const FITS = "9".repeat(38);

test("a number that HUGEINT has and a part has not is an error with its place, or quarantined", async () => {
  await using folder = await makeFolder();
  const rows = Array.from({ length: 40 }, (_, at) => at);
  const csv = (big: string) => `id,v\n${rows.map((at) => `${at},${at}\n`).join("")}40,${FITS}\n41,${big}\n`;
  await folder.write("data/c.csv", csv(LONG));
  await folder.write(
    "data/j.ndjson",
    `${rows.map((at) => `{"id":${at},"v":${at}}\n`).join("")}{"id":40,"v":${FITS}}\n{"id":41,"v":${LONG}}\n`,
  );
  await folder.sql(
    `COPY (SELECT range AS id, range::VARCHAR AS v FROM range(40) UNION ALL SELECT 41, '${LONG}') TO '@/data/p.parquet'`,
  );
  await folder.sql(`COPY (SELECT range AS id, 1.5e38 * range AS v FROM range(2)) TO '@/data/q.parquet'`);
  const tables = Object.fromEntries(["c", "j", "p", "q"].map((name) => [name, { types: { v: "HUGEINT" } }]));
  const { errors } = await syncFolder(folder, { path: "data", tables });
  expect(errors.map(({ error }) => error.message)).toEqual([
    `"c.csv", line 43, column v: "${LONG}" is not HUGEINT`,
    `"j.ndjson", line 42, column v: "${LONG}" is not HUGEINT`,
    `"p.parquet", column v: "${LONG}" is not HUGEINT`,
    `"q.parquet", column v: "1.5e+38" is not HUGEINT`,
  ]);
  const kept = await syncFolder(folder, { path: "data", tables }, { plan: { quarantine: true } });
  const figures = kept.tables.map(({ name, rows: left, rowsQuarantined }) => [name, left, rowsQuarantined]);
  expect(figures.slice(0, 3)).toEqual([
    ["c", 41, 1],
    ["j", 41, 1],
    ["p", 40, 1],
  ]);
});

test("a moment that TIMESTAMP_S has and a part has not is an error with its place", async () => {
  await using folder = await makeFolder();
  await folder.write("data/c.csv", "id,v\n1,2026-01-31 10:00:00\n2,400000-01-01 00:00:00\n");
  const tables = { c: { types: { v: "TIMESTAMP_S" } } };
  const { errors } = await syncFolder(folder, { path: "data", tables });
  expect(errors.map(({ error }) => error.message)).toEqual([
    `"c.csv", line 3, column v: "400000-01-01 00:00:00" is not TIMESTAMP_S`,
  ]);
});
