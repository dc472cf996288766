import type { ReadEntity, TableGateway } from "./gateway.ts";
import { inParallel } from "./parallel.ts";

/** Reads one entity at a time up to so many, and a whole range of keys above. */
export const SINGLE_READS = 4;
const CONCURRENCY = 16;
/** A page of a range should answer for about so many keys to be worth its time. */
const KEYS_OF_PAGE = 100;

/** The entities of a partition that have these row keys; one that is not there is left out. */
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

/** Finds what it can by reading the range in which the keys lie; `rest` are the keys that it did not get to. */
export async function scanFor(
  table: TableGateway,
  partitionKey: string,
  rowKeys: readonly string[],
): Promise<{ readonly found: ReadonlyMap<string, ReadEntity>; readonly rest: readonly string[] }> {
  const found = new Map<string, ReadEntity>();
  const wanted = new Set(rowKeys);
  const sorted = [...wanted].sort();
  // "!" is the least character of an encoded key.
  const range = { rowFrom: sorted[0]!, rowBefore: `${sorted.at(-1)!}!` };
  // Keys far apart may have anything between them: then single reads cost less.
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
