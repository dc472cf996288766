import type { Commit, Edit } from "../catalog/mod.ts";
import type { RegistryRow } from "./stored.ts";
import type { View } from "./transaction.ts";

/** What one entry may hold; storages in tables of a cloud take less than half a megabyte, before and after. */
const ENTRY_BYTES = 200_000;

/** A row to be written, with what the caller wants to know of it when it is. */
interface Item {
  readonly row: RegistryRow;
}

/** What is decided on the state at one moment. */
export interface Planned<P, I extends Item> {
  readonly plan: P;
  readonly items: readonly I[];
}

/**
 * Writes rows in as many entries as they take. Everything is decided once, and again only when another writer came
 * between two entries.
 *
 * @param decide is told whether some rows are written already
 * @returns the last plan, and the rows that were written by any
 */
export async function writeInEntries<P, I extends Item>(
  transact: (decide: (view: View) => Promise<readonly Edit<RegistryRow>[]>) => Promise<Commit<RegistryRow>>,
  decide: (view: View, isBegun: boolean) => Promise<Planned<P, I>>,
): Promise<{ readonly plan: P; readonly written: readonly I[] }> {
  const written: I[] = [];
  let planned: Planned<P, I> | undefined;
  let decidedAt = -1;
  let next = 0;
  for (;;) {
    let batch: readonly I[] = [];
    const { sequence } = await transact(async (view) => {
      if (planned === undefined || view.sequence !== decidedAt) {
        planned = await decide(view, written.length > 0);
        decidedAt = view.sequence;
        next = 0;
      }
      batch = ofOneEntry(planned.items, next);
      return batch.map(({ row }) => ({ kind: "put", record: row }));
    });
    written.push(...batch);
    next += batch.length;
    decidedAt = sequence;
    if (next >= planned!.items.length) return { plan: planned!.plan, written };
  }
}

function ofOneEntry<I extends Item>(items: readonly I[], from: number): readonly I[] {
  let sizeBytes = 0;
  let end = from;
  for (; end < items.length; end++) {
    sizeBytes += Buffer.byteLength(JSON.stringify(items[end]!.row));
    if (end > from && sizeBytes > ENTRY_BYTES) break;
  }
  return items.slice(from, end);
}
