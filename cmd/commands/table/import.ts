import { extname } from "node:path";

import { AgnesError, createHost } from "../../../lib/base/mod.ts";
import { parseDataDescription, parseRegistryJson, type RegistryDocument } from "../../../lib/tables/mod.ts";
import { knownSource } from "./known-source.ts";
import { command } from "../../console/command.ts";
import { openAgnes } from "../../console/open-agnes.ts";
import { printRows } from "../../console/print-rows.ts";
import { changeFlags, changeOptions } from "./fields.ts";

export default command({
  args: {
    file: {
      type: "positional",
      required: true,
      valueHint: "FILE",
      description: "An exported registry (.json), or a data description (.md), also of an earlier system",
    },
    source: {
      type: "string",
      valueHint: "SOURCE",
      description: "The source of the tables of a data description that does not name any",
    },
    edited: {
      type: "boolean",
      description: "Take a data description that was changed after it was generated",
    },
    ...changeFlags,
  },
  examples: [
    "agnes table import registry.json --dry-run",
    "agnes table import data_description.md --source crm",
  ],
  async run(cli, args) {
    await using agnes = await openAgnes(cli);
    const registry = await agnes.tables();
    if (args.source !== undefined) knownSource(agnes.workspace, args.source);
    const document = await readDocument(args.file, {
      edited: args.edited === true,
      ...(args.source === undefined ? {} : { source: args.source }),
    });
    const outcome = await registry.import(document, changeOptions(cli.name, args));
    const sources = new Set(outcome.tables.map(({ id }) => id.slice(0, id.indexOf("."))));
    const unknown = [...sources].filter((name) => !Object.hasOwn(agnes.workspace.config.sources, name));
    if (unknown.length > 0)
      cli.warn(`agnes.yaml has no source ${unknown.join(", ")}; its tables cannot be synced`);
    for (const { id, ignored } of outcome.tables) {
      if (ignored.length > 0)
        cli.warn(`${id}: this version does not read ${ignored.join(", ")}, so it is ignored`);
    }
    if (cli.json) return await cli.printJson(outcome);
    await printRows(
      cli,
      ["state", "of", "changed"],
      [
        ...outcome.tables.map(({ kind, id, changed }) => [kind, id, changed.join(", ")]),
        ...outcome.folders.map(({ kind, bucket, folder }) => [kind, `folder of ${bucket}`, folder]),
      ],
    );
    const count = outcome.tables.filter(({ kind }) => kind !== "unchanged").length;
    cli.say(`${outcome.dryRun ? "would import" : "imported"} ${count} of ${outcome.tables.length}`);
  },
});

async function readDocument(
  path: string,
  options: { readonly source?: string; readonly edited: boolean },
): Promise<RegistryDocument> {
  const bytes = await createHost().files.read(path);
  if (bytes === null) {
    throw new AgnesError("file_failed", { operation: "read", path, reason: "there is no such file" });
  }
  const isJson = extname(path).toLowerCase() === ".json";
  let text: string;
  try {
    // Bytes of another encoding would become other characters, and be registered so.
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    const code = isJson ? "registry_export_malformed" : "data_description_malformed";
    throw new AgnesError(code, { path, reason: "it is not UTF-8 text" }, { cause });
  }
  return isJson ? parseRegistryJson(text, path) : parseDataDescription(text, { path, ...options });
}
