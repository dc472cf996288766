import type { LogEntry } from "agnes/catalog";

import type { ReadEntity, TableGateway } from "./gateway.ts";
import type { Layout } from "./layout.ts";
import { inParallel } from "./parallel.ts";
import type { WantedRow } from "./row-queue.ts";
import { RowWriter, versionOf } from "./row-writer.ts";

const CONCURRENCY = 16;

/** Rewrites the rows of all indexes from the whole log, while others keep reading and writing. */
export async function rebuildRows(
  table: TableGateway,
  layout: Layout,
  entries: AsyncIterable<readonly LogEntry[]>,
): Promise<void> {
  const wanted = new Map<string, WantedRow>();
  let head = 0;
  for await (const page of entries) {
    for (const entry of page) {
      for (const row of layout.rows(entry)) wanted.set(`${row.partitionKey}\n${row.rowKey}`, row);
      head = entry.sequence;
    }
  }
  for (const partitionKey of [layout.records, ...layout.indexes]) {
    for await (const page of table.query({ partitionKey })) {
      const results = await inParallel(
        page.map((entity) => () => repair(table, entity, wanted, head)),
        CONCURRENCY,
      );
      for (const result of results) if (result.status === "rejected") throw result.reason;
    }
  }
  const missing = new RowWriter(table);
  for (const row of wanted.values()) await missing.add([{ ...row, isNew: true }]);
  await missing.drain();
}

async function repair(
  table: TableGateway,
  entity: ReadEntity,
  wanted: Map<string, WantedRow>,
  head: number,
): Promise<void> {
  const id = `${entity.partitionKey}\n${entity.rowKey}`;
  const row = wanted.get(id);
  wanted.delete(id);
  // A row newer than the log that was read is a correct row of another writer.
  if (versionOf(entity) > head) return;
  // If another writer changes the row first, its row is correct and these calls do nothing.
  if (row === undefined) await table.remove(entity.partitionKey, entity.rowKey, entity.etag);
  else if (!isSame(entity.values, row.values)) await table.replace(row, entity.etag);
}

function isSame(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].every((name) => a[name] === b[name]);
}
