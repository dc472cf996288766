import { createHost, isAgnesError } from "../../lib/base/mod.ts";
import { copyAdvice, readCopyState } from "../../lib/workspace/mod.ts";
import type { Cli } from "../cli/cli.ts";
import { command } from "../cli/command.ts";
import { countText, sizeText } from "../terminal/figures.ts";
import { openAgnes } from "../workspace/open-agnes.ts";
import { serverCatalog, type CatalogEntry } from "../server/catalog.ts";
import { serverArgs, serverOf } from "../server/server-args.ts";
import { printRows, textColumn } from "../terminal/print-rows.ts";
import { catalogJson } from "../server/catalog-json.ts";

export default command({
  args: serverArgs,
  examples: ["agnes catalog", "agnes catalog --json", "agnes catalog --server https://agnes.example.com"],
  async run(cli, args) {
    const server = serverOf(cli, args.server);
    const empty = "Nothing is published yet. Run `agnes sync`.";
    const { tables, nothing } =
      server === undefined
        ? await localCatalog(cli, empty)
        : { tables: await serverCatalog(server), nothing: server.advice(empty) };
    if (cli.json) return cli.printJson({ tables: tables.map(catalogJson) });
    if (tables.length === 0) return cli.info(nothing);
    const hasRemote = tables.some(({ freshness }) => freshness !== null);
    await printRows(
      cli,
      [
        "table",
        { name: "from", leftOut: 6 },
        { name: "rows", align: "right", leftOut: 8 },
        { name: "size", align: "right", leftOut: 2 },
        { name: "mode", leftOut: 3 },
        { name: "extracted", leftOut: 7 },
        { name: "checked", leftOut: 1 },
        { name: "status", leftOut: 9 },
        ...(hasRemote ? [{ name: "figures", leftOut: 5 }] : []),
        textColumn("description", 4),
      ],
      tables.map((table) => [
        table.name,
        table.id,
        table.rows === null ? null : countText(Number(table.rows)),
        table.sizeBytes === null ? null : sizeText(Number(table.sizeBytes)),
        table.mode,
        table.extractedAt,
        table.checkedAt ?? "",
        table.status ?? "",
        ...(hasRemote ? [table.freshness] : []),
        table.description,
      ]),
    );
  },
});

/** The tables of the workspace, and the text if there are none. */
async function localCatalog(
  cli: Cli,
  empty: string,
): Promise<{ readonly tables: readonly CatalogEntry[]; readonly nothing: string }> {
  await using agnes = await openAgnes(cli);
  const entries = await agnes.catalog();
  const statuses = await agnes.syncStatus().catch((error: unknown) => {
    if (!isAgnesError(error)) throw error;
    cli.warn(`the state of the syncs is unknown: ${error.message}`);
    return [];
  });
  const syncs = new Map(statuses.map((status) => [status.id, status]));
  const { config } = agnes.workspace;
  const state = await readCopyState(createHost(), agnes.workspace.dataDirectory);
  const pulled = new Set(state?.sources);
  const tables = entries.map((entry) => {
    const sync = syncs.get(entry.id);
    const attemptedAt = sync?.attemptedAt?.toISOString() ?? null;
    // Copied tables are never synced here.
    return { ...entry, attemptedAt, status: pulled.has(entry.source) ? null : (sync?.status ?? null) };
  });
  return { tables, nothing: copyAdvice(empty, config) };
}
