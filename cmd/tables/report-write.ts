import { storedName, toStoredFields, type TableWrite } from "../../lib/tables/mod.ts";
import type { Cli } from "../cli/cli.ts";
import type { CheckedWrite, CommandRegistry } from "./registry.ts";

/** Prints the result of a change of one table, or on a dry run the expected result, and warns if it does not fit its source. */
export async function reportWrite(cli: Cli, write: CheckedWrite, verb: string, next?: string): Promise<void> {
  await printWrite(cli, write, verb, next);
  for (const warning of await write.warnings()) cli.warn(warning);
}

/** The line that names the next command. */
export function nextStep(registry: CommandRegistry, command: string): string {
  return registry.advice(`Next: \`${command}\``).replaceAll("`", "");
}

async function printWrite(cli: Cli, write: TableWrite, verb: string, next?: string): Promise<void> {
  const { table, dryRun } = write;
  const changed = write.changed.map(storedName);
  if (cli.json) return cli.printJson({ table: toStoredFields(table), updated: changed, dry_run: dryRun });
  if (changed.length === 0) return cli.info(`${table.id} already has these settings; nothing changed.`);
  const view = table.viewName === table.name ? "" : ` as ${table.viewName}`;
  const did = dryRun ? `would have ${verb}` : verb;
  const fields = verb === "registered" ? "" : `: ${changed.join(", ")}`;
  cli.info(`${did} ${table.id}${view}${fields}${dryRun ? "" : ` (version ${table.version})`}`);
  if (!dryRun && next !== undefined) cli.info(next);
}
