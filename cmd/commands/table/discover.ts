import { storedName, storedPlan, type Candidate, type RegistrationPlan } from "../../../lib/tables/mod.ts";
import type { Cli } from "../../cli/cli.ts";
import { command } from "../../cli/command.ts";
import { openRegistry } from "../../server/open-registry.ts";
import { serverArgs } from "../../server/server-args.ts";
import { nextStep } from "../../tables/report-write.ts";
import { partStatus } from "../../cli/exit-status.ts";
import { printRows, textColumn } from "../../terminal/print-rows.ts";

export default command({
  args: {
    ...serverArgs,
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
    await using registry = await openRegistry(cli, args.server);
    const options = { dryRun: args["dry-run"] === true, again: args.again === true };
    const { dryRun } = options;
    const { plans, failures, skipped } = await registry.discover(args._, options);
    if (cli.json) {
      const errors = failures.map(({ source, error }) => ({ source, ...error.toJSON() }));
      await cli.printJson({
        sources: plans.map(storedPlan),
        errors,
        not_listed: skipped.map(({ source, register }) => ({ source, register_command: register })),
        dry_run: dryRun,
      });
    } else await printPlans(cli, plans, dryRun ? null : nextStep(registry, "agnes sync"));
    for (const { source, register } of skipped)
      if (register !== null)
        cli.info(registry.advice(`${source} cannot list its tables; \`${register}\` registers one`));
    for (const { source, error } of failures) cli.error(error, source);
    const candidates = plans.flatMap((plan) => plan.candidates);
    const bad = candidates.filter((one) => one.kind === "invalid" || one.kind === "unreadable");
    const empty = plans.filter((plan) => plan.candidates.length === 0);
    const done = candidates.length - bad.length + empty.length;
    return partStatus(done, [...failures.map(({ error }) => error), ...bad], await registry.plugins());
  },
});

async function printPlans(cli: Cli, plans: readonly RegistrationPlan[], next: string | null): Promise<void> {
  const rows = plans.flatMap((plan) => [
    ...plan.candidates.map((candidate) => rowOf(plan.source, candidate)),
    ...plan.missing.map((id) => ["missing", plan.source, "", id, "", "no longer in the source"]),
  ]);
  if (rows.length > 0)
    await printRows(
      cli,
      [
        "state",
        { name: "source", leftOut: 3 },
        "table",
        { name: "id", leftOut: 2 },
        { name: "view", leftOut: 1 },
        textColumn("note"),
      ],
      rows,
    );
  const fresh = count(plans, "new");
  const changed = plans
    .flatMap(({ candidates }) => candidates)
    .filter((one) => one.kind === "existing" && one.sourceMetadata !== undefined).length;
  cli.info(
    `${next === null ? "would register" : "registered"} ${fresh}; ${changed === 0 ? "" : `${changed} changed in the source, `}${count(plans, "existing") - changed} unchanged, ${count(plans, "drifted")} drifted, ${count(plans, "invalid")} not valid, ${count(plans, "unreadable")} unreadable`,
  );
  if (fresh > 0 && next !== null) cli.info(next);
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
