import type { TableWrite } from "../../lib/tables/mod.ts";
import type { Cli } from "../cli/cli.ts";

/** Tells what a change of one table did, or would do. */
export async function reportWrite(cli: Cli, write: TableWrite, word: string, next?: string): Promise<void> {
  if (cli.json) return cli.printJson(write);
  const { table, changed, dryRun } = write;
  if (changed.length === 0) return cli.info(`${table.id} is so already; nothing changed.`);
  const view = table.view_name === table.name ? "" : ` as ${table.view_name}`;
  const did = dryRun ? `would have ${word}` : word;
  const fields = word === "registered" ? "" : `: ${changed.join(", ")}`;
  cli.info(`${did} ${table.id}${view}${fields}${dryRun ? "" : ` (version ${table.version})`}`);
  if (!dryRun && next !== undefined) cli.info(`Next: ${next}`);
}
