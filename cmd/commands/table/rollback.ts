import { command } from "../../console/command.ts";
import { openAgnes } from "../../console/open-agnes.ts";
import { wholeNumber } from "../../console/whole-number.ts";

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
      description: "Its number, from `agnes table history TABLE --generations`",
    },
  },
  examples: ["agnes table history crm.orders --generations", "agnes table rollback crm 7"],
  async run(cli, args) {
    const generation = wholeNumber(cli.name, "GENERATION", args.generation)!;
    await using agnes = await openAgnes(cli);
    const published = await agnes.rollback(args.source, generation);
    if (cli.json) await cli.printJson({ source: args.source, generation, published });
    else cli.say(`generation ${generation} of ${args.source} is published again, as ${published}`);
  },
});
