import { messageOf, printable, redact } from "../../../lib/base/mod.ts";
import type { AnyPlugin } from "../../../lib/kit/mod.ts";
import { connectorContract, runCases, type CaseResult } from "../../../lib/testing/mod.ts";
import type { SourceConfig } from "../../../lib/workspace/mod.ts";
import type { Cli } from "../../console/cli.ts";
import { command } from "../../console/command.ts";
import { durationText } from "../../console/figures.ts";
import { openAgnes } from "../../console/open-agnes.ts";

export default command({
  args: {
    name: {
      type: "positional",
      required: true,
      valueHint: "SOURCE|NAME",
      description: "A source of agnes.yaml, or a plugin, which is then tried without options",
    },
  },
  examples: ["agnes connector test exports", "agnes connector test hubspot"],
  async run(cli, args) {
    await using agnes = await openAgnes(cli);
    const { config, directory } = agnes.workspace;
    const source = config.sources[args.name];
    const plugin = agnes.plugins.get(source?.plugin ?? args.name);
    const secrets = secretsOf(plugin, source);
    const cases = connectorContract(plugin, {
      directory,
      secrets,
      ...(source && { options: source.options }),
    });
    const results = await runCases(cases, {
      signal: cli.signal,
      onResult: (result) => void (cli.json || printResult(cli, result, Object.values(secrets))),
    });
    const failed = results.filter((result) => !result.ok).length;
    if (cli.json) {
      await cli.printJson({
        cases: results.map(({ error, ...result }) => ({
          ...result,
          ...(error === undefined ? {} : { error: reasonOf(error, Object.values(secrets)) }),
        })),
      });
    }
    cli.say(`${results.length - failed} of ${results.length} promises hold.`);
    return failed === 0 ? 0 : 1;
  },
});

/** The secrets by the plugin's names for them; one that is absent makes the cases say so. */
function secretsOf(plugin: AnyPlugin, source: SourceConfig | undefined): Readonly<Record<string, string>> {
  const named = Object.keys(plugin.secrets).map((name) => [name, process.env[source?.secrets[name] ?? name]]);
  return Object.fromEntries(named.filter(([, value]) => value !== undefined)) as Record<string, string>;
}

function printResult(cli: Cli, result: CaseResult, secrets: readonly string[]): void {
  const { paint } = cli;
  const mark = result.ok ? paint.green("ok    ") : paint.red("failed");
  process.stdout.write(`${mark}  ${result.name}  ${paint.dim(durationText(result.elapsedMs))}\n`);
  if (result.remark !== undefined) process.stdout.write(`        ${paint.yellow(result.remark)}\n`);
  if (!result.ok) process.stdout.write(`${reasonOf(result.error, secrets).replace(/^/gm, "        ")}\n`);
}

function reasonOf(error: unknown, secrets: readonly string[]): string {
  return printable(redact(messageOf(error), secrets));
}
