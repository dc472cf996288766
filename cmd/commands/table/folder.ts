import { command } from "../../console/command.ts";
import { openAgnes } from "../../console/open-agnes.ts";
import { printRows } from "../../console/print-rows.ts";
import { changeFlags, changeOptions } from "./fields.ts";

export default command({
  args: {
    bucket: { type: "positional", required: false, valueHint: "BUCKET", description: "A bucket of a source" },
    folder: {
      type: "positional",
      required: false,
      valueHint: "FOLDER",
      description: "Folder of its tables for consumers; left out, the bucket has none of its own",
    },
    ...changeFlags,
  },
  examples: ["agnes table folder", "agnes table folder in.c-crm crm", "agnes table folder in.c-crm"],
  async run(cli, args) {
    await using agnes = await openAgnes(cli);
    const registry = await agnes.tables();
    const options = changeOptions(cli.name, args);
    if (args.bucket !== undefined) await registry.setFolder(args.bucket, args.folder ?? null, options);
    const folders = await registry.folders();
    if (cli.json) return await cli.printJson({ folder_mapping: folders, dryRun: options.dryRun });
    if (Object.keys(folders).length === 0) return cli.say("No bucket has a folder.");
    await printRows(cli, ["bucket", "folder"], Object.entries(folders));
  },
});
