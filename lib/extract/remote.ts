import {
  AgnesError,
  checkEnvironmentName,
  checkExposedName,
  holdsSecret,
  isAgnesError,
  type Host,
} from "../base/mod.ts";
import type { RemoteAttachInfo } from "../kit/mod.ts";
import { withoutSecrets } from "../sources/mod.ts";
import { definitionOf } from "./job/definition.ts";
import type { TableOutcome } from "./extract-table.ts";
import { publishedColumns, type TablePlan } from "./job/plan.ts";
import { columnsOf } from "./schema/column.ts";
import type { ExtractSource } from "./job/services.ts";
import type { ExtractState, PublishedTable } from "./format/extract-state.ts";

/** The outcome of a remote table: only its location is published, not its rows. */
export function remoteTable(
  host: Pick<Host, "now">,
  source: ExtractSource,
  plan: TablePlan,
  previous: PublishedTable | undefined,
): TableOutcome {
  const canAttach = plan.info.capabilities?.includes("remote") ?? true;
  const info = canAttach ? attachInfo(source) : null;
  const columns = columnsOf(plan.info.schema, publishedColumns(plan));
  const table: PublishedTable = {
    name: plan.name,
    description: plan.description,
    mode: "remote",
    rows: 0,
    sizeBytes: 0,
    extractedAt: host.now(),
    columns,
    sourceColumns: columns,
    parts: [],
    schemas: [
      { version: 1, generation: 1, changedAt: host.now(), columns, sourceColumns: columns, changes: [] },
    ],
    definition: definitionOf(plan),
    tombstones: [],
    ...(info === null
      ? {}
      : { remote: { alias: info.alias, path: plan.info.remotePath ?? [plan.info.name] } }),
  };
  const changed = previous === undefined || essence(previous) !== essence(table);
  return {
    table: changed ? table : previous,
    changed,
    full: false,
    rowsRead: 0,
    rowsDeleted: 0,
    rowsQuarantined: 0,
    partsWritten: 0,
    schemaChanges: [],
    notes: [],
  };
}

/** The rows of `_remote_attach`: the databases of the remote tables of a generation. */
export function remoteAttachments(
  source: ExtractSource,
  tables: readonly PublishedTable[],
  previous: ExtractState | null,
): readonly RemoteAttachInfo[] {
  const aliases = new Set(tables.map((table) => table.remote?.alias).filter((alias) => alias !== undefined));
  if (aliases.size === 0) return [];
  const secrets = source.secrets ?? [];
  // An earlier version may have published a secret.
  const kept = (previous?.remotes ?? []).filter(
    (info) => !holdsSecret(Object.values(info).join("\n"), secrets),
  );
  const all = [...declaredBy(source), ...kept];
  return [...aliases].flatMap((alias) => all.find((info) => info.alias === alias) ?? []);
}

/** Whether two generations attach the same databases with the same parameters. */
export function sameAttachments(
  before: readonly RemoteAttachInfo[],
  after: readonly RemoteAttachInfo[],
): boolean {
  return JSON.stringify(before.map(contractOf)) === JSON.stringify(after.map(contractOf));
}

/** The columns of the contract only. Options and secrets are requested from the plugin when needed. */
function contractOf({ alias, extension, url, tokenEnv }: RemoteAttachInfo): RemoteAttachInfo {
  return { alias, extension, url, tokenEnv };
}

/**
 * The attachment that the source declares; empty if it cannot declare one, so that kept tables can still be published.
 */
function declaredBy(source: ExtractSource): readonly RemoteAttachInfo[] {
  try {
    const info = source.connector.remote === undefined ? null : attachInfo(source);
    return info === null ? [] : [contractOf(info)];
  } catch (error) {
    if (isAgnesError(error)) return [];
    throw error;
  }
}

/** @throws `invalid_identifier`, `remote_holds_secret` */
function attachInfo({ connector, name, plugin, secrets = [] }: ExtractSource): RemoteAttachInfo | null {
  if (connector.remote === undefined) {
    if (connector.query !== undefined || connector.read !== undefined) return null;
    throw new AgnesError("table_plan_invalid", { table: name, reason: `source ${name} cannot be queried` });
  }
  const info = withoutSecrets(connector.remote(), { plugin: plugin.name, source: name, secrets });
  checkExposedName("the alias of a remote database", info.alias);
  checkExposedName("a DuckDB extension", info.extension);
  if (info.tokenEnv !== "") checkEnvironmentName("the variable of a remote database's token", info.tokenEnv);
  return info;
}

function essence({ name, description, mode, columns, remote }: PublishedTable): string {
  return JSON.stringify([name, description, mode, columns, remote]);
}
