import { resolve } from "node:path";

import { AgnesError, createHost, writeOutput } from "../../../lib/base/mod.ts";
import { renderProjection, type ProjectionFormat } from "../../../lib/tables/mod.ts";
import { command } from "../../cli/command.ts";
import { openAgnes } from "../../workspace/open-agnes.ts";
import { writePieces } from "../../results/output-file.ts";
import { choiceOf } from "../../tables/fields.ts";
import { knownSource } from "../../tables/known-source.ts";

const formats: readonly ProjectionFormat[] = ["markdown", "json", "audit", "upstream"];

export default command({
  args: {
    format: {
      type: "string",
      valueHint: formats.join("|"),
      description:
        "data_description.md (default), the whole registry as JSON (default with --json), its log with one change per line, or a data_description.md for the earlier system",
    },
    source: {
      type: "string",
      valueHint: "SOURCE",
      description: "The source whose tables are exported, for --format upstream",
    },
    output: {
      type: "string",
      valueHint: "FILE",
      description: "File to write; default: standard output",
    },
  },
  examples: [
    "agnes table export --output data_description.md",
    "agnes table export --format json --output registry.json",
    "agnes table export --format audit",
    "agnes table export --format upstream --source crm --output data_description.md",
  ],
  async run(cli, args) {
    const format = choiceOf(
      cli.name,
      "--format",
      args.format ?? (cli.json && args.output === undefined ? "json" : "markdown"),
      formats,
    );
    if (args.source !== undefined && format !== "upstream") {
      const reason = "--source goes with --format upstream";
      throw new AgnesError("usage_wrong", { command: cli.name, reason });
    }
    await using agnes = await openAgnes(cli);
    if (args.source !== undefined) knownSource(agnes.workspace, args.source);
    const options = {
      ...(args.source === undefined ? {} : { source: args.source }),
      onNote: (note: string) => cli.warn(note),
    };
    const registry = await agnes.tables();
    if (args.output === undefined) {
      for await (const piece of renderProjection(registry, format, options))
        await cli.print(Buffer.from(piece));
      return;
    }
    const path = resolve(args.output);
    await writeOutput(createHost(), path, (file, isFile) =>
      writePieces({ path: file, isFile }, renderProjection(registry, format, options)),
    );
    if (cli.json) await cli.printJson({ path, format });
    else cli.info(`wrote ${path}`);
  },
});
