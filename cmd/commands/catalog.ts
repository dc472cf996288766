import { command } from "../cli/command.ts";
import { countText, sizeText } from "../terminal/figures.ts";
import { openAgnes } from "../workspace/open-agnes.ts";
import { printRows } from "../terminal/print-rows.ts";

export default command({
  args: {},
  examples: ["agnes catalog", "agnes catalog --json"],
  async run(cli) {
    await using agnes = await openAgnes(cli);
    const tables = await agnes.catalog();
    if (cli.json) return await cli.printJson({ tables });
    if (tables.length === 0) return cli.info("Nothing is published yet. Run `agnes sync`.");
    await printRows(
      cli,
      [
        "table",
        "from",
        { name: "rows", align: "right" },
        { name: "size", align: "right" },
        "mode",
        "extracted",
        "checked",
        "description",
      ],
      tables.map((table) => [
        table.name,
        table.id,
        table.rows === null ? null : countText(Number(table.rows)),
        table.sizeBytes === null ? null : sizeText(Number(table.sizeBytes)),
        table.mode,
        table.extractedAt,
        table.checkedAt,
        table.description,
      ]),
    );
  },
});
