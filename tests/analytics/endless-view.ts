import { createHost, silentLog } from "../../lib/base/mod.ts";
import { rebuildAnalytics } from "../../lib/analytics/rebuild.ts";
import { temporaryData, writeExtract, writeRawExtract } from "./extract-files.ts";

// Run in a child process, because it never ends: rebuilds twice over a view that takes DuckDB hours to create.

await using place = await temporaryData();
const { data } = place;
const meta = "CREATE TABLE _meta AS SELECT 't' AS table_name;";
const slow = "levenshtein(repeat('a', 1000000), repeat('b', 1000000))";
await writeExtract(data, "good", { tables: [{ name: "fine", rows: "SELECT 42 AS answer" }] });
for (const source of ["endless", "later"]) {
  // A harmless function replaces the slow one while the view is written.
  const view = `CREATE MACRO levenshtein(a, b) AS 1; CREATE VIEW t AS SELECT * FROM repeat(${slow}, 1);`;
  await writeRawExtract(data, source, `${meta} ${view} DROP MACRO levenshtein`);
}
// Creating a view of stored tables evaluates nothing, so these are published.
const stored =
  "CREATE TABLE _meta AS SELECT unnest(['stored', 'view']) AS table_name; CREATE TABLE stored AS SELECT 1 AS a;";
await writeRawExtract(data, "mixed", `${stored} CREATE VIEW view AS SELECT upper('a') AS a`);
await writeRawExtract(data, "plain", `${meta} CREATE TABLE t AS SELECT 1 AS a`);
const rebuild = async () => {
  const report = await rebuildAnalytics(
    { host: createHost(), log: silentLog, limits: { memoryMb: 512, threads: 2 } },
    { dataDirectory: data, owners: null, extractTimeoutMs: 5000 },
  );
  const errors = report.errors.map(({ name, code }) => `${name} ${code}`);
  return { published: report.published.map(({ id }) => id), errors };
};
process.stdout.write(JSON.stringify({ first: await rebuild(), second: await rebuild() }));
process.exit(0);
