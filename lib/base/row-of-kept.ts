/**
 * Converts the number of a row among the kept rows to its number in the file; both from 1.
 *
 * @param rejected the numbers of the rejected rows, ascending
 */
export function rowOfKept(kept: number, rejected: readonly number[]): number {
  let [from, to] = [0, rejected.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    // The number of kept rows before that rejected one.
    if (rejected[middle]! - middle <= kept) from = middle + 1;
    else to = middle;
  }
  return kept + from;
}
