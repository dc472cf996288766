import type { AnyPlugin, SecretKind, SecretSpec } from "../../../lib/kit/mod.ts";
import type { Cli } from "../../cli/cli.ts";
import { command } from "../../cli/command.ts";
import { openAgnes } from "../../workspace/open-agnes.ts";
import { pluginOf } from "../../connectors/plugin-of.ts";
import { optionRows } from "../../connectors/option-rows.ts";
import { writtenForm } from "../../connectors/written-form.ts";
import { printRows, textColumn } from "../../terminal/print-rows.ts";

export default command({
  args: {
    name: {
      type: "positional",
      required: true,
      valueHint: "NAME",
      description: "A plugin, or a source that uses it",
    },
  },
  examples: ["agnes connector show files"],
  async run(cli, args) {
    await using agnes = await openAgnes(cli, { optional: true });
    const plugin = pluginOf(agnes, args.name);
    const options = writtenForm(plugin.options);
    const { sourceQuery: query } = plugin;
    const sourceQuery = query && writtenForm(query);
    if (cli.json) {
      const { name, version, description, capabilities } = plugin;
      const secrets = Object.fromEntries(
        Object.entries(plugin.secrets).map(([secret, spec]) => [secret, { ...spec, kind: kindOf(spec) }]),
      );
      const errors = Object.values(plugin.errors ?? {}).map(({ code }) => code);
      return await cli.printJson({
        name,
        version,
        description,
        capabilities,
        options,
        ...(sourceQuery && { source_query: sourceQuery }),
        secrets,
        errors,
      });
    }
    await printPlugin(cli, plugin, { options, ...(sourceQuery && { sourceQuery }) });
  },
});

async function printPlugin(
  cli: Cli,
  plugin: AnyPlugin,
  { options, sourceQuery }: { readonly options: object; readonly sourceQuery?: object },
): Promise<void> {
  const { style } = cli;
  const secrets = Object.entries(plugin.secrets);
  await cli.print(`${style("bold", `${plugin.name} ${plugin.version}`)} · ${plugin.description}\n`);
  await cli.print(`\ncapabilities: ${plugin.capabilities.join(", ") || "none"}\n`);
  const rows = optionRows(options);
  await cli.print(rows.length === 0 ? "\nIt takes no options.\n" : "\n");
  if (rows.length > 0)
    await printRows(
      cli,
      ["option", textColumn("type"), textColumn("default"), textColumn("description")],
      rows,
    );
  if (sourceQuery !== undefined) {
    await cli.print("\nsource_query of materialized tables is JSON with where_filters, columns, limit");
    const fields = optionRows(sourceQuery).map(([name, type, , description]) => [name!, type!, description!]);
    await cli.print(fields.length === 0 ? ".\n" : ", and:\n\n");
    if (fields.length > 0)
      await printRows(cli, ["query field", textColumn("type"), textColumn("description")], fields);
  }
  if (secrets.length === 0) return;
  await cli.print("\n");
  await printRows(
    cli,
    ["secret", "kind", "", textColumn("description")],
    secrets.map(([name, spec]) => [
      name,
      kindOf(spec),
      spec.required === true ? "required" : "",
      spec.description,
    ]),
  );
}

function kindOf({ kind = "token" }: SecretSpec): SecretKind {
  return kind;
}
