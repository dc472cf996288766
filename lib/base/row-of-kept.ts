/**
 * The place that a row has in its file, of which only its place among the rows that were kept is known; both from 1.
 *
 * @param rejected the places of the rows that were rejected, ascending
 */
export function rowOfKept(kept: number, rejected: readonly number[]): number {
  let [from, to] = [0, rejected.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    // So many rows before that rejected one were kept.
    if (rejected[middle]! - middle <= kept) from = middle + 1;
    else to = middle;
  }
  return kept + from;
}
