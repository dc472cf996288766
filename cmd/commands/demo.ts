import { join, resolve } from "node:path";

import { AgnesError, createHost, shellQuoted, type Host } from "../../lib/base/mod.ts";
import { CONFIG_FILE } from "../../lib/workspace/mod.ts";
import type { Cli } from "../cli/cli.ts";
import { command } from "../cli/command.ts";
import { openAgnes } from "../workspace/open-agnes.ts";
import { printResult } from "../results/print-result.ts";
import { runSync } from "../sync/run-sync.ts";
import { typedFor } from "../cli/typed.ts";
import { demoFiles, demoQueries } from "../demo/demo-files.ts";
import { writeWorkspace } from "../workspace/write-workspace.ts";

export default command({
  args: {
    dir: {
      type: "positional",
      required: false,
      default: "agnes-demo",
      valueHint: "DIR",
      description: "Folder for the demo workspace; created if it does not exist",
    },
  },
  examples: ["agnes demo", "agnes demo try-it"],
  async run(cli, args) {
    const directory = resolve(cli.workspace ?? args.dir);
    await makeDemo(createHost(), directory);
    cli.info(`Public data of the United States government is in ${join(directory, "exports")}.\n`);
    await using agnes = await openAgnes(cli, { workspace: directory, quietLog: "connectors" });
    const status = await runSync(cli, agnes, { only: [], full: false });
    if (status !== 0) return status;
    cli.info(`\nFrom which airports did the most flights start in 2008, and to how many others?\n`);
    cli.info(indented(demoQueries.airports));
    cli.info("");
    const result = await agnes.query(demoQueries.airports, { signal: cli.signal });
    await printResult(cli, result, { format: cli.json ? "json" : "table" });
    suggestNext(cli, cli.workspace ?? args.dir);
    return 0;
  },
});

/** Writes the demo, or reuses it from an earlier run. Any other workspace is refused. */
async function makeDemo(host: Host, directory: string): Promise<void> {
  const files = await demoFiles();
  const path = join(directory, CONFIG_FILE);
  const there = await host.files.read(path);
  if (there === null) await writeWorkspace(host, directory, files, []);
  else if (new TextDecoder().decode(there) !== files[CONFIG_FILE])
    throw new AgnesError("workspace_exists", { path });
}

function suggestNext(cli: Cli, directory: string): void {
  const typed = typedFor(directory);
  const birds = demoQueries.birds.replaceAll("\n", " ").replaceAll('"', '\\"');
  const routes = join(resolve(directory), "routes.parquet");
  cli.info("");
  cli.box("Next steps", [
    typed("catalog"),
    typed("sample bird_strikes"),
    typed(`query "${birds}"`),
    typed(`query "SELECT * FROM routes" --output ${shellQuoted(routes)}`),
    `add a CSV, JSON or Parquet file to ${join(directory, "exports")}, then run ${typed("sync")}`,
  ]);
}

function indented(text: string): string {
  return text.replace(/^/gm, "  ");
}
