import type { CheckedEntry } from "../../lib/query/mod.ts";
import type { Cli } from "../cli/cli.ts";
import { command } from "../cli/command.ts";
import { countText, sizeText } from "../terminal/figures.ts";
import { openAgnes } from "../workspace/open-agnes.ts";
import { serverCatalog } from "../server/catalog.ts";
import { serverArgs, serverOf } from "../server/server-args.ts";
import { printRows } from "../terminal/print-rows.ts";

export default command({
  args: serverArgs,
  examples: ["agnes catalog", "agnes catalog --json", "agnes catalog --server https://agnes.example.com"],
  async run(cli, args) {
    const server = serverOf(cli, args.server);
    const tables = server === undefined ? await localCatalog(cli) : await serverCatalog(server);
    if (cli.json) return cli.printJson({ tables });
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

async function localCatalog(cli: Cli): Promise<readonly CheckedEntry[]> {
  await using agnes = await openAgnes(cli);
  return await agnes.catalog();
}
