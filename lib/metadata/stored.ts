import { isAgnesError, messageOf } from "../base/mod.ts";
import type { TableMetadata } from "../kit/mod.ts";
import type { MetadataFreshness, RegisteredTable } from "../tables/mod.ts";
import type { CachedMetadata, MetadataRun, TableMetadataStatus } from "./types.ts";

/** More characters of column names, and of the message of an error, are not stored. */
const COLUMNS_MAX = 10_000;
const MESSAGE_MAX = 500;
/** Lists of partition and clustering columns are short; sources allow less. */
const KEYS_MAX = 100;

/** The stored metadata of a table. */
export interface TableRow {
  readonly kind: "table";
  /** The id of the table, in lower case. */
  readonly key: string;
  /** Identifies the table in its source, so that another one under the same id has no metadata of this one. */
  readonly place: string;
  readonly refreshedAt: string | null;
  readonly noDataAt: string | null;
  readonly error: TableMetadataStatus["lastError"];
  readonly metadata: CachedMetadata | null;
}

/** A stored refresh: of all tables, whose last one is kept, or of one table, only while it runs. */
export interface RunRow extends MetadataRun {
  readonly kind: "run";
  readonly key: string;
}

/** The result of one request for the metadata of a table. */
export type Fetched =
  | { readonly status: "ok"; readonly metadata: TableMetadata }
  | { readonly status: "no_data" }
  | { readonly status: "error"; readonly error: unknown };

/** A result with the table and time of its request. */
export interface Outcome {
  readonly record: RegisteredTable;
  /** The start of the request, ISO 8601. */
  readonly at: string;
  readonly fetched: Fetched;
}

/** Identifies the table of a record in its source. */
export function placeOf({ sourceTable, bucket, name }: RegisteredTable): string {
  return JSON.stringify([bucket, sourceTable ?? name]);
}

/** The row after a result. The last known metadata is kept unless the source returned new metadata. */
export function rowAfter(before: TableRow | null, { record, at, fetched }: Outcome): TableRow {
  const key = record.id.toLowerCase();
  const place = placeOf(record);
  const none = { kind: "table", key, place, refreshedAt: null, noDataAt: null, error: null, metadata: null };
  const known = before?.place === place ? before : (none as TableRow);
  if (fetched.status === "ok")
    return {
      ...known,
      refreshedAt: at,
      noDataAt: null,
      error: null,
      metadata: cachedMetadata(fetched.metadata),
    };
  if (fetched.status === "no_data") return { ...known, noDataAt: at, error: null };
  return { ...known, error: { at, ...failureOf(fetched.error) } };
}

/** The code and message of a failure; the code is that of the plugin, if it threw an error with one. */
export function failureOf(error: unknown): { readonly code: string; readonly message: string } {
  const text = messageOf(error);
  const message = text.length > MESSAGE_MAX ? `${text.slice(0, MESSAGE_MAX - 1)}…` : text;
  if (!isAgnesError(error)) return { code: "internal", message };
  const own = isAgnesError(error, "plugin_failed") ? error.details.code : undefined;
  return { code: own ?? error.code, message };
}

/** Classifies a row; a time in the future is treated like one in the past, because clocks are set back. */
export function freshnessOf(row: TableRow | null, now: Date, freshSeconds: number): MetadataFreshness {
  if (row === null) return "never_fetched";
  if (row.refreshedAt !== null) {
    const ageMs = Math.abs(now.getTime() - Date.parse(row.refreshedAt));
    return ageMs <= freshSeconds * 1000 ? "fresh" : "stale";
  }
  if (row.error !== null) return "error";
  return row.noDataAt === null ? "never_fetched" : "no_data";
}

function cachedMetadata(found: TableMetadata): CachedMetadata {
  const { entityType, rows, sizeBytes, partitionedBy, clusteredBy, modifiedAt, columns } = found;
  return {
    entityType: entityType ?? null,
    rows: rows ?? null,
    sizeBytes: sizeBytes ?? null,
    partitionedBy: partitionedBy?.slice(0, KEYS_MAX) ?? null,
    clusteredBy: clusteredBy?.slice(0, KEYS_MAX) ?? null,
    modifiedAt: modifiedAt?.toISOString() ?? null,
    columnCount: columns?.length ?? null,
    columns: columns === undefined ? null : firstNames(columns.map(({ name }) => name)),
  };
}

function firstNames(names: readonly string[]): readonly string[] {
  let characters = 0;
  const end = names.findIndex((name) => (characters += name.length) > COLUMNS_MAX);
  return end === -1 ? names : names.slice(0, end);
}
