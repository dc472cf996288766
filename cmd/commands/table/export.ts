import { resolve } from "node:path";

import { renderProjection, type ProjectionFormat } from "../../../lib/tables/mod.ts";
import { command } from "../../console/command.ts";
import { openAgnes } from "../../console/open-agnes.ts";
import { writeOutput, writePieces } from "../../console/output-file.ts";
import { wordOf } from "./fields.ts";

const formats: readonly ProjectionFormat[] = ["markdown", "json", "audit"];

export default command({
  args: {
    format: {
      type: "string",
      valueHint: formats.join("|"),
      description:
        "data_description.md (default), the whole registry as JSON (default with --json), or its log with one change a line",
    },
    output: {
      type: "string",
      valueHint: "FILE",
      description: "File to write at once; default: standard output",
    },
  },
  examples: [
    "agnes table export --output data_description.md",
    "agnes table export --format json --output registry.json",
    "agnes table export --format audit",
  ],
  async run(cli, args) {
    const format = wordOf(
      cli.name,
      "format",
      args.format ?? (cli.json && args.output === undefined ? "json" : "markdown"),
      formats,
    );
    await using agnes = await openAgnes(cli);
    const registry = await agnes.tables();
    if (args.output === undefined) {
      for await (const piece of renderProjection(registry, format)) await cli.print(piece);
      return;
    }
    const path = resolve(args.output);
    await writeOutput(path, (file) => writePieces(file, renderProjection(registry, format)));
    if (cli.json) await cli.printJson({ path, format });
    else cli.say(`wrote ${path}`);
  },
});
