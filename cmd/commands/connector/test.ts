import { AgnesError, counted, messageOf, redact, redactValue } from "../../../lib/base/mod.ts";
import type { AnyPlugin } from "../../../lib/kit/mod.ts";
import { connectorContract, runCases, type CaseResult, type ContractCase } from "../../../lib/testing/mod.ts";
import { prepareSource, secretSpecs } from "../../../lib/sources/mod.ts";
import type { SourceConfig } from "../../../lib/workspace/mod.ts";
import { openCaseStatus } from "../../connectors/case-status.ts";
import { registeredQueries, registeredTables } from "../../connectors/registered-tables.ts";
import type { Cli } from "../../cli/cli.ts";
import { command } from "../../cli/command.ts";
import { durationText } from "../../terminal/figures.ts";
import { pluginOf } from "../../connectors/plugin-of.ts";
import { openAgnes } from "../../workspace/open-agnes.ts";
import { wholeNumber } from "../../cli/strict-args.ts";

export default command({
  args: {
    name: {
      type: "positional",
      required: true,
      valueHint: "SOURCE|NAME",
      description: "A source of agnes.yaml, or a plugin to test without options",
    },
    table: {
      type: "string",
      valueHint: "LIST",
      description:
        "Only these tables, separated by commas; default: all that the source lists, or that are registered when its plugin lists none",
    },
    case: {
      type: "string",
      valueHint: "TEXT",
      description: "Only cases whose name contains this text, ignoring case; default: all",
    },
    rows: {
      type: "string",
      default: "10000",
      valueHint: "N",
      description: "Maximum number of rows to read of a table; cases that need all rows skip larger tables",
    },
    timeout: {
      type: "string",
      default: "60",
      valueHint: "SECONDS",
      description: "Time limit of a case",
    },
  },
  examples: [
    "agnes connector test exports",
    "agnes connector test crm --table contacts --case cursor",
    "agnes connector test hubspot --rows 500",
  ],
  async run(cli, args) {
    const maxRows = wholeNumber(cli.name, "--rows", args.rows)!;
    const timeoutMs = wholeNumber(cli.name, "--timeout", args.timeout)! * 1000;
    await using agnes = await openAgnes(cli);
    const { config, directory } = agnes.workspace;
    const source = config.sources[args.name];
    const plugin = pluginOf(agnes, args.name);
    // Otherwise each case fails for the same reason.
    prepareSource({ plugins: agnes.plugins, env: process.env }, args.name, source ?? { plugin: plugin.name });
    const secrets = secretsOf(plugin, source);
    const status = openCaseStatus(cli);
    const named = args.table?.split(",").map((name) => name.trim());
    const isBlind = plugin.capabilities.includes("read") && !plugin.capabilities.includes("discover");
    const needsRecords = source !== undefined && (isBlind || plugin.sourceQuery !== undefined);
    const records = needsRecords ? await (await agnes.tables()).list({ source: args.name }) : [];
    const tables = isBlind ? registeredTables(records, plugin, named) : named;
    const sourceQuery = registeredQueries(cli, records, plugin, tables);
    const all = connectorContract(plugin, {
      directory,
      secrets,
      maxRows,
      timeoutMs,
      signal: cli.signal,
      onProgress: (progress) => status.update(progress),
      ...(source && { options: source.options }),
      ...(tables && { tables }),
      sourceQuery,
    });
    const values = Object.values(secrets);
    const results = await runCases(chosenCases(cli, all, args.case), {
      signal: cli.signal,
      onResult: async (result) => {
        status.clear();
        if (!cli.json) await printResult(cli, redactValue(result, values), values);
      },
    });
    status.clear();
    const failed = results.filter((result) => !result.ok).length;
    if (cli.json) {
      await cli.printJson({
        cases: results.map(({ error, elapsedMs, ...result }) => ({
          ...redactValue(result, values),
          elapsed_ms: elapsedMs,
          ...(error === undefined ? {} : { error: reasonOf(error, values) }),
        })),
      });
    }
    if (isBlind && tables?.length === 0) {
      const registered =
        source === undefined ? "" : `, or register them: \`agnes table register ${args.name} TABLE\``;
      cli.warn(
        `${plugin.name} does not list its tables and none is registered, so no case read a table: set --table${registered}`,
      );
    }
    cli.info(`${results.length - failed} of ${counted(results.length, "case")} passed.`);
    return failed === 0 ? 0 : 1;
  },
});

/** The cases whose name contains a text. */
function chosenCases(
  cli: Cli,
  cases: readonly ContractCase[],
  text: string | undefined,
): readonly ContractCase[] {
  const wanted = text?.toLowerCase() ?? "";
  const chosen = cases.filter(({ name }) => name.toLowerCase().includes(wanted));
  if (chosen.length > 0) return chosen;
  const names = cases.map(({ name }) => `"${name}"`).join(", ");
  throw new AgnesError("usage_wrong", {
    command: cli.name,
    reason: `no case has ${JSON.stringify(text)} in its name`,
    next: `The cases are ${names}.`,
  });
}

/** The values of the secrets, by their names in the plugin or in `secrets` of the source. */
function secretsOf(plugin: AnyPlugin, source: SourceConfig | undefined): Readonly<Record<string, string>> {
  const mapping = source?.secrets ?? {};
  const named = Object.keys(secretSpecs(plugin, mapping)).map((name) => [
    name,
    process.env[mapping[name] ?? name],
  ]);
  return Object.fromEntries(named.filter(([, value]) => value !== undefined)) as Record<string, string>;
}

async function printResult(cli: Cli, result: CaseResult, secrets: readonly string[]): Promise<void> {
  const { style } = cli;
  const mark = result.ok ? style("green", "ok    ") : style("red", "failed");
  const lines = [`${mark}  ${result.name}  ${style("dim", durationText(result.elapsedMs))}`];
  if (result.remark !== undefined) lines.push(`        ${style("yellow", result.remark)}`);
  if (!result.ok) lines.push(reasonOf(result.error, secrets).replace(/^/gm, "        "));
  await cli.print(`${lines.join("\n")}\n`);
}

function reasonOf(error: unknown, secrets: readonly string[]): string {
  return redact(messageOf(error), secrets);
}
