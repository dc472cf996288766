import { command } from "../../cli/command.ts";
import { openAgnes } from "../../workspace/open-agnes.ts";
import { partStatus } from "../../cli/exit-status.ts";
import { printRows, textColumn } from "../../terminal/print-rows.ts";

export default command({
  args: {},
  examples: ["agnes connector list", "agnes connector list --json"],
  async run(cli) {
    await using agnes = await openAgnes(cli, { optional: true });
    const sources = Object.entries(agnes.workspace.config.sources ?? {});
    const plugins = agnes.plugins.list().map((plugin) => ({
      name: plugin.name,
      version: plugin.version,
      capabilities: plugin.capabilities,
      sources: sources.filter(([, source]) => source.plugin === plugin.name).map(([name]) => name),
      description: plugin.description,
    }));
    const failures = agnes.plugins.failures().map(({ file, error }) => ({ file, ...error.toJSON() }));
    const status = partStatus(
      plugins.length,
      agnes.plugins.failures().map(({ error }) => error),
    );
    if (cli.json) {
      await cli.printJson({ plugins, failures });
      return status;
    }
    await printRows(
      cli,
      ["plugin", "version", textColumn("capabilities"), textColumn("sources"), textColumn("description", 1)],
      plugins.map((plugin) => [
        plugin.name,
        plugin.version,
        plugin.capabilities.join(" "),
        plugin.sources.join(" "),
        plugin.description,
      ]),
    );
    for (const { file, error } of agnes.plugins.failures()) cli.error(error, file);
    return status;
  },
});
