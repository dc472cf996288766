import type { Agnes } from "../../lib/agnes.ts";
import { createHost, isAgnesError, nearest } from "../../lib/base/mod.ts";
import { conditionsProblem } from "../../lib/sync/mod.ts";
import { planRegistration, storedName, type RegisteredTable } from "../../lib/tables/mod.ts";
import type { Cli } from "../cli/cli.ts";

/** Warns if the source does not have a registered table, or the columns in its settings, or if its conditions are not valid. */
export async function warnOfSource(cli: Cli, agnes: Agnes, table: RegisteredTable): Promise<void> {
  const { source, sourceTable } = table;
  const { sources } = agnes.workspace.config;
  // The source may have been removed from agnes.yaml.
  if (!Object.hasOwn(sources, source)) return;
  const plugin = agnes.plugins.get(sources[source]!.plugin);
  // The result of SQL is no table of the source; a JSON query selects from one.
  const isResult = table.sourceQuery !== null && plugin.sourceQuery === undefined;
  if (sourceTable === null || isResult || !plugin.capabilities.includes("discover")) return;
  try {
    const discovered = await agnes.connectors.discover(source, { signal: cli.signal });
    const { missing, candidates } = planRegistration(source, discovered, [table]);
    if (missing.includes(table.id)) {
      const near = nearest(
        sourceTable,
        discovered.map(({ name }) => name),
      );
      const next =
        near === undefined ? `see \`agnes connector discover ${source}\`` : `did you mean "${near}"?`;
      cli.warn(`${source} has no table "${sourceTable}"; ${next}`);
    }
    for (const candidate of candidates)
      if (candidate.kind === "drifted" && candidate.id === table.id)
        for (const { field, reason } of candidate.drift)
          cli.warn(`${storedName(field)} of ${table.id}: ${reason}`);
    const problem = await conditionsProblem(createHost(), table, discovered, plugin);
    if (problem !== null) cli.warn(`${table.id}: ${problem.message}. ${problem.hint}`);
  } catch (error) {
    // Registering and updating do not need the source, so its failure is only a warning.
    if (!isAgnesError(error) || cli.signal.aborted) throw error;
    cli.warn(`cannot check whether ${source} has "${sourceTable}": ${error.message}`);
  }
}
