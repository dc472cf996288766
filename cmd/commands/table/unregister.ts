import { AgnesError, snakeCase } from "../../../lib/base/mod.ts";
import { command } from "../../cli/command.ts";
import { checkTableName } from "../../cli/table-name.ts";
import { openRegistry } from "../../server/open-registry.ts";
import { serverArgs } from "../../server/server-args.ts";
import { printRows } from "../../terminal/print-rows.ts";
import { changeFlags, changeOptions } from "../../tables/fields.ts";
import { toStoredFields } from "../../../lib/tables/mod.ts";

export default command({
  args: {
    ...serverArgs,
    table: {
      type: "positional",
      required: true,
      valueHint: "TABLE",
      description: "Id or view name of a table",
    },
    yes: { type: "boolean", alias: "y", description: "Do not ask for confirmation on a terminal" },
    ...changeFlags,
  },
  examples: ["agnes table unregister crm.orders --dry-run", "agnes table unregister crm.orders"],
  async run(cli, args) {
    checkTableName(cli, args.table);
    await using registry = await openRegistry(cli, args.server);
    const { table, isPublished } = await registry.show(args.table);
    const { id } = table;
    const options = changeOptions(cli.name, args);
    const isAsked = !options.dryRun && args.yes !== true;
    if (isAsked && !(await cli.confirm(`Unregister ${id} and remove its published data?`)))
      throw declined(cli.name, id);
    const done = await registry.unregister(table, options);
    const failures = done.failures.map(({ message }) => message);
    if (cli.json)
      await cli.printJson({
        table: toStoredFields(table),
        resources: snakeCase(done.resources),
        failures,
        dry_run: done.dryRun,
      });
    else {
      // A table that was never published exists only in the registry.
      if (isPublished)
        await printRows(
          cli,
          [done.dryRun ? "to remove" : "removed", "of"],
          done.resources.map(({ kind, ...of }) => [kind, Object.values(of).join(".")]),
        );
      cli.info(done.dryRun ? `would have unregistered ${id}` : `unregistered ${id}`);
      for (const message of failures) cli.warn(`cleanup failed: ${message}`);
    }
    return failures.length > 0 ? 1 : 0;
  },
});

function declined(name: string, id: string): AgnesError {
  const error = new AgnesError("aborted", { what: `\`${name}\`` });
  const texts = { message: `${id} was not unregistered`, hint: "Run it again and choose Yes, or add --yes." };
  return error.withDetails(error.details, { texts });
}
