import type { TableClient } from "@azure/data-tables";

import { errors } from "./errors.ts";

/** Filters that match only the log and the index table of the Python package az-table-catalog. */
const FILTERS = [
  "PartitionKey eq 'metadata' and RowKey eq 'checkpoint'",
  "PartitionKey eq 'wal'",
  "PartitionKey ge '0' and PartitionKey lt ':' and operation eq 'insert'",
];

/**
 * Refuses to create a catalog in tables that contain one of the Python package, because it would appear empty.
 * @throws `azure-tables/python_catalog`
 */
export async function refusePythonCatalog(
  catalog: string,
  clients: readonly TableClient[],
  requestTimeoutMs: number,
): Promise<void> {
  for (const client of clients) {
    for (const filter of FILTERS) {
      if (await hasAny(client, filter, requestTimeoutMs))
        throw errors.python_catalog({
          catalog,
          tables: clients.map(({ tableName }) => tableName),
        });
    }
  }
}

async function hasAny(client: TableClient, filter: string, requestTimeoutMs: number): Promise<boolean> {
  const abortSignal = AbortSignal.timeout(requestTimeoutMs);
  const listed = client.listEntities({ queryOptions: { filter }, abortSignal });
  // A page may be empty although more pages follow.
  for await (const page of listed.byPage({ maxPageSize: 1 })) if (page.length > 0) return true;
  return false;
}
