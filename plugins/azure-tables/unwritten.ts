import type { TableGateway } from "./gateway.ts";
import { scanFor, SINGLE_READS } from "./read-many.ts";
import type { WantedRow } from "./row-queue.ts";
import { versionOf } from "./row-writer.ts";

/** Says of a row what is still to be done for it: `null` when it is written already. */
export type Remaining = (row: WantedRow) => WantedRow | null;

/**
 * Finds out, by reading ranges and not row by row, which rows another writer has written already: mostly all of
 * them, when the log is replayed.
 */
export async function unwritten(table: TableGateway, rows: readonly WantedRow[]): Promise<Remaining> {
  const partitions = new Map<string, Set<string>>();
  for (const { partitionKey, rowKey } of rows) {
    const rowKeys = partitions.get(partitionKey) ?? new Set<string>();
    partitions.set(partitionKey, rowKeys.add(rowKey));
  }
  const scanned = new Map<string, (rowKey: string) => number | null | undefined>();
  for (const [partitionKey, rowKeys] of partitions) {
    // Of few rows each is read when it is its turn.
    if (rowKeys.size <= SINGLE_READS) continue;
    const { found, rest } = await scanFor(table, partitionKey, [...rowKeys]);
    const unreached = new Set(rest);
    const versions = new Map([...found].map(([rowKey, entity]) => [rowKey, versionOf(entity)]));
    scanned.set(partitionKey, (rowKey) =>
      unreached.has(rowKey) || !rowKeys.has(rowKey) ? undefined : (versions.get(rowKey) ?? null),
    );
  }
  return (row) => {
    const version = scanned.get(row.partitionKey)?.(row.rowKey);
    if (version === undefined) return { ...row, isNew: false };
    if (version === null) return { ...row, isNew: true };
    return version >= row.version ? null : { ...row, isNew: false };
  };
}
