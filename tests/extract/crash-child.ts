/**
 * A process that is killed at a step: `bun crash-child.ts DIRECTORY WORK MODE`.
 *
 * MODE is the number of the step at which it kills itself, `count` to print the number of steps, or `forever` to repeat
 * the work until it is killed: it prints `ready`, waits for a line, and prints `done` after each repetition.
 */
import { writeSync } from "node:fs";

import { isAgnesError, nodeFiles } from "../../lib/base/mod.ts";
import { Connection } from "../../lib/duckdb/mod.ts";
import { works, type WorkName } from "./crash-workload.ts";
import { steppedFiles } from "./stepped-files.ts";

const [directory, work, mode] = process.argv.slice(2) as [string, WorkName, string];
const run = works[work];

/** The statements that write, in addition to file operations. */
const WRITES = /^\s*(BEGIN|COPY|CREATE VIEW|CHECKPOINT)/;

let step = 0;
function atStep(): void {
  step += 1;
  if (step === Number(mode)) process.kill(process.pid, "SIGKILL");
}

for (const name of ["run", "rows"] as const) {
  const original = Connection.prototype[name] as (sql: string, options?: object) => Promise<never>;
  Connection.prototype[name] = function (this: Connection, sql: string, options?: object) {
    if (WRITES.test(sql)) atStep();
    return original.call(this, sql, options);
  };
}

try {
  if (mode === "forever") {
    writeSync(1, "ready\n");
    await new Promise((resolve) => process.stdin.once("data", resolve));
    for (;;) {
      await run(directory);
      writeSync(1, "done\n");
    }
  }
  await run(directory, steppedFiles(nodeFiles(), atStep));
  if (mode === "count") writeSync(1, `${step}\n`);
} catch (error) {
  writeSync(2, `${isAgnesError(error) ? error.code : String(error)}\n`);
  process.exit(7);
}
