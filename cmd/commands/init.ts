import { join } from "node:path";

import { createHost } from "../../lib/base/mod.ts";
import { command } from "../cli/command.ts";
import { typedFor } from "../cli/typed.ts";
import { writeWorkspace } from "../workspace/write-workspace.ts";
import { initFiles } from "../workspace/template.ts";

export default command({
  args: {
    dir: {
      type: "positional",
      required: false,
      default: ".",
      valueHint: "DIR",
      description: "Folder for the workspace; created if it does not exist",
    },
  },
  examples: ["agnes init", "agnes init analytics"],
  async run(cli, args) {
    const host = createHost();
    const directory = cli.workspace ?? args.dir;
    const { root, kept } = await writeWorkspace(host, directory, initFiles(), ["plugins", "exports"]);
    for (const path of kept) cli.warn(`${path} already exists and was not changed`);
    if (cli.json) return cli.printJson({ directory: root });
    const typed = typedFor(directory);
    cli.info(`Created a workspace in ${root}.\n`);
    cli.box("Next steps", [
      `add a CSV, JSON or Parquet file to ${join(directory, "exports")}`,
      typed("sync"),
      typed("catalog"),
      `${typed("connector list")}   lists the available connectors`,
    ]);
  },
});
