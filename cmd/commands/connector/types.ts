import { createHost } from "../../../lib/base/mod.ts";
import { openWorkspace } from "../../../lib/workspace/mod.ts";
import { command } from "../../cli/command.ts";
import { writeTypes } from "../../types/write-types.ts";

export default command({
  args: {},
  examples: ["agnes connector types"],
  async run(cli) {
    const host = createHost();
    const options = cli.workspace === undefined ? {} : { exact: cli.workspace };
    const { directory } = await openWorkspace(host, options);
    const files = await writeTypes(host.files, directory);
    if (cli.json) return cli.printJson({ files });
    for (const path of files) await cli.print(`${path}\n`);
  },
});
