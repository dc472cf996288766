import { queryModes, toStoredFields } from "../../../lib/tables/mod.ts";
import { command } from "../../cli/command.ts";
import { openAgnes } from "../../workspace/open-agnes.ts";
import { keysInUse } from "../../tables/published-keys.ts";
import { printRows } from "../../terminal/print-rows.ts";
import { choiceOf } from "../../tables/fields.ts";

export default command({
  args: {
    text: {
      type: "positional",
      required: false,
      valueHint: "TEXT",
      description: "Part of the id, view name, source's own name or description",
    },
    source: { type: "string", valueHint: "SOURCE", description: "Only tables of this source" },
    bucket: { type: "string", valueHint: "BUCKET", description: "Only tables of this bucket" },
    dataset: { type: "string", valueHint: "DATASET", description: "Only tables of this group" },
    mode: { type: "string", valueHint: queryModes.join("|"), description: "Only tables of this mode" },
  },
  examples: ["agnes table list", "agnes table list orders", "agnes table list --source crm --json"],
  async run(cli, args) {
    await using agnes = await openAgnes(cli);
    const registry = await agnes.tables();
    // Read first: with a later version, `--expect-version` would miss changes that are not in the list.
    const version = await registry.version();
    const tables = await registry.list({
      ...(args.text === undefined ? {} : { text: args.text }),
      ...(args.source === undefined ? {} : { source: args.source }),
      ...(args.bucket === undefined ? {} : { bucket: args.bucket }),
      ...(args.dataset === undefined ? {} : { dataset: args.dataset }),
      ...(args.mode === undefined ? {} : { queryMode: choiceOf(cli.name, "mode", args.mode, queryModes) }),
    });
    if (cli.json)
      return await cli.printJson({ version, tables: tables.map((table) => toStoredFields(table)) });
    if (tables.length > 0) {
      const keys = await keysInUse(agnes, tables);
      await printRows(
        cli,
        ["table", "view", "mode", "strategy", "key", "schedule", "description"],
        tables.map((table) => [
          table.id,
          table.viewName,
          table.queryMode,
          table.syncStrategy,
          keys.get(table.id)!.join(", "),
          table.syncSchedule ?? "",
          table.description,
        ]),
      );
      return;
    }
    const filters = [args.text, args.source, args.bucket, args.dataset, args.mode];
    cli.info(
      filters.some((value) => value !== undefined)
        ? "No registered table matches."
        : "Nothing is registered yet. Run `agnes table discover`, or `agnes table register SOURCE TABLE`.",
    );
  },
});
