/**
 * Syncs the desk and kills itself at a step: `bun events-crash-child.ts DIRECTORY STEP`. With `count`, it prints the number
 * of steps instead.
 */
import { writeSync } from "node:fs";

import { nodeFiles } from "../../lib/base/mod.ts";
import { Connection } from "../../lib/duckdb/mod.ts";
import { steppedFiles } from "../extract/stepped-files.ts";
import { crashDesk, openDesk } from "./pushing.ts";

const [directory, mode] = process.argv.slice(2) as [string, string];

let step = 0;
function atStep(): void {
  step += 1;
  if (step === Number(mode)) process.kill(process.pid, "SIGKILL");
}

/** The statements that write, in addition to file operations. */
const WRITES = /^\s*(BEGIN|COPY|CREATE VIEW|CHECKPOINT)/;
for (const name of ["run", "rows"] as const) {
  const original = Connection.prototype[name] as (sql: string, options?: object) => Promise<never>;
  Connection.prototype[name] = function (this: Connection, sql: string, options?: object) {
    if (WRITES.test(sql)) atStep();
    return original.call(this, sql, options);
  };
}

const files = steppedFiles(nodeFiles(), atStep);
await using agnes = await openDesk(directory, crashDesk(), ["discover", "read", "stream"], {
  host: { files },
});
const { status } = await agnes.sync();
if (mode === "count") writeSync(1, `${status} ${step}\n`);
