import type { Commit, Edit } from "../catalog/mod.ts";
import type { RegistryRow } from "./stored.ts";
import type { View } from "./transaction.ts";

/** The size limit of one entry. Cloud table storages accept under half a megabyte for the states before and after. */
const ENTRY_BYTES = 200_000;

/** A row to write. Callers add fields that they need after it is written. */
interface Item {
  readonly row: RegistryRow;
}

/** A decision based on the state at one version. */
export interface Planned<P, I extends Item> {
  readonly plan: P;
  readonly items: readonly I[];
}

/**
 * Writes rows in as many entries as needed. The plan is made once, and again only if another writer adds an entry in
 * between.
 *
 * @param decide makes the plan; `isBegun` is true if some rows are already written
 * @returns the last plan, and all rows that were written
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
