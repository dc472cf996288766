import { createHost, silentLog } from "../../lib/base/mod.ts";
import { rebuildAnalytics } from "../../lib/analytics/mod.ts";
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
const rebuild = async () => {
  const report = await rebuildAnalytics(
    { host: createHost(), log: silentLog, limits: { memoryMb: 512, threads: 2 } },
    { dataDirectory: data, owners: null, extractTimeoutMs: 2000 },
  );
  const code = (name: string) => report.errors.find((error) => error.name === name)?.code;
  return { published: report.published.map(({ id }) => id), endless: code("endless"), later: code("later") };
};
process.stdout.write(JSON.stringify({ first: await rebuild(), second: await rebuild() }));
process.exit(0);
