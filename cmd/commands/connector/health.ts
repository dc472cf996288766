import type { Agnes } from "../../../lib/agnes.ts";
import { isAgnesError } from "../../../lib/base/mod.ts";
import type { Health } from "../../../lib/kit/mod.ts";
import type { Cli } from "../../cli/cli.ts";
import { command } from "../../cli/command.ts";
import { openAgnes } from "../../workspace/open-agnes.ts";
import { printRows, textColumn } from "../../terminal/print-rows.ts";

export default command({
  args: {
    source: {
      type: "positional",
      required: false,
      valueHint: "SOURCE …",
      description: "Sources to check; default: all",
    },
  },
  examples: ["agnes connector health", "agnes connector health crm"],
  async run(cli, args) {
    await using agnes = await openAgnes(cli);
    const names = args._.length > 0 ? args._ : Object.keys(agnes.workspace.config.sources);
    const sources = await Promise.all(names.map((source) => askHealth(cli, agnes, source)));
    if (cli.json) await cli.printJson({ sources });
    else
      await printRows(
        cli,
        ["source", "state", textColumn("message")],
        sources.map(({ source, ok, message }) => [source, ok ? "ok" : "failed", message]),
      );
    return sources.every(({ ok }) => ok) ? 0 : 1;
  },
});

/** Checks a source. A failed connection is reported as unhealthy. */
async function askHealth(
  cli: Cli,
  agnes: Agnes,
  source: string,
): Promise<Health & { readonly source: string }> {
  try {
    return { source, ...(await agnes.connectors.health(source, { signal: cli.signal })) };
  } catch (error) {
    if (!isAgnesError(error) || cli.signal.aborted || error.code === "source_unknown") throw error;
    return { source, ok: false, message: `${error.message}. ${error.hint}` };
  }
}
