import { AgnesError } from "../../../lib/base/mod.ts";
import type { RegistryChange } from "../../../lib/tables/mod.ts";
import { command } from "../../console/command.ts";
import { openAgnes } from "../../console/open-agnes.ts";
import { printRows } from "../../console/print-rows.ts";

export default command({
  args: {
    table: {
      type: "positional",
      required: false,
      valueHint: "TABLE",
      description: "Id of a table, registered or not; default: all changes",
    },
    limit: {
      type: "string",
      default: "50",
      valueHint: "N",
      description: "At most so many, the newest first",
    },
  },
  examples: ["agnes table history", "agnes table history crm.orders --json"],
  async run(cli, args) {
    if (!/^[1-9][0-9]{0,8}$/.test(args.limit)) {
      throw new AgnesError("usage_wrong", {
        command: cli.name,
        reason: "--limit needs a whole number above 0",
      });
    }
    await using agnes = await openAgnes(cli);
    const registry = await agnes.tables();
    const changes = await registry.history({
      first: "newest",
      limit: Number(args.limit),
      ...(args.table === undefined ? {} : { id: await idOf(registry, args.table) }),
    });
    if (cli.json) return await cli.printJson({ changes });
    if (changes.length === 0) return cli.say("Nothing was ever changed.");
    await printRows(
      cli,
      [{ name: "version", align: "right" }, "when", "who", "what", "of", "changed"],
      changes.map((change) => [
        String(change.version),
        change.at,
        change.actor,
        change.action,
        change.id,
        change.changed.map((field) => fieldText(change, field)).join("; "),
      ]),
    );
  },
});

/** A view name leads to its table; a table that is gone is known by its id alone. */
async function idOf(
  tables: { find(reference: string): Promise<{ readonly id: string }> },
  reference: string,
): Promise<string> {
  return reference.includes(".") ? reference : (await tables.find(reference)).id;
}

/** What a field became, where that is short enough to be read in a row. */
function fieldText(change: RegistryChange, field: string): string {
  const after: unknown = change.kind === "folder" ? change.after : change.after?.[field as "name"];
  const text = typeof after === "string" ? after : (JSON.stringify(after) ?? "");
  return text.length <= 30 && !text.includes("\n") ? `${field}=${text}` : field;
}
