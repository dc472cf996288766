import type { DocumentedTable } from "../../lib/query/mod.ts";
import { toStoredFields } from "../../lib/tables/mod.ts";
import type { CatalogEntry } from "./catalog.ts";

/** What the catalog and the description of a table have in common. */
type Entry = Pick<
  CatalogEntry,
  | "name"
  | "description"
  | "source"
  | "mode"
  | "accessMode"
  | "rows"
  | "sizeBytes"
  | "extractedAt"
  | "staleReason"
>;

/** A table of the catalog in JSON, with the names of `GET /api/v2/catalog`. */
export function catalogJson(table: CatalogEntry) {
  return {
    id: table.id,
    ...entryJson(table),
    columns: table.columns,
    checked_at: table.checkedAt,
    attempted_at: table.attemptedAt,
    sync_status: table.status,
    freshness: table.freshness,
    metadata_refreshed_at: table.metadataAt,
  };
}

/** The description of a table in JSON, with the names of `GET /api/v2/schema/{id}`. */
export function schemaJson(table: DocumentedTable) {
  return {
    table_id: table.id,
    ...entryJson(table),
    columns: table.schema,
    primary_key: table.primaryKey,
    foreign_keys: table.foreignKeys,
    documentation: storedDocumentation(table),
    source_metadata: table.sourceMetadata,
    read_as: table.readAs,
  };
}

/** The documentation of a table with the names of its parts as stored. */
export function storedDocumentation({ documentation }: DocumentedTable): DocumentedTable["documentation"] {
  return toStoredFields({ documentation })["documentation"] as DocumentedTable["documentation"];
}

function entryJson(table: Entry) {
  return {
    name: table.name,
    description: table.description,
    source: table.source,
    query_mode: table.mode,
    access_mode: table.accessMode,
    rows: table.rows,
    size_bytes: table.sizeBytes,
    extracted_at: table.extractedAt,
    stale_reason: table.staleReason,
  };
}
