import type { TableClient } from "@azure/data-tables";
import { AgnesError } from "agnes/kit";

/** What only a catalog of the Python package az-table-catalog has, in its log and in its index table. */
const FILTERS = [
  "PartitionKey eq 'metadata' and RowKey eq 'checkpoint'",
  "PartitionKey eq 'wal'",
  "PartitionKey ge '0' and PartitionKey lt ':' and operation eq 'insert'",
];

/**
 * Refuses to make a new catalog in tables that hold one of the Python package: it would look as if it were empty.
 * @throws `catalog_foreign`
 */
export async function refusePythonCatalog(
  catalog: string,
  clients: readonly TableClient[],
  requestTimeoutMs: number,
): Promise<void> {
  for (const client of clients) {
    for (const filter of FILTERS) {
      if (await hasAny(client, filter, requestTimeoutMs))
        throw new AgnesError("catalog_foreign", {
          catalog,
          tables: clients.map(({ tableName }) => tableName),
        });
    }
  }
}

async function hasAny(client: TableClient, filter: string, requestTimeoutMs: number): Promise<boolean> {
  const abortSignal = AbortSignal.timeout(requestTimeoutMs);
  const listed = client.listEntities({ queryOptions: { filter }, abortSignal });
  // A page may be empty although there are more.
  for await (const page of listed.byPage({ maxPageSize: 1 })) if (page.length > 0) return true;
  return false;
}
