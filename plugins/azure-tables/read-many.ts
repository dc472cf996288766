import type { ReadEntity, TableGateway } from "./gateway.ts";
import { inParallel } from "./parallel.ts";

/** Up to this many keys are read one by one; more are read as a range. */
export const SINGLE_READS = 4;
const CONCURRENCY = 16;
/** A page of a range scan pays off if it covers about this many wanted keys. */
const KEYS_OF_PAGE = 100;

/** Reads the entities of a partition with these row keys. Missing ones are omitted. */
export async function readMany(
  table: TableGateway,
  partitionKey: string,
  rowKeys: readonly string[],
): Promise<ReadonlyMap<string, ReadEntity>> {
  const scanned = rowKeys.length > SINGLE_READS ? await scanFor(table, partitionKey, rowKeys) : null;
  const found = new Map(scanned?.found);
  const rest = scanned?.rest ?? rowKeys;
  const read = await inParallel(
    rest.map((rowKey) => () => table.get(partitionKey, rowKey)),
    CONCURRENCY,
  );
  for (const [at, result] of read.entries()) {
    if (result.status === "rejected") throw result.reason;
    if (result.value !== null) found.set(rest[at]!, result.value);
  }
  return found;
}

/** Scans the range that contains the keys, within a page limit. `rest` are the keys it did not reach. */
export async function scanFor(
  table: TableGateway,
  partitionKey: string,
  rowKeys: readonly string[],
): Promise<{ readonly found: ReadonlyMap<string, ReadEntity>; readonly rest: readonly string[] }> {
  const found = new Map<string, ReadEntity>();
  const wanted = new Set(rowKeys);
  const sorted = [...wanted].sort();
  // "!" is the smallest character of an encoded key.
  const range = { rowFrom: sorted[0]!, rowBefore: `${sorted.at(-1)!}!` };
  // If the keys are far apart, single reads are cheaper than scanning the rows between them.
  let pagesLeft = Math.ceil(sorted.length / KEYS_OF_PAGE);
  for await (const page of table.query({ partitionKey, ...range })) {
    for (const entity of page) if (wanted.has(entity.rowKey)) found.set(entity.rowKey, entity);
    pagesLeft -= 1;
    const last = page.at(-1)?.rowKey;
    if (pagesLeft === 0 && last !== undefined) {
      return { found, rest: sorted.filter((rowKey) => rowKey > last) };
    }
  }
  return { found, rest: [] };
}
