import { isAgnesError, nearest, type Host } from "../base/mod.ts";
import type { TableInfo } from "../kit/mod.ts";
import type { PluginRegistry } from "../plugins/mod.ts";
import { planRegistration, storedName, type RegisteredTable } from "../tables/mod.ts";
import type { Workspace } from "../workspace/mod.ts";
import { conditionsProblem } from "./conditions-problem.ts";

/** What a check of a table in its source needs of an open workspace; see `Agnes`. */
interface CheckingWorkspace {
  readonly workspace: Workspace;
  readonly plugins: PluginRegistry;
  readonly connectors: {
    discover(source: string, options?: { readonly signal?: AbortSignal }): Promise<readonly TableInfo[]>;
  };
}

/**
 * Compares a registered table with its source. Returns warnings if the source does not have the table, or the columns in its
 * settings, or if its conditions are not valid. Registering and updating do not need the source, so its failure is only a
 * warning.
 */
export async function sourceWarnings(
  host: Host,
  { workspace, plugins, connectors }: CheckingWorkspace,
  table: RegisteredTable,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { source, sourceTable } = table;
  const { sources } = workspace.config;
  // The source may have been removed from agnes.yaml.
  if (sourceTable === null || !Object.hasOwn(sources, source)) return [];
  const warnings: string[] = [];
  try {
    const plugin = plugins.get(sources[source]!.plugin);
    // The result of SQL is no table of the source; a JSON query selects from one.
    const isResult = table.sourceQuery !== null && plugin.sourceQuery === undefined;
    if (isResult || !plugin.capabilities.includes("discover")) return warnings;
    const discovered = await connectors.discover(source, { signal });
    const { missing, candidates } = planRegistration(source, discovered, [table]);
    if (missing.includes(table.id)) warnings.push(missingText(source, sourceTable, discovered));
    for (const candidate of candidates)
      if (candidate.kind === "drifted" && candidate.id === table.id)
        for (const { field, reason } of candidate.drift)
          warnings.push(`${storedName(field)} of ${table.id}: ${reason}`);
    const problem = await conditionsProblem(host, table, discovered, plugin);
    if (problem !== null) warnings.push(`${table.id}: ${problem.message}. ${problem.hint}`);
  } catch (error) {
    if (!isAgnesError(error) || signal.aborted) throw error;
    warnings.push(`cannot check whether ${source} has "${sourceTable}": ${error.message}`);
  }
  return warnings;
}

function missingText(source: string, sourceTable: string, discovered: readonly TableInfo[]): string {
  const near = nearest(
    sourceTable,
    discovered.map(({ name }) => name),
  );
  const next = near === undefined ? `see \`agnes connector discover ${source}\`` : `did you mean "${near}"?`;
  return `${source} has no table "${sourceTable}"; ${next}`;
}
