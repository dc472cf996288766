/**
 * The seeds of a randomised test: those from 1 to `count`, or the one of AGNES_SEED, which replays a failure. `npm test`
 * runs few of them, `npm run test:full` many.
 */
export function seedsTo(count: number): readonly number[] {
  return isReplay ? [Number(replayed)] : Array.from({ length: count }, (_, at) => at + 1);
}

const replayed = process.env["AGNES_SEED"];

/** Whether one seed is replayed, so that totals over all seeds cannot be checked. */
export const isReplay = replayed !== undefined;
