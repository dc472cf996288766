import { storedName, toStoredFields, type TableWrite } from "../../lib/tables/mod.ts";
import type { Cli } from "../cli/cli.ts";

/** Prints the result of a change of one table, or on a dry run the expected result. */
export async function reportWrite(cli: Cli, write: TableWrite, verb: string, next?: string): Promise<void> {
  const { table, dryRun } = write;
  const changed = write.changed.map(storedName);
  if (cli.json) return cli.printJson({ table: toStoredFields(table), changed, dryRun });
  if (changed.length === 0) return cli.info(`${table.id} already has these settings; nothing changed.`);
  const view = table.viewName === table.name ? "" : ` as ${table.viewName}`;
  const did = dryRun ? `would have ${verb}` : verb;
  const fields = verb === "registered" ? "" : `: ${changed.join(", ")}`;
  cli.info(`${did} ${table.id}${view}${fields}${dryRun ? "" : ` (version ${table.version})`}`);
  if (!dryRun && next !== undefined) cli.info(`Next: ${next}`);
}
