import { HASH_SHARE } from "./pass.ts";
import type { SampledColumn } from "./sample.ts";

/**
 * Estimates the number of different values of a column of a large table. The hashes that are divisible by `HASH_SHARE` are
 * counted exactly, which estimates many values well. Few values all occur in the sample, which therefore has their number.
 */
export function estimateDifferent({
  filled,
  hashes,
  isConstant,
  sample,
}: {
  readonly filled: number;
  /** The different hashes of all rows that are divisible by `HASH_SHARE`. */
  readonly hashes: number;
  /** Whether all values are equal; null: unknown. */
  readonly isConstant: boolean | null;
  readonly sample: Pick<SampledColumn, "filled" | "different">;
}): number {
  if (filled === 0) return 0;
  if (isConstant === true) return 1;
  const least = Math.max(sample.different, isConstant === false ? 2 : 1);
  const estimate = hashes * HASH_SHARE;
  // Three standard deviations of the count.
  const error = 3 * Math.sqrt(hashes) * HASH_SHARE;
  if (sample.different === sample.filled && estimate + error >= filled) return filled;
  return Math.min(filled, estimate - error > least ? estimate : least);
}
