import { join, resolve } from "node:path";

import { AgnesError, createHost, type Host } from "../../lib/base/mod.ts";
import { CONFIG_FILE } from "../../lib/workspace/mod.ts";
import type { Cli } from "../console/cli.ts";
import { command } from "../console/command.ts";
import { openAgnes } from "../console/open-agnes.ts";
import { printAnswer } from "../console/print-answer.ts";
import { runSync } from "../console/run-sync.ts";
import { demoFiles, demoQueries } from "../demo/demo-files.ts";
import { writeWorkspace } from "../workspace/write-workspace.ts";

export default command({
  args: {
    dir: {
      type: "positional",
      required: false,
      default: "agnes-demo",
      valueHint: "DIR",
      description: "Folder for the workspace of the demo; made when absent",
    },
  },
  examples: ["agnes demo", "agnes demo try-it"],
  async run(cli, args) {
    const directory = resolve(cli.workspace ?? args.dir);
    await makeDemo(createHost(), directory);
    cli.say(`Public data of the government of the United States is in ${join(directory, "exports")}.\n`);
    await using agnes = await openAgnes(cli, { workspace: directory, quietLog: true });
    const status = await runSync(cli, agnes, { only: [], full: false });
    if (status !== 0) return status;
    cli.say(`\nFrom which airports did the most flights start in 2008, and to how many others?\n`);
    cli.say(indented(demoQueries.airports));
    cli.say("");
    const answer = await agnes.query(demoQueries.airports, { signal: cli.signal });
    await printAnswer(cli, answer, { format: cli.json ? "json" : "table" });
    sayNext(cli, args.dir);
    return 0;
  },
});

/** Writes the demo, or finds it as an earlier run left it; any other workspace is refused. */
async function makeDemo(host: Host, directory: string): Promise<void> {
  const files = await demoFiles();
  const path = join(directory, CONFIG_FILE);
  const there = await host.files.read(path);
  if (there === null) await writeWorkspace(host, directory, files, []);
  else if (new TextDecoder().decode(there) !== files[CONFIG_FILE])
    throw new AgnesError("workspace_exists", { path });
}

function sayNext(cli: Cli, directory: string): void {
  const birds = demoQueries.birds.replaceAll("\n", " ").replaceAll('"', '\\"');
  cli.say(
    [
      "",
      "What to try next:",
      `  cd ${directory}`,
      "  agnes catalog",
      "  agnes sample bird_strikes",
      `  agnes query "${birds}"`,
      '  agnes query "SELECT * FROM routes" --format parquet --output routes.parquet',
      "  put another CSV, JSON or Parquet file into exports/, and: agnes sync",
    ].join("\n"),
  );
}

function indented(text: string): string {
  return text.replace(/^/gm, "  ");
}
