import type { Capability, ExtensionSpec, RemoteAttachInfo, Secret } from "agnes/kit";

import { countsOf, requiresFilter } from "./describe.ts";
import type { BigQueryTable } from "./schemas.ts";
import type { Settings } from "./settings.ts";
import { isRepeated, kindOf } from "./types.ts";

const SECRET = "BIGQUERY_SERVICE_ACCOUNT_JSON";
const API_HOSTS = ["bigquery", "bigquerystorage", "oauth2"];

/**
 * The community extension. It receives the key of the account by a secret in memory, which belongs to one source. Its
 * types differ from those of a read: a TIMESTAMP, for example, has no time zone.
 */
export const extensions = {
  bigquery: {
    repository: "community",
    isExact: false,
    secret: { type: "bigquery", tokenParameter: "SERVICE_ACCOUNT_JSON" },
    hosts: () => API_HOSTS.map((name) => `${name}.googleapis.com`),
  },
} as const satisfies Readonly<Record<string, ExtensionSpec>>;

/** The capabilities of a table that the extension must not read. */
const WITHOUT_REMOTE: readonly Capability[] = ["discover", "read", "query", "metadata"];

/** How the extension attaches the project of a source. Its account is that of the secret, never one of the machine. */
export function attachInfoOf(
  source: string,
  { project, billingProject }: Settings,
  secret: Secret | undefined,
): RemoteAttachInfo {
  return {
    alias: source,
    extension: "bigquery",
    url: `project=${project} billing_project=${billingProject}`,
    tokenEnv: secret?.name ?? SECRET,
    // For versions of the extension that find a secret by its scope only.
    secret: { SCOPE: `bq://${project}` },
  };
}

/** The settings that decide whether a table is attached. */
export type AttachSettings = Pick<Settings, "attach" | "project" | "maxBytesPerQuery">;

/** The types of columns whose values the extension returns as a read does. */
const SAME = new Set(["INT64", "FLOAT64", "BOOL", "STRING", "BYTES", "DATE", "DATETIME", "NUMERIC"]);

/** Returns how the extension finds a table: it shows datasets as schemas. Or that it must not read the table. */
export function remoteOf(
  table: BigQueryTable,
  settings: AttachSettings,
): { readonly remotePath: readonly string[] } | { readonly capabilities: readonly Capability[] } {
  const { datasetId, tableId } = table.tableReference;
  return isAttachable(table, settings) ? { remotePath: [datasetId, tableId] } : NOT_ATTACHED;
}

/** Of a table that the extension must not read. */
export const NOT_ATTACHED = { capabilities: WITHOUT_REMOTE };

/**
 * Whether the extension may read a table: it returns the same rows, and a query that reads all of it is within the limit,
 * because the extension reads all rows of the columns and has no limit of its own.
 */
function isAttachable(table: BigQueryTable, settings: AttachSettings): boolean {
  const { attach, project, maxBytesPerQuery } = settings;
  if (!attach) return false;
  const { projectId, datasetId, tableId } = table.tableReference;
  if (projectId !== project || `${datasetId}${tableId}`.includes(".")) return false;
  if (table.type !== "TABLE" || table.cloneDefinition !== undefined || requiresFilter(table)) return false;
  const { sizeBytes = Infinity } = countsOf(table);
  return (
    sizeBytes <= maxBytesPerQuery &&
    table.schema.fields.every((field) => SAME.has(kindOf(field)) && !isRepeated(field))
  );
}
