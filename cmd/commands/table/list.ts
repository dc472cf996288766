import { queryModes, toStoredFields, type RegisteredTable } from "../../../lib/tables/mod.ts";
import { command } from "../../cli/command.ts";
import { openRegistry } from "../../server/open-registry.ts";
import { serverArgs } from "../../server/server-args.ts";
import { printRows, textColumn } from "../../terminal/print-rows.ts";
import { choiceOf } from "../../tables/fields.ts";

export default command({
  args: {
    ...serverArgs,
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
    await using registry = await openRegistry(cli, args.server);
    const {
      version,
      tables,
      keys: keysOf,
    } = await registry.list({
      ...(args.text === undefined ? {} : { text: args.text }),
      ...(args.source === undefined ? {} : { source: args.source }),
      ...(args.bucket === undefined ? {} : { bucket: args.bucket }),
      ...(args.dataset === undefined ? {} : { dataset: args.dataset }),
      ...(args.mode === undefined ? {} : { queryMode: choiceOf(cli.name, "--mode", args.mode, queryModes) }),
    });
    if (cli.json)
      return await cli.printJson({ version, tables: tables.map((table) => toStoredFields(table)) });
    if (tables.length > 0) {
      const keys = await keysOf();
      await printRows(
        cli,
        [
          "table",
          { name: "view", leftOut: 4 },
          { name: "mode", leftOut: 2 },
          { name: "strategy", leftOut: 1 },
          textColumn("key", 5),
          textColumn("schedule", 6),
          textColumn("description", 3),
        ],
        tables.map((table) => [
          table.id,
          table.viewName,
          table.queryMode,
          table.syncStrategy,
          keys.get(table.id)!.join(", "),
          scheduleText(table),
          table.description,
        ]),
      );
      return;
    }
    const filters = [args.text, args.source, args.bucket, args.dataset, args.mode];
    const next =
      "Nothing is registered yet. Run `agnes table discover`, or `agnes table register SOURCE TABLE`.";
    cli.info(
      filters.some((value) => value !== undefined) ? "No registered table matches." : registry.advice(next),
    );
  },
});

function scheduleText({ syncSchedule, syncPaused }: RegisteredTable): string {
  return [syncSchedule ?? [], syncPaused ? "paused" : []].flat().join(", ");
}
