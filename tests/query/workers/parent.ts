// Run by orphans.test.ts: opens workers, starts queries on all of them and prints their process ids; argument: a folder.
import { createAgnes } from "../../../lib/mod.ts";
import { LONG, STUCK, workersOf } from "./isolated.ts";

const workers = { count: 3 };
const config = { version: 1 as const };
const agnes = await createAgnes({
  plugins: [],
  workspace: process.argv[2]!,
  config,
  isolation: "process",
  workers,
});
await agnes.rows("SELECT 1 AS one");
while (workersOf().length < 3) await new Promise((resolve) => setTimeout(resolve, 20));
void agnes.rows(STUCK.sql, { trusted: true });
void agnes.rows(LONG);
await new Promise((resolve) => setTimeout(resolve, 1000));
process.stdout.write(`${JSON.stringify(workersOf())}\n`);
setInterval(() => {}, 1000);
