import { createHost, silentLog } from "../../lib/base/mod.ts";
import { rebuildAnalytics } from "../../lib/analytics/rebuild.ts";
import { temporaryData, writeExtract, writeRawExtract } from "./extract-files.ts";

// Started by a test, as what it starts never ends: rebuilds twice over a view that DuckDB works on for hours.

await using place = await temporaryData();
const { data } = place;
const meta = "CREATE TABLE _meta AS SELECT 't' AS table_name;";
const slow = "levenshtein(repeat('a', 1000000), repeat('b', 1000000))";
await writeExtract(data, "good", { tables: [{ name: "fine", rows: "SELECT 42 AS answer" }] });
for (const source of ["endless", "later"]) {
  // DuckDB would work on the view while it is written as well, were the function not another one for that while.
  const view = `CREATE MACRO levenshtein(a, b) AS 1; CREATE VIEW t AS SELECT * FROM repeat(${slow}, 1);`;
  await writeRawExtract(data, source, `${meta} ${view} DROP MACRO levenshtein`);
}
// Making a view of what is stored computes nothing, so these are shown all the same.
const stored =
  "CREATE TABLE _meta AS SELECT unnest(['stored', 'view']) AS table_name; CREATE TABLE stored AS SELECT 1 AS a;";
await writeRawExtract(data, "mixed", `${stored} CREATE VIEW view AS SELECT upper('a') AS a`);
await writeRawExtract(data, "plain", `${meta} CREATE TABLE t AS SELECT 1 AS a`);
const rebuild = async () => {
  const report = await rebuildAnalytics(
    { host: createHost(), log: silentLog, limits: { memoryMb: 512, threads: 2 } },
    { dataDirectory: data, owners: null, extractTimeoutMs: 2000 },
  );
  const errors = report.errors.map(({ name, code }) => `${name} ${code}`);
  return { published: report.published.map(({ id }) => id), errors };
};
process.stdout.write(JSON.stringify({ first: await rebuild(), second: await rebuild() }));
process.exit(0);
