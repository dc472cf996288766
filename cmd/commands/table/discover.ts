import type { Candidate, RegistrationPlan } from "../../../lib/tables/mod.ts";
import type { Cli } from "../../console/cli.ts";
import { knownSource } from "./known-source.ts";
import { command } from "../../console/command.ts";
import { openAgnes } from "../../console/open-agnes.ts";
import { printRows } from "../../console/print-rows.ts";

export default command({
  args: {
    source: {
      type: "positional",
      required: false,
      valueHint: "SOURCE …",
      description: "Sources to look at; default: all",
    },
    again: { type: "boolean", description: "Register tables too that somebody unregistered" },
    "dry-run": { type: "boolean", description: "Say what would be registered, and register nothing" },
  },
  examples: ["agnes table discover --dry-run", "agnes table discover crm"],
  async run(cli, args) {
    await using agnes = await openAgnes(cli);
    const registry = await agnes.tables();
    const names = args._.length > 0 ? args._ : Object.keys(agnes.workspace.config.sources);
    const dryRun = args["dry-run"] === true;
    const plans: RegistrationPlan[] = [];
    for (const name of names) {
      const { plugin } = knownSource(agnes.workspace, name);
      const discovered = await agnes.connectors.discover(name, { signal: cli.signal });
      const { capabilities } = agnes.plugins.get(plugin);
      plans.push(
        await registry.registerDiscovered(name, discovered, {
          dryRun,
          again: args.again === true,
          capabilities,
        }),
      );
    }
    const candidates = plans.flatMap((plan) => plan.candidates);
    if (cli.json) await cli.printJson({ sources: plans, dryRun });
    else await printPlans(cli, plans, candidates, dryRun);
    return candidates.some(({ kind }) => kind === "invalid") ? 3 : 0;
  },
});

async function printPlans(
  cli: Cli,
  plans: readonly RegistrationPlan[],
  candidates: readonly Candidate[],
  dryRun: boolean,
): Promise<void> {
  const rows = plans.flatMap((plan) => [
    ...plan.candidates.map((candidate) => rowOf(plan.source, candidate)),
    ...plan.missing.map((id) => ["missing", plan.source, "", id, "", "the source does not have it any more"]),
  ]);
  if (rows.length > 0) await printRows(cli, ["state", "source", "table", "id", "view", "note"], rows);
  const count = (kind: Candidate["kind"]) => candidates.filter((candidate) => candidate.kind === kind).length;
  const fresh = count("new");
  cli.say(
    `${dryRun ? "would register" : "registered"} ${fresh}; ${count("existing")} as they were, ${count("drifted")} drifted, ${count("invalid")} not valid`,
  );
  if (fresh > 0 && !dryRun) cli.say("Next: agnes sync");
}

function rowOf(source: string, candidate: Candidate): readonly string[] {
  switch (candidate.kind) {
    case "new":
      return ["new", source, candidate.table, candidate.id, candidate.viewName, candidate.notes.join("; ")];
    case "existing":
      return ["existing", source, candidate.table, candidate.id, candidate.viewName, ""];
    case "drifted": {
      const note = candidate.drift.map(({ field, reason }) => `${field}: ${reason}`).join("; ");
      return ["drifted", source, candidate.table, candidate.id, candidate.viewName, note];
    }
    case "unregistered":
      return [
        "unregistered",
        source,
        candidate.table,
        candidate.id,
        "",
        `by ${candidate.actor}; --again registers it`,
      ];
    case "invalid":
      return ["invalid", source, candidate.table, "", "", candidate.reason];
  }
}
