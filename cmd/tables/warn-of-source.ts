import type { Agnes } from "../../lib/agnes.ts";
import { isAgnesError, nearest } from "../../lib/base/mod.ts";
import { planRegistration, type RegisteredTable } from "../../lib/tables/mod.ts";
import type { Cli } from "../cli/cli.ts";

/** Warns when the source does not have a table that was registered, or not the columns that its settings name. */
export async function warnOfSource(cli: Cli, agnes: Agnes, table: RegisteredTable): Promise<void> {
  const { source, source_table: sourceTable } = table;
  const { sources } = agnes.workspace.config;
  // A table may outlive its source in agnes.yaml.
  if (!Object.hasOwn(sources, source)) return;
  const { capabilities } = agnes.plugins.get(sources[source]!.plugin);
  if (sourceTable === null || table.source_query !== null || !capabilities.includes("discover")) return;
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
        for (const { field, reason } of candidate.drift) cli.warn(`${field} of ${table.id}: ${reason}`);
  } catch (error) {
    // Registering and updating need no source, so one that cannot be asked is no failure of it.
    if (!isAgnesError(error) || cli.signal.aborted) throw error;
    cli.warn(`${source} could not be asked whether it has "${sourceTable}": ${error.message}`);
  }
}
