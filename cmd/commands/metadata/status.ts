import { command } from "../../cli/command.ts";
import { countText, sizeText } from "../../terminal/figures.ts";
import { printRows, textColumn } from "../../terminal/print-rows.ts";
import { openAgnes } from "../../workspace/open-agnes.ts";
import { metadataStatusJson } from "../../results/metadata-json.ts";

export default command({
  args: {},
  examples: ["agnes metadata status", "agnes metadata status --json"],
  async run(cli) {
    await using agnes = await openAgnes(cli);
    const status = await agnes.metadata.status();
    if (cli.json) return await cli.printJson(metadataStatusJson(status));
    const { tables } = status;
    if (tables.length === 0) return cli.info("No table is registered with the mode remote.");
    await printRows(
      cli,
      [
        "table",
        textColumn("state"),
        { name: "rows", align: "right" },
        { name: "size", align: "right", leftOut: 2 },
        { name: "type", leftOut: 1 },
        "refreshed",
        textColumn("last error"),
      ],
      tables.map(({ table, freshness, canRefresh, metadata, refreshedAt, noDataAt, lastError }) => [
        table,
        canRefresh ? freshness : `${freshness}, its plugin reports no metadata`,
        metadata?.rows == null ? null : countText(metadata.rows),
        metadata?.sizeBytes == null ? null : sizeText(metadata.sizeBytes),
        metadata?.entityType ?? null,
        refreshedAt,
        lastError?.message ?? (noDataAt === null ? null : `its source does not know it, ${noDataAt}`),
      ]),
    );
    if (tables.some(({ freshness, canRefresh }) => canRefresh && freshness !== "fresh"))
      cli.info("`agnes metadata refresh` requests the metadata of all remote tables.");
  },
});
