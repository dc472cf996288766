import { storedTimelineEntry, type TimelineOptions } from "../../lib/sync/mod.ts";
import { copyAdvice } from "../../lib/workspace/mod.ts";
import { command } from "../cli/command.ts";
import { wholeNumber } from "../cli/strict-args.ts";
import { knownSource } from "../tables/known-source.ts";
import { printRows, textColumn } from "../terminal/print-rows.ts";
import { openAgnes } from "../workspace/open-agnes.ts";

export default command({
  args: {
    table: {
      type: "positional",
      required: false,
      valueHint: "TABLE",
      description: "Only the events of this table, by its id or view name; default: all tables",
    },
    source: { type: "string", valueHint: "SOURCE", description: "Only the events of this source" },
    limit: {
      type: "string",
      default: "20",
      valueHint: "N",
      description: "Maximum number of events, newest first, at most 1000",
    },
    before: {
      type: "string",
      valueHint: "NEXT",
      description: "Only older events: `next` of the last page, as --json prints it",
    },
  },
  examples: ["agnes timeline", "agnes timeline orders --limit 5", "agnes timeline --source crm --json"],
  async run(cli, args) {
    await using agnes = await openAgnes(cli);
    const { table, source, before } = args;
    if (source !== undefined) knownSource(agnes.workspace, source);
    const options: TimelineOptions = {
      limit: wholeNumber(cli.name, "--limit", args.limit)!,
      ...(table !== undefined && { table }),
      ...(source !== undefined && { source }),
      ...(before !== undefined && { before }),
    };
    const { entries, next } = await agnes.timeline(options);
    if (cli.json) return await cli.printJson({ entries: entries.map(storedTimelineEntry), next });
    if (entries.length === 0)
      return cli.info(copyAdvice("Nothing has happened yet. Run `agnes sync`.", agnes.workspace.config));
    await printRows(
      cli,
      ["when", "what", "of", textColumn("summary"), { name: "by", leftOut: 1 }],
      entries.map(({ at, kind, table: id, source: of, summary, actor }) => [
        at.toISOString(),
        kind.replace("_", " "),
        id ?? of ?? "",
        summary,
        actor ?? (kind === "rollback" ? "unknown" : ""),
      ]),
    );
    for (const { runId, error } of entries)
      if (error !== null)
        cli.warn(`${runId}: ${error.message}${error.hint === "" ? "" : `\n  ${error.hint}`}`);
    if (next !== null) cli.info(`There are older events: \`--limit\` shows more of them.`);
    return undefined;
  },
});
