import type { CheckedEntry } from "../../lib/query/mod.ts";
import type { ServerClient } from "./client.ts";

interface ServerEntry extends Pick<
  CheckedEntry,
  "name" | "id" | "source" | "description" | "rows" | "columns"
> {
  readonly query_mode: CheckedEntry["mode"];
  readonly access_mode: CheckedEntry["accessMode"];
  readonly size_bytes: number | null;
  readonly extracted_at: string | null;
  readonly checked_at: string | null;
  readonly stale_reason: string | null;
}

/** The catalog of a server, as that of a workspace. */
export async function serverCatalog(server: ServerClient): Promise<readonly CheckedEntry[]> {
  const { tables } = await server.json<{ readonly tables: readonly ServerEntry[] }>("/api/v2/catalog");
  return tables.map((table) => ({
    name: table.name,
    id: table.id,
    source: table.source,
    description: table.description,
    mode: table.query_mode,
    accessMode: table.access_mode,
    rows: table.rows,
    sizeBytes: table.size_bytes,
    columns: table.columns,
    extractedAt: table.extracted_at,
    staleReason: table.stale_reason,
    checkedAt: table.checked_at,
  }));
}
