import { AgnesError, formatValue } from "../../../lib/base/mod.ts";
import { command } from "../../cli/command.ts";
import { openRegistry } from "../../server/open-registry.ts";
import { serverArgs } from "../../server/server-args.ts";
import { printRows } from "../../terminal/print-rows.ts";
import { registryChangeFlags, changeOptions } from "../../tables/fields.ts";

export default command({
  args: {
    ...serverArgs,
    bucket: { type: "positional", required: false, valueHint: "BUCKET", description: "A bucket of a source" },
    folder: {
      type: "positional",
      required: false,
      valueHint: "FOLDER",
      description: "Folder for its tables; default: show the current folder",
    },
    clear: { type: "boolean", description: "Remove the folder of the bucket" },
    ...registryChangeFlags,
  },
  examples: ["agnes table folder", "agnes table folder in.c-crm crm", "agnes table folder in.c-crm --clear"],
  async run(cli, args) {
    const { bucket, folder = null } = args;
    const options = changeOptions(cli.name, args);
    if (args.clear === true && (bucket === undefined || folder !== null)) {
      throw new AgnesError("usage_wrong", { command: cli.name, reason: "--clear needs a bucket alone" });
    }
    await using registry = await openRegistry(cli, args.server);
    if (bucket !== undefined && (folder !== null || args.clear === true)) {
      const { before, changed } = await registry.setFolder(bucket, folder, options);
      if (cli.json) return await cli.printJson({ bucket, folder, before, changed, dry_run: options.dryRun });
      if (folder !== null && (await registry.list({ bucket })).tables.length === 0)
        cli.warn(`no registered table has the bucket ${bucket}, so nothing is in its folder`);
      if (!changed) return cli.info(`${bucket} already has this setting; nothing changed.`);
      const did = options.dryRun ? "would have " : "";
      return cli.info(
        folder === null ? `${did}cleared the folder of ${bucket}` : `${did}set ${folder} for ${bucket}`,
      );
    }
    const { version, folders: all } = await registry.folders();
    if (
      bucket !== undefined &&
      !Object.hasOwn(all, bucket) &&
      (await registry.list({ bucket })).tables.length === 0
    )
      throw unknownBucket(
        cli.name,
        bucket,
        registry.advice("`agnes table folder` lists the buckets that have a folder."),
      );
    const folders = Object.entries(all).filter(([name]) => bucket === undefined || name === bucket);
    if (cli.json) return await cli.printJson({ version, folder_mapping: Object.fromEntries(folders) });
    if (folders.length > 0) return await printRows(cli, ["bucket", "folder"], folders);
    const subject = bucket === undefined ? "No bucket has a folder." : `${bucket} has no folder.`;
    cli.info(
      `${subject} ${registry.advice(`\`agnes table folder ${bucket ?? "BUCKET"} FOLDER\` sets one.`)}`,
    );
  },
});

function unknownBucket(command: string, bucket: string, next: string): AgnesError {
  const reason = `no registered table has the bucket ${formatValue(bucket)}, and it has no folder`;
  return new AgnesError("usage_wrong", { command, reason, next });
}
