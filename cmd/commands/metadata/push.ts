import { snakeCase } from "../../../lib/base/mod.ts";
import type { PushMetadataReport } from "../../../lib/write-back/mod.ts";
import { command } from "../../cli/command.ts";
import { plural } from "../../terminal/figures.ts";
import { printRows, textColumn } from "../../terminal/print-rows.ts";
import { openAgnes } from "../../workspace/open-agnes.ts";

export default command({
  args: {
    table: {
      type: "positional",
      required: true,
      valueHint: "TABLE",
      description: "Id or view name of a registered table",
    },
    "dry-run": { type: "boolean", description: "Run all checks, and write nothing" },
  },
  examples: [
    `agnes table update orders --column-metadata '{"amount": {"description": "Net amount in CZK"}}'`,
    "agnes metadata push orders --dry-run",
  ],
  async run(cli, args) {
    await using agnes = await openAgnes(cli);
    const report = await agnes.pushMetadata({
      table: args.table,
      dryRun: args["dry-run"] === true,
      signal: cli.signal,
    });
    if (cli.json) return await cli.printJson(snakeCase(report));
    const { changes, dryRun } = report;
    await printRows(
      cli,
      ["column", "part", dryRun ? "would be" : "is", textColumn("value"), textColumn("value before")],
      changes.map(({ column, part, outcome, value, before }) => [column, part, outcome, value, before ?? ""]),
    );
    for (const { column, part, outcome, reason } of changes)
      if (outcome === "skipped") cli.warn(`the ${part} of ${column} was skipped: ${reason ?? "no reason"}`);
    cli.info(textOf(report));
  },
});

function textOf({ source, table, changes, dryRun }: PushMetadataReport): string {
  const count = (outcome: string) => changes.filter((change) => change.outcome === outcome).length;
  const written = `${dryRun ? "would write" : "wrote"} ${plural(count("written"), "value")}`;
  const rest = (["unchanged", "skipped"] as const).flatMap((outcome) =>
    count(outcome) === 0 ? [] : [`${count(outcome)} ${outcome}`],
  );
  return `${table}, in ${source}: ${[written, ...rest].join(", ")}`;
}
