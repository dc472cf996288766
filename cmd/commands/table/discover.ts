import type { Agnes } from "../../../lib/agnes.ts";
import { isAgnesError, type AgnesError } from "../../../lib/base/mod.ts";
import {
  registerCommand,
  storedName,
  storedPlan,
  type Candidate,
  type RegistrationPlan,
} from "../../../lib/tables/mod.ts";
import type { Cli } from "../../cli/cli.ts";
import { knownSource } from "../../tables/known-source.ts";
import { command } from "../../cli/command.ts";
import { openAgnes } from "../../workspace/open-agnes.ts";
import { partStatus } from "../../cli/exit-status.ts";
import { printRows } from "../../terminal/print-rows.ts";

interface Failure {
  readonly source: string;
  readonly error: AgnesError;
}

interface Options {
  readonly dryRun: boolean;
  readonly again: boolean;
}

export default command({
  args: {
    source: {
      type: "positional",
      required: false,
      valueHint: "SOURCE …",
      description: "Sources to discover; default: all that can list their tables",
    },
    again: { type: "boolean", description: "Also register tables that were unregistered" },
    "dry-run": { type: "boolean", description: "Print what would be registered, without registering it" },
  },
  examples: ["agnes table discover --dry-run", "agnes table discover crm"],
  async run(cli, args) {
    await using agnes = await openAgnes(cli);
    const { config } = agnes.workspace;
    const wanted = [...new Set(args._.length > 0 ? args._ : Object.keys(config.sources))];
    for (const name of wanted) knownSource(agnes.workspace, name);
    const skipped = args._.length > 0 ? [] : wanted.filter((name) => cannotList(agnes, name));
    const names = wanted.filter((name) => !skipped.includes(name));
    const dryRun = args["dry-run"] === true;
    const plans: RegistrationPlan[] = [];
    const failures: Failure[] = [];
    for (const name of names) {
      try {
        plans.push(await discover(cli, agnes, name, { dryRun, again: args.again === true }));
      } catch (error) {
        // The tables of the other sources are still registered and reported.
        if (!isAgnesError(error) || cli.signal.aborted || names.length === 1) throw error;
        failures.push({ source: name, error });
      }
    }
    if (cli.json) {
      const errors = failures.map(({ source, error }) => ({ source, ...error.toJSON() }));
      await cli.printJson({ sources: plans.map(storedPlan), errors, skipped, dryRun });
    } else await printPlans(cli, plans, dryRun);
    for (const source of skipped) {
      const register = registerCommand(
        source,
        agnes.plugins.get(config.sources[source]!.plugin).capabilities,
      );
      if (register !== null) cli.info(`${source} cannot list its tables; \`${register}\` registers one`);
    }
    for (const { source, error } of failures) cli.error(error, source);
    const candidates = plans.flatMap((plan) => plan.candidates);
    const bad = candidates.filter((one) => one.kind === "invalid" || one.kind === "unreadable");
    const empty = plans.filter((plan) => plan.candidates.length === 0);
    const done = candidates.length - bad.length + empty.length;
    return partStatus(done, [...failures.map(({ error }) => error), ...bad], agnes.plugins.list());
  },
});

/** Whether the tables of a source are registered by hand, because its plugin has no `discover`. */
function cannotList(agnes: Agnes, source: string): boolean {
  const { plugin } = knownSource(agnes.workspace, source);
  const loaded = agnes.plugins.list().find(({ name }) => name === plugin);
  return loaded !== undefined && !loaded.capabilities.includes("discover");
}

async function discover(cli: Cli, agnes: Agnes, source: string, options: Options): Promise<RegistrationPlan> {
  const discovered = await agnes.connectors.discover(source, { signal: cli.signal });
  const { capabilities } = agnes.plugins.get(knownSource(agnes.workspace, source).plugin);
  const registry = await agnes.tables();
  return registry.registerDiscovered(source, discovered, { ...options, capabilities });
}

async function printPlans(cli: Cli, plans: readonly RegistrationPlan[], dryRun: boolean): Promise<void> {
  const rows = plans.flatMap((plan) => [
    ...plan.candidates.map((candidate) => rowOf(plan.source, candidate)),
    ...plan.missing.map((id) => ["missing", plan.source, "", id, "", "no longer in the source"]),
  ]);
  if (rows.length > 0) await printRows(cli, ["state", "source", "table", "id", "view", "note"], rows);
  const fresh = count(plans, "new");
  const changed = plans
    .flatMap(({ candidates }) => candidates)
    .filter((one) => one.kind === "existing" && one.sourceMetadata !== undefined).length;
  cli.info(
    `${dryRun ? "would register" : "registered"} ${fresh}; ${changed === 0 ? "" : `${changed} changed in the source, `}${count(plans, "existing") - changed} unchanged, ${count(plans, "drifted")} drifted, ${count(plans, "invalid")} not valid, ${count(plans, "unreadable")} unreadable`,
  );
  if (fresh > 0 && !dryRun) cli.info("Next: agnes sync");
}

function count(plans: readonly RegistrationPlan[], kind: Candidate["kind"]): number {
  return plans.flatMap((plan) => plan.candidates).filter((candidate) => candidate.kind === kind).length;
}

function rowOf(source: string, candidate: Candidate): readonly string[] {
  switch (candidate.kind) {
    case "new":
      return ["new", source, candidate.table, candidate.id, candidate.viewName, candidate.notes.join("; ")];
    case "existing":
    case "drifted": {
      const notes = [
        ...(candidate.kind === "drifted" ? candidate.drift : []).map(
          ({ field, reason }) => `${storedName(field)}: ${reason}`,
        ),
        ...(candidate.sourceMetadata === undefined ? [] : ["source_metadata: changed in the source"]),
      ];
      const { kind, table, id, viewName } = candidate;
      return [kind, source, table, id, viewName, notes.join("; ")];
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
    case "unreadable":
      return ["unreadable", source, candidate.table, candidate.id ?? "", "", candidate.reason];
    case "left_out":
      return ["left out", source, candidate.table, "", "", candidate.reason];
    case "invalid":
      return ["invalid", source, candidate.table, "", "", candidate.reason];
  }
}
