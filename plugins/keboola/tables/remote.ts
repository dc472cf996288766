import type { Capability, ExtensionSpec } from "agnes/kit";

import { columnsOf, isNativeText } from "./columns.ts";
import { kindOf } from "./kinds.ts";
import type { Settings } from "../options.ts";
import type { StorageTable } from "../api/schemas.ts";
import { bucketOf } from "./table-id.ts";
import type { FoundTable } from "./tables.ts";

/** The community extension. Its conditions and types differ from those of an export. */
export const extensions = {
  keboola: { repository: "community", tokenOption: "TOKEN", isExact: false },
} as const satisfies Readonly<Record<string, ExtensionSpec>>;

/** The capabilities of a table that the extension must not read. */
const WITHOUT_REMOTE: readonly Capability[] = ["discover", "read", "metadata", "write"];

/** Returns how the extension finds a table: it shows buckets as schemas. Or that it must not read the table. */
export function remoteOf(
  found: FoundTable,
  settings: AttachSettings,
): { readonly remotePath: readonly string[] } | { readonly capabilities: readonly Capability[] } {
  const { id, name } = found.table;
  return isAttachable(found, settings)
    ? { remotePath: [bucketOf(id), name] }
    : { capabilities: WITHOUT_REMOTE };
}

/** The settings that decide whether a table is attached. */
export type AttachSettings = Pick<Settings, "attach" | "branch" | "remoteMaxBytes">;

/**
 * Whether the extension returns the same rows as an export. It lists only the default branch, sends the SQL of Snowflake,
 * converts values by rules of its own, and reads all rows of a table.
 */
function isAttachable({ table, branch }: FoundTable, settings: AttachSettings): boolean {
  const { attach, remoteMaxBytes } = settings;
  if (!attach || settings.branch !== undefined || branch !== undefined) return false;
  if (kindOf(table) !== "table" || table.bucket?.backend !== "snowflake") return false;
  const size = table.dataSizeBytes ?? Infinity;
  return (remoteMaxBytes === null || size <= remoteMaxBytes) && hasOnlyText(table);
}

/** Whether all columns are text, also by the metadata that the extension reads, of which the last entry counts. */
function hasOnlyText(table: StorageTable): boolean {
  const isText = ({ type, nativeType }: { readonly type: string; readonly nativeType: string | null }) =>
    type === "VARCHAR" && nativeType !== null && isNativeText(nativeType);
  if (!columnsOf(table).every(isText)) return false;
  const entries = [...(table.columnMetadata?.values() ?? [])].flat();
  return entries.every(
    ({ key, value }) => !/^KBC\.datatype\.(base)?type$/.test(key) || value === "" || isNativeText(value),
  );
}
