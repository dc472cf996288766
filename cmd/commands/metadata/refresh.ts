import { snakeCase } from "../../../lib/base/mod.ts";
import type { Agnes } from "../../../lib/agnes.ts";
import type { Cli } from "../../cli/cli.ts";
import { command } from "../../cli/command.ts";
import { partStatus, type ExitStatus } from "../../cli/exit-status.ts";
import { countText, durationText, plural, sizeText } from "../../terminal/figures.ts";
import { openAgnes } from "../../workspace/open-agnes.ts";
import { refreshJson } from "../../results/metadata-json.ts";

export default command({
  args: {
    table: {
      type: "positional",
      required: false,
      valueHint: "TABLE",
      description: "Id or view name of a remote table; default: all remote tables",
    },
  },
  examples: ["agnes metadata refresh", "agnes metadata refresh orders"],
  async run(cli, args) {
    await using agnes = await openAgnes(cli);
    return await (args.table === undefined ? refreshAll(cli, agnes) : refreshOne(cli, agnes, args.table));
  },
});

async function refreshAll(cli: Cli, agnes: Agnes): Promise<ExitStatus> {
  const report = await agnes.metadata.refresh({ signal: cli.signal });
  const { total, succeeded, noData, failed, failures, durationMs } = report;
  if (cli.json) await cli.printJson(snakeCase(report));
  for (const { table, message } of failures) cli.warn(`${table}: ${message}`);
  if (!cli.json) {
    const parts = [
      `refreshed the metadata of ${countText(succeeded)} of ${plural(total, "remote table")}`,
      ...(noData > 0 ? [`${countText(noData)} unknown to their sources`] : []),
      ...(failed > 0 ? [`${countText(failed)} failed`] : []),
      durationText(durationMs),
    ];
    cli.info(parts.join(", "));
  }
  return partStatus(total - failed, failures, agnes.plugins.list());
}

async function refreshOne(cli: Cli, agnes: Agnes, table: string): Promise<ExitStatus> {
  const result = await agnes.metadata.refreshTable(table, { signal: cli.signal });
  if (cli.json) await cli.printJson(refreshJson(result));
  const { error, metadata, status } = result;
  if (error !== null) cli.warn(`${result.table}: ${error.message}`);
  else if (!cli.json) {
    const figures = [
      ...(metadata?.rows == null ? [] : [plural(metadata.rows, "row")]),
      ...(metadata?.sizeBytes == null ? [] : [sizeText(metadata.sizeBytes)]),
      ...(metadata?.columnCount == null ? [] : [plural(metadata.columnCount, "column")]),
    ];
    const found = figures.join(", ") || "no figures";
    cli.info(`${result.table}: ${status === "ok" ? found : "its source does not know it"}`);
  }
  return error === null ? 0 : partStatus(0, [error], agnes.plugins.list());
}
