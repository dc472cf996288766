import { isAgnesError, type AgnesError } from "../base/mod.ts";
import type { PushEvent } from "../kit/mod.ts";
import { isLasting } from "./failed-merges.ts";
import type { SpooledEvents } from "./spool.ts";

/** Events that are merged together or not at all, with their files. */
type Group = readonly SpooledEvents[];

/** After this many groups, none of which could be merged, the cause is not one of the events. */
const FAILED_MAX = 20;

/** A merge, which may have failed for a table. */
interface Merge {
  readonly errors: readonly { readonly error: AgnesError }[];
}

/** What became of events that were merged apart. */
interface MergedApart<M> {
  readonly merged: readonly M[];
  /** The events that failed by themselves. */
  readonly failed: readonly { readonly files: Group; readonly error: AgnesError }[];
}

/**
 * Merges events in ever smaller groups, in their order, until each group that fails is one event, or the events of one
 * ordering key. Returns null if all of several groups fail, because then the cause is not one of the events.
 *
 * @throws errors that a repetition may not have
 */
export async function mergeApart<M extends Merge>(
  spooled: readonly SpooledEvents[],
  merge: (files: Group) => Promise<M>,
): Promise<MergedApart<M> | null> {
  const merged: M[] = [];
  const failed: { readonly files: Group; readonly error: AgnesError }[] = [];
  const mergeAll = async (part: readonly Group[]): Promise<void> => {
    if (merged.length === 0 && failed.length >= FAILED_MAX) return;
    const outcome = await outcomeOf(part.flat(), merge);
    if (!isAgnesError(outcome)) merged.push(outcome);
    else if (part.length === 1) failed.push({ files: part[0]!, error: outcome });
    else {
      const middle = Math.ceil(part.length / 2);
      await mergeAll(part.slice(0, middle));
      await mergeAll(part.slice(middle));
    }
  };
  await mergeAll(groupsOf(spooled));
  return merged.length === 0 && failed.length > 1 ? null : { merged, failed };
}

async function outcomeOf<M extends Merge>(
  files: Group,
  merge: (files: Group) => Promise<M>,
): Promise<M | AgnesError> {
  try {
    const done = await merge(files);
    const [first] = done.errors;
    if (first === undefined) return done;
    if (!isLasting(first.error)) throw first.error;
    return first.error;
  } catch (error) {
    if (!isAgnesError(error) || !isLasting(error)) throw error;
    return error;
  }
}

/** One group for each event without an ordering key, and one for each key, in the order of their last events. */
function groupsOf(spooled: readonly SpooledEvents[]): readonly Group[] {
  const groups = new Map<string | PushEvent, SpooledEvents[]>();
  for (const { path, events } of spooled) {
    for (const event of events) {
      const key = event.orderingKey ?? event;
      const earlier = groups.get(key) ?? [];
      groups.delete(key);
      groups.set(key, [...earlier, { path, events: [event] }]);
    }
  }
  return [...groups.values()];
}
