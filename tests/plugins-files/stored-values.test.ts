import { expect, test } from "bun:test";

import { makeFolder } from "./support.ts";
import { syncFolder } from "./sync-folder.ts";

const LONG = "1".repeat(39);
const FITS = "9".repeat(38);

test("a HUGEINT that a part cannot store is an error with its position, or quarantined", async () => {
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

test("a TIMESTAMP_S that a part cannot store is an error with its position", async () => {
  await using folder = await makeFolder();
  await folder.write("data/c.csv", "id,v\n1,2026-01-31 10:00:00\n2,400000-01-01 00:00:00\n");
  const tables = { c: { types: { v: "TIMESTAMP_S" } } };
  const { errors } = await syncFolder(folder, { path: "data", tables });
  expect(errors.map(({ error }) => error.message)).toEqual([
    `"c.csv", line 3, column v: "400000-01-01 00:00:00" is not TIMESTAMP_S`,
  ]);
});

test("a value that a DuckDB type would truncate is an error in CSV, NDJSON and Parquet, or quarantined", async () => {
  await using folder = await makeFolder();
  const values = { t: "10:00:00", u: null, z: "10:00:00+02", b: "101" };
  const rows = Array.from({ length: 40 }, () => values);
  const bad = { ...values, z: "10:00:00.1234567+02" };
  const lines = [...rows, bad].map((row) => Object.values(row).join(","));
  await folder.write("data/c.csv", `t,u,z,b\n${lines.join("\n")}\n`);
  const objects = [...rows, bad].map((row) => JSON.stringify(row));
  await folder.write("data/j.ndjson", `${objects.join("\n")}\n`);
  await folder.sql("COPY (FROM '@/data/j.ndjson') TO '@/data/p.parquet'");
  await folder.write("data/u.csv", "u\n1\n");
  const types = { t: "TIME", u: "UNION(n INTEGER)", z: "TIMETZ", b: "BIT" };
  const tables = { c: { types }, j: { types }, p: { types }, u: { types: { u: types.u } } };
  const { errors } = await syncFolder(folder, { path: "data", tables });
  const value = 'column z: "10:00:00.1234567+02" is not TIME WITH TIME ZONE';
  expect(errors.map(({ error }) => error.message)).toEqual([
    `"c.csv", line 42, ${value}`,
    `"j.ndjson", line 41, ${value}`,
    `"p.parquet", ${value}`,
    '"u.csv", line 2, column u: "1" is not UNION(n INTEGER)',
  ]);
  const kept = await syncFolder(folder, { path: "data", tables }, { plan: { quarantine: true } });
  expect(kept.tables.slice(0, 3).map(({ rows: left, rowsQuarantined }) => [left, rowsQuarantined])).toEqual([
    [40, 1],
    [40, 1],
    [40, 1],
  ]);
});
