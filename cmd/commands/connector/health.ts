import { command } from "../../console/command.ts";
import { openAgnes } from "../../console/open-agnes.ts";
import { printRows } from "../../console/print-rows.ts";

export default command({
  args: {
    source: {
      type: "positional",
      required: false,
      valueHint: "SOURCE …",
      description: "Sources to ask; default: all",
    },
  },
  examples: ["agnes connector health", "agnes connector health crm"],
  async run(cli, args) {
    await using agnes = await openAgnes(cli);
    const names = args._.length > 0 ? args._ : Object.keys(agnes.workspace.config.sources);
    const sources = await Promise.all(
      names.map(async (source) => ({
        source,
        ...(await agnes.connectors.health(source, { signal: cli.signal })),
      })),
    );
    if (cli.json) await cli.printJson({ sources });
    else {
      await printRows(
        cli,
        ["source", "state", "message"],
        sources.map(({ source, ok, message }) => [source, ok ? "ok" : "failed", message]),
      );
    }
    return sources.every(({ ok }) => ok) ? 0 : 1;
  },
});
