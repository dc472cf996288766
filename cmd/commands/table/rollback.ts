import { AgnesError, createHost } from "../../../lib/base/mod.ts";
import { listGenerations } from "../../../lib/extract/mod.ts";
import { dataPaths } from "../../../lib/workspace/mod.ts";
import { command } from "../../cli/command.ts";
import { plural } from "../../terminal/figures.ts";
import { openAgnes } from "../../workspace/open-agnes.ts";
import { wholeNumber } from "../../cli/strict-args.ts";
import { knownSource } from "../../tables/known-source.ts";

export default command({
  args: {
    source: {
      type: "positional",
      required: true,
      valueHint: "SOURCE",
      description: "A source of agnes.yaml",
    },
    generation: {
      type: "positional",
      required: true,
      valueHint: "GENERATION",
      description: "Number of the generation, see `agnes table history TABLE --generations`",
    },
    "dry-run": { type: "boolean", description: "Print what would be published, without publishing it" },
  },
  examples: ["agnes table history crm.orders --generations", "agnes table rollback crm 7"],
  async run(cli, args) {
    const { source } = args;
    const generation = wholeNumber(cli.name, "GENERATION", args.generation)!;
    await using agnes = await openAgnes(cli);
    knownSource(agnes.workspace, source);
    if (args["dry-run"] === true) {
      const directory = dataPaths.extract(agnes.workspace.dataDirectory, source);
      const all = await listGenerations(createHost().files, directory);
      const found = all.find(({ number, current }) => number === generation && !current);
      if (found === undefined) {
        const known = all.filter(({ current }) => !current).map(({ number }) => number);
        const current = all.find((one) => one.current)?.number ?? null;
        throw new AgnesError("generation_unknown", { directory, generation, known, current });
      }
      const { tables, rows } = found;
      if (cli.json) return await cli.printJson({ source, generation, tables, rows, dry_run: true });
      const size = `${plural(tables, "table")}, ${plural(rows, "row")}`;
      return cli.info(`would publish generation ${generation} of ${source} again: ${size}`);
    }
    const published = await agnes.rollback(source, generation);
    if (cli.json) await cli.printJson({ source, generation, published, dry_run: false });
    else cli.info(`generation ${generation} of ${source} is published again, as ${published}`);
  },
});
