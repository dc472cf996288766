/** A process that pulls until it is killed: `bun kill-child.ts FOLDER SERVER TOKEN`. Prints `done` at its end. */
import { createAgnes } from "../../lib/create-agnes.ts";

const [, , workspace, server, token] = process.argv as [string, string, string, string, string];
await using copy = await createAgnes({ plugins: [], workspace, config: { version: 1 } });
const { status, tables } = await copy.pull({ server, token });
process.stdout.write(`done ${status}\n`);
for (const { id, error } of tables) if (error !== undefined) process.stderr.write(`${id} ${error.message}\n`);
