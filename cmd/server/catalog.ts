import type { CheckedEntry, DocumentedTable } from "../../lib/query/mod.ts";
import type { TableStatus } from "../../lib/sync/mod.ts";
import { fromStoredFields } from "../../lib/tables/mod.ts";
import type { ServerClient } from "./client.ts";

/** What the catalog and the description of a table have in common in responses. */
interface SentEntry extends Pick<CheckedEntry, "name" | "source" | "description" | "rows"> {
  readonly query_mode: CheckedEntry["mode"];
  readonly access_mode: CheckedEntry["accessMode"];
  readonly size_bytes: number | null;
  readonly extracted_at: string | null;
  readonly stale_reason: string | null;
}

interface ListedEntry extends SentEntry, Pick<CheckedEntry, "id" | "columns"> {
  readonly checked_at: string | null;
  /** Missing in responses of earlier servers, like the fields below. */
  readonly attempted_at?: string | null;
  readonly sync_status?: TableStatus | null;
  readonly freshness?: CheckedEntry["freshness"];
  readonly metadata_refreshed_at?: string | null;
}

interface SentTable extends SentEntry {
  readonly table_id: string;
  readonly columns: DocumentedTable["schema"];
  readonly primary_key: DocumentedTable["primaryKey"];
  readonly foreign_keys: DocumentedTable["foreignKeys"];
  readonly documentation: object;
  readonly source_metadata: DocumentedTable["sourceMetadata"];
  readonly read_as: string | null;
}

/** A published table and the state of its syncs. */
export interface CatalogEntry extends CheckedEntry {
  /** The start of the last sync; null if there was none. */
  readonly attemptedAt: string | null;
  /** Null if it is not synced, or unknown. */
  readonly status: TableStatus | null;
}

/** The catalog of a server, as that of a workspace. */
export async function serverCatalog(server: ServerClient): Promise<readonly CatalogEntry[]> {
  const { tables } = await server.json<{ readonly tables: readonly ListedEntry[] }>("/api/v2/catalog");
  return tables.map((table) => ({
    ...entryOf(table, table.id, table.columns),
    checkedAt: table.checked_at,
    attemptedAt: table.attempted_at ?? null,
    status: table.sync_status ?? null,
    freshness: table.freshness ?? null,
    metadataAt: table.metadata_refreshed_at ?? null,
  }));
}

/** A table of a server, as that of a workspace. */
export async function serverTable(server: ServerClient, reference: string): Promise<DocumentedTable> {
  const table = await server.json<SentTable>(`/api/v2/schema/${encodeURIComponent(reference)}`);
  const { columns, documentation } = table;
  return {
    ...entryOf(table, table.table_id, columns.length),
    readAs: table.read_as,
    primaryKey: table.primary_key,
    schema: columns,
    foreignKeys: table.foreign_keys,
    documentation: fromStoredFields({ documentation }).documentation as DocumentedTable["documentation"],
    sourceMetadata: table.source_metadata,
  };
}

function entryOf(sent: SentEntry, id: string, columns: number | null) {
  return {
    name: sent.name,
    id,
    source: sent.source,
    description: sent.description,
    mode: sent.query_mode,
    accessMode: sent.access_mode,
    rows: sent.rows,
    sizeBytes: sent.size_bytes,
    columns,
    extractedAt: sent.extracted_at,
    staleReason: sent.stale_reason,
  };
}
