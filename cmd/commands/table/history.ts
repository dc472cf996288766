import { AgnesError, createHost, snakeCase } from "../../../lib/base/mod.ts";
import { listGenerations } from "../../../lib/extract/mod.ts";
import { storedChange, storedName, type RegistryChange } from "../../../lib/tables/mod.ts";
import { dataPaths } from "../../../lib/workspace/mod.ts";
import type { Cli } from "../../cli/cli.ts";
import { command } from "../../cli/command.ts";
import { countText, sizeText } from "../../terminal/figures.ts";
import { openRegistry } from "../../server/open-registry.ts";
import { checkNoServer, serverArgs, serverOf } from "../../server/server-args.ts";
import { openAgnes } from "../../workspace/open-agnes.ts";
import { printRows, textColumn } from "../../terminal/print-rows.ts";
import { wholeNumber } from "../../cli/strict-args.ts";

export default command({
  args: {
    ...serverArgs,
    table: {
      type: "positional",
      required: false,
      valueHint: "TABLE",
      description: "Id or view name of a table; default: all changes",
    },
    generations: {
      type: "boolean",
      description: "Show the generations of the table's source instead",
    },
    limit: {
      type: "string",
      default: "50",
      valueHint: "N",
      description: "Maximum number of entries, newest first",
    },
  },
  examples: [
    "agnes table history",
    "agnes table history crm.orders --json",
    "agnes table history crm.orders --generations",
  ],
  async run(cli, args) {
    const limit = wholeNumber(cli.name, "--limit", args.limit)!;
    if (args.generations === true) return printGenerations(cli, args.server, args.table);
    await using registry = await openRegistry(cli, args.server);
    const { table } = args;
    const changes = await registry.history({ limit, ...(table === undefined ? {} : { table }) });
    if (cli.json) return await cli.printJson({ changes: changes.map(storedChange) });
    if (changes.length === 0) return cli.info("There are no changes.");
    await printRows(
      cli,
      [
        { name: "version", align: "right" },
        "when",
        { name: "who", leftOut: 1 },
        "what",
        "of",
        textColumn("changed"),
      ],
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

/** Prints the generations of the source of a table, which only a workspace lists. */
async function printGenerations(
  cli: Cli,
  server: string | undefined,
  table: string | undefined,
): Promise<void> {
  checkNoServer(cli, serverOf(cli, server), ["--generations"]);
  await using agnes = await openAgnes(cli);
  if (table === undefined)
    throw new AgnesError("usage_wrong", { command: cli.name, reason: "--generations needs a table" });
  const { source } = await (await agnes.tables()).find(table);
  const directory = dataPaths.extract(agnes.workspace.dataDirectory, source);
  const generations = await listGenerations(createHost().files, directory);
  if (cli.json) return await cli.printJson({ source, generations: snakeCase(generations) });
  if (generations.length === 0)
    return cli.info(`${source} has published nothing yet. Run \`agnes sync ${source}\`.`);
  const right = (name: string) => ({ name, align: "right" }) as const;
  await printRows(
    cli,
    [
      right("generation"),
      "published",
      "by",
      { name: "who", leftOut: 1 },
      right("tables"),
      right("rows"),
      right("size"),
      "",
    ],
    generations.map((generation) => [
      String(generation.number),
      generation.finishedAt.toISOString(),
      generation.kind,
      generation.actor ?? (generation.kind === "rollback" ? "unknown" : ""),
      countText(generation.tables),
      countText(generation.rows),
      sizeText(generation.sizeBytes),
      generation.current ? "current" : "",
    ]),
  );
}

/** The new value of a field, if it is short enough for a row. */
function fieldText(change: RegistryChange, changed: string): string {
  const after: unknown = change.kind === "folder" ? change.after : change.after?.[changed as "name"];
  const field = storedName(changed);
  const text = typeof after === "string" ? after : (JSON.stringify(after) ?? "");
  return text.length <= 30 && !text.includes("\n") ? `${field}=${text}` : field;
}
