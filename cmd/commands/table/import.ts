import { extname } from "node:path";

import { AgnesError, createHost, snakeCase } from "../../../lib/base/mod.ts";
import {
  parseDataDescription,
  parseRegistryJson,
  storedName,
  type ImportOutcome,
  type RegistryDocument,
} from "../../../lib/tables/mod.ts";
import type { Cli } from "../../cli/cli.ts";
import { knownSource } from "../../tables/known-source.ts";
import { command } from "../../cli/command.ts";
import { openAgnes } from "../../workspace/open-agnes.ts";
import { partStatus } from "../../cli/exit-status.ts";
import { printRows, textColumn } from "../../terminal/print-rows.ts";
import { registryChangeFlags, changeOptions } from "../../tables/fields.ts";

export default command({
  args: {
    file: {
      type: "positional",
      required: true,
      valueHint: "FILE",
      description:
        "An exported registry (.json) or data description (.md), or table_registry.json or data_description.md of the earlier system",
    },
    source: {
      type: "string",
      valueHint: "SOURCE",
      description: "The source of the tables, for files of the earlier system, which do not contain it",
    },
    edited: {
      type: "boolean",
      description: "Accept a data description that was edited after it was generated",
    },
    "skip-invalid": {
      type: "boolean",
      description: "Import the valid tables and list the others, instead of importing none",
    },
    ...registryChangeFlags,
  },
  examples: [
    "agnes table import registry.json --dry-run",
    "agnes table import data_description.md --source crm",
    "agnes table import table_registry.json --source crm --skip-invalid",
  ],
  async run(cli, args) {
    await using agnes = await openAgnes(cli);
    const registry = await agnes.tables();
    if (args.source !== undefined) knownSource(agnes.workspace, args.source);
    const skipInvalid = args["skip-invalid"] === true;
    const document = await readDocument(args.file, {
      edited: args.edited === true,
      skipInvalid,
      ...(args.source === undefined ? {} : { source: args.source }),
    });
    const outcome = await registry.import(document, { ...changeOptions(cli.name, args), skipInvalid });
    const sources = new Set(outcome.tables.map(({ id }) => id.slice(0, id.indexOf("."))));
    const unknown = [...sources].filter((name) => !Object.hasOwn(agnes.workspace.config.sources, name));
    if (unknown.length > 0)
      cli.warn(`agnes.yaml has no source ${unknown.join(", ")}; its tables cannot be synced`);
    for (const { id, ignored } of outcome.tables) {
      if (ignored.length > 0)
        cli.warn(`${id}: this version does not read ${ignored.join(", ")}, so it is ignored`);
    }
    if (cli.json) await cli.printJson(snakeCase(storedOutcome(outcome)));
    else await printOutcome(cli, outcome);
    return partStatus(outcome.tables.length + outcome.folders.length, outcome.skipped);
  },
});

function storedOutcome(outcome: ImportOutcome): object {
  const tables = outcome.tables.map((table) => ({ ...table, changed: table.changed.map(storedName) }));
  return { ...outcome, tables };
}

async function printOutcome(cli: Cli, outcome: ImportOutcome): Promise<void> {
  await printRows(
    cli,
    ["state", "of", "view", textColumn("changed"), textColumn("note")],
    [
      ...outcome.tables.map(({ kind, id, viewName, changed, notes }) => [
        kind,
        id,
        viewName,
        changed.map(storedName).join(", "),
        notes.join("; "),
      ]),
      ...outcome.folders.map(({ kind, bucket, folder }) => [kind, `folder of ${bucket}`, "", folder, ""]),
      ...outcome.skipped.map(({ table, message }) => ["skipped", table, "", "", message]),
    ],
  );
  for (const note of outcome.notes) cli.info(note);
  const count = outcome.tables.filter(({ kind }) => kind !== "unchanged").length;
  const skipped = outcome.skipped.length === 0 ? "" : `; skipped ${outcome.skipped.length}`;
  cli.info(`${outcome.dryRun ? "would import" : "imported"} ${count} of ${outcome.tables.length}${skipped}`);
}

async function readDocument(
  path: string,
  options: { readonly source?: string; readonly edited: boolean; readonly skipInvalid: boolean },
): Promise<RegistryDocument> {
  const bytes = await createHost().files.read(path);
  if (bytes === null) {
    throw new AgnesError("file_failed", { operation: "read", path, reason: "the file does not exist" });
  }
  const isJson = extname(path).toLowerCase() === ".json";
  let text: string;
  try {
    // Decoding another encoding as UTF-8 would register wrong characters.
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    const code = isJson ? "registry_export_malformed" : "data_description_malformed";
    throw new AgnesError(code, { path, reason: "it is not UTF-8 text" }, { cause });
  }
  return isJson
    ? parseRegistryJson(text, { path, ...options })
    : parseDataDescription(text, { path, ...options });
}
