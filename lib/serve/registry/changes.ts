import { AgnesError, isAgnesError } from "../../base/mod.ts";
import { sourceWarnings } from "../../sync/mod.ts";
import {
  fromStoredFields,
  storedName,
  toStoredFields,
  type ChangeOptions,
  type TableChange,
  type TableRegistry,
  type TableWrite,
} from "../../tables/mod.ts";
import type { Principal } from "../auth/principal.ts";
import { hidePaths } from "../http/hide-paths.ts";
import type { ServeServices } from "../services.ts";
import { expectedVersion } from "./etag.ts";

/** A request of a change. */
interface ChangeRequest {
  readonly services: ServeServices;
  readonly principal: Principal;
  readonly request: Request;
  readonly query: { readonly dry_run: string };
}

/**
 * Changes the registry, if it has the version in `If-Match`.
 * @throws `request_invalid`, `table_version_stale`, and the errors of the change without its values
 */
export async function changeRegistry<T>(
  { services, principal, request, query }: ChangeRequest,
  change: (registry: TableRegistry, options: ChangeOptions) => Promise<T>,
): Promise<T> {
  const registry = await services.workspace.tables();
  const options = changeBy(principal, expectedVersion(request, await registry.version()), query);
  return withoutValues(change(registry, options));
}

/**
 * Changes a registered table, if it has the version in `If-Match`.
 * @throws `table_not_registered`, `request_invalid`, `table_version_stale`, and the errors of the change without its values
 */
export async function changeTable<T>(
  {
    services,
    principal,
    request,
    query,
    params,
  }: ChangeRequest & { readonly params: { readonly id: string } },
  change: (registry: TableRegistry, id: string, options: ChangeOptions) => Promise<T>,
): Promise<T> {
  const registry = await services.workspace.tables();
  const { id, version } = await registry.find(params.id);
  return withoutValues(change(registry, id, changeBy(principal, expectedVersion(request, version), query)));
}

/** The options of a change by a principal. */
export function changeBy(
  principal: Principal,
  expected: number | undefined,
  query: { readonly dry_run?: string } = {},
): ChangeOptions {
  return {
    dryRun: query.dry_run === "true",
    actor: `${principal.name} (${principal.id})`,
    ...(expected !== undefined && { expectedVersion: expected }),
  };
}

/** A body with the names of the library. */
export function changeOf(body: object): TableChange {
  return fromStoredFields(body) as TableChange;
}

/** What a response has of a change of a table. */
export async function writtenOf(
  services: ServeServices,
  { table, changed, dryRun }: TableWrite,
  options: { readonly query: { readonly check_source: string }; readonly signal: AbortSignal },
): Promise<object> {
  const { host, workspace, folders } = services;
  const isChecked = options.query.check_source === "true";
  const warnings = isChecked ? await sourceWarnings(host, workspace, table, options.signal) : [];
  return {
    dry_run: dryRun,
    table: toStoredFields(table),
    updated: changed.map(storedName),
    warnings: hidePaths(warnings, folders),
  };
}

/** Checks that a source is in `agnes.yaml`. @throws `request_invalid` */
export function checkSource(
  { workspace }: ServeServices,
  source: string | null | undefined,
  part: "body" | "query string",
): string {
  const { sources } = workspace.workspace.config;
  if (typeof source === "string" && Object.hasOwn(sources, source)) return source;
  const reason = `it must be a source of agnes.yaml: ${Object.keys(sources).join(", ") || "there is none"}`;
  throw new AgnesError("request_invalid", { part, field: "source", reason });
}

/** The errors of fields whose texts may contain the value. */
const OF_VALUES = ["schedule_invalid", "source_query_invalid", "table_field_invalid", "table_field_unknown"];

/** Makes a change. Errors of values keep the name of the field, and never repeat the value. */
export async function withoutValues<T>(change: Promise<T>): Promise<T> {
  try {
    return await change;
  } catch (error) {
    if (!isAgnesError(error) || !OF_VALUES.includes(error.code)) throw error;
    const fields: Readonly<Record<string, string>> = {
      schedule_invalid: "sync_schedule",
      source_query_invalid: "source_query",
      // Without the bucket in `folder_mapping of "bucket"`.
      ...(isAgnesError(error, "table_field_invalid") && {
        table_field_invalid: error.details.field.replace(/ of .*$/s, ""),
      }),
    };
    const reason = "it is not valid; docs/guide/tables.md describes it";
    const field = fields[error.code] ?? "the table";
    throw new AgnesError("request_invalid", { part: "body", field, reason });
  }
}
