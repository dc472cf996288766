import type { JsonRecord } from "./storage.ts";
import type { Catalog } from "./types.ts";

/**
 * Reads the whole log of a catalog, and all its records, to detect any damage.
 *
 * @returns the number of records
 * @throws `catalog_corrupt` with the damaged part, `catalog_unavailable`
 */
export async function verifyCatalog<R extends object = JsonRecord>(catalog: Catalog<R>): Promise<number> {
  for await (const _entry of catalog.entries());
  return (await catalog.query({})).length;
}
