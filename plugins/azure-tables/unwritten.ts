import type { TableGateway } from "./gateway.ts";
import { scanFor, SINGLE_READS } from "./read-many.ts";
import type { WantedRow } from "./row-queue.ts";
import { versionOf } from "./row-writer.ts";

/** Returns the row to write, or `null` if it is already written. */
export type Remaining = (row: WantedRow) => WantedRow | null;

/**
 * Determines which rows other writers have already written, by scanning ranges instead of reading each row. During a
 * replay of the log these are usually all of them.
 */
export async function unwritten(table: TableGateway, rows: readonly WantedRow[]): Promise<Remaining> {
  const partitions = new Map<string, Set<string>>();
  for (const { partitionKey, rowKey } of rows) {
    const rowKeys = partitions.get(partitionKey) ?? new Set<string>();
    partitions.set(partitionKey, rowKeys.add(rowKey));
  }
  const scanned = new Map<string, (rowKey: string) => number | null | undefined>();
  for (const [partitionKey, rowKeys] of partitions) {
    // A few rows are cheaper to read one by one, just before they are written.
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
