// Run by stuck-attach.test.ts with a thread pool of a given size. Prints what queries answered, and the worst pause.
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";

import { rebuildAnalytics } from "../../lib/analytics/rebuild.ts";
import { isAgnesError } from "../../lib/base/mod.ts";
import { openDatabase } from "../../lib/duckdb/mod.ts";
import { openQuerySession } from "../../lib/query/mod.ts";
import { temporaryData, writeExtract } from "../analytics/extract-files.ts";
import { rowsOf, testServices } from "../query/published.ts";

const SOURCES = ["depot", "shop", "store"];
const { data } = await temporaryData();
const declared = (source: string) => ({
  alias: source,
  extension: "duckdb",
  url: join(data, `${source}-outside.duckdb`),
  tokenEnv: "",
});
for (const source of SOURCES) {
  const remote = declared(source);
  {
    await using database = await openDatabase({ path: remote.url });
    await using connection = await database.connect();
    await connection.run("CREATE TABLE visits AS SELECT 1 AS id");
  }
  const object = `VIEW ${source}_visits AS SELECT * FROM ${source}.main.visits`;
  await writeExtract(data, source, {
    remote,
    before: `ATTACH '${remote.url}' AS ${source} (READ_ONLY)`,
    tables: [{ name: `${source}_visits`, object, mode: "remote" }],
  });
}
await writeExtract(data, "crm", { tables: [{ name: "people", rows: "SELECT 1 AS id" }] });
await rebuildAnalytics(testServices(), {
  dataDirectory: data,
  owners: null,
  declaredRemote: async (source) => declared(source),
});
// Opening a pipe waits for a writer, as a connection does for a host that never answers.
for (const source of SOURCES) {
  rmSync(declared(source).url);
  execFileSync("mkfifo", [declared(source).url]);
}

const session = openQuerySession(testServices(), { dataDirectory: data });
const runQuery = (sql: string, timeoutMs: number, of: "code" | "message" = "code") =>
  rowsOf(session, sql, { limits: { timeoutMs } }).then(
    (rows) => JSON.stringify(rows),
    (error: unknown) => (isAgnesError(error) ? error[of] : String(error)),
  );
let pauseMs = 0;
let lastMs = performance.now();
const ticks = setInterval(() => {
  pauseMs = Math.max(pauseMs, performance.now() - lastMs);
  lastMs = performance.now();
}, 20);

const stuck: string[] = [];
const others: string[] = [];
for (const source of SOURCES) {
  stuck.push(await runQuery(`FROM ${source}_visits`, 500));
  others.push(await runQuery("FROM people", 20_000), await runQuery("SELECT 1 AS id", 20_000));
}
// One more thread is lost to a call that cannot be interrupted: too many, in a pool of two or three.
const lost = await runQuery(
  "SELECT regexp_matches(repeat('a', 99000000), repeat('(a?){0,900}', 10) || 'b')",
  500,
);
const late = [
  await runQuery("FROM people", 3000, "message"),
  await runQuery("SELECT 1 AS id", 3000, "message"),
];
clearInterval(ticks);
process.stdout.write(JSON.stringify({ stuck, others, lost, late, isResponsive: pauseMs < 2000 }));
// Removing it otherwise needs a thread of the pool.
rmSync(data, { recursive: true, force: true });
process.kill(process.pid, "SIGKILL");
